"""`spte export`: what a certificate obliges to, as SMT-LIB 2, for any solver."""

from __future__ import annotations

import argparse
import sys

from refine.cli.files import targets
from refine.cli.proofs import Proofs
from refine.cli.status import OK, USAGE
from refine.engine.certify import export
from refine.lang.certificate import AGAIN, Certificate, Inductive, KInductive
from refine.lang.invariant import Unreadable
from refine.lang.load import load
from refine.lang.lower import lower
from refine.lang.sizes import sizes
from refine.text.diag import Reporter, Severity, render


def run(args: argparse.Namespace) -> int:
    """Print the obligations of a specification at one size; a solver should find each unsatisfiable."""
    reporter = Reporter()
    for target in targets([args.file], reporter)[:1]:
        loaded = load(target.path, args.include, reporter)
        declared = sizes(loaded, reporter) if loaded else None
        if loaded is None or declared is None:
            continue
        at = {**declared.default, **dict(args.size)}
        system = lower(loaded, at, reporter)
        if system is None:
            continue
        found = Proofs(args.proofs).of(target)
        if not isinstance(found, Certificate):
            message = found or f"there is no certificate of '{target.name}'"
            reporter.error("E0618", message, None, "write one: 'spte prove --reprove'")
            continue
        section = next(
            (
                s
                for s in found.sections
                if isinstance(s, Inductive | KInductive) and any(dict(sizes_) == at for sizes_, _ in s.cores)
            ),
            None,
        )
        if section is None:
            shown = ", ".join(f"{name} {n}" for name, n in at.items())
            known = [", ".join(f"{k} {n}" for k, n in row) for s in found.sections for row, *_ in s.cores]
            help_ = f"there is one for {'; '.join(dict.fromkeys(known))}" if known else None
            reporter.error("E0618", f"the certificate says nothing of {shown}", None, help_)
            continue
        try:
            sys.stdout.write(export(system, section, target.name))
        except Unreadable as why:
            reporter.error("E0618", f"the certificate is refused: {why}", None, AGAIN)
    errors = (d for d in reporter.sorted() if d.severity is Severity.ERROR)  # a check tells the warnings
    for diagnostic in errors:
        sys.stderr.write(render(diagnostic, colour=sys.stderr.isatty()) + "\n")
    return USAGE if reporter.has_errors else OK
