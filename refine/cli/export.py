"""`spte export`: a certificate's obligations as SMT-LIB 2, or the protocol itself for SPIN or a Murphi checker."""

from __future__ import annotations

import argparse
import sys

from refine.cli.files import Target, targets
from refine.cli.proofs import Proofs
from refine.cli.status import OK, USAGE
from refine.core.digest import digest
from refine.core.system import System
from refine.engine.certify import export
from refine.lang.certificate import AGAIN, Certificate, Exhaustive, Unbounded
from refine.lang.invariant import Unreadable
from refine.lang.load import load
from refine.lang.lower import lower
from refine.lang.sizes import sizes
from refine.smt.ground import Unfit, ground
from refine.smt.murphi import murphi
from refine.smt.promela import promela
from refine.text.diag import Reporter, Severity, escape, render

_WRITERS = {"murphi": murphi, "promela": promela}
_RUN = {
    "murphi": (
        "rumur --deadlock-detection off --symmetry-reduction off --value-type int32_t --output NAME.c NAME.m",
        "cc -O2 NAME.c -o NAME -lpthread && ./NAME (on x86 also -mcx16)",
    ),
    "promela": (
        "spin -o2 -a NAME.pml && cc -O2 -DSAFETY -DNOREDUCE pan.c -o pan && ./pan -E -m1000000",
        "It counts one state more: that from which an initial state is chosen.",
    ),
}


def run(args: argparse.Namespace) -> int:
    """Print a specification at one size in the form that is asked for."""
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
        if args.to == "smt2":
            _obligations(args, target, system, at, reporter)
        else:
            _model(args.to, target, system, reporter)
    errors = (d for d in reporter.sorted() if d.severity is Severity.ERROR)  # a check tells the warnings
    for diagnostic in errors:
        sys.stderr.write(render(diagnostic, colour=sys.stderr.isatty()) + "\n")
    return USAGE if reporter.has_errors else OK


def _obligations(
    args: argparse.Namespace, target: Target, system: System, at: dict[str, int], reporter: Reporter
) -> None:
    found = Proofs(args.proofs).of(target)
    if not isinstance(found, Certificate):
        message = found or f"there is no certificate of '{target.name}'"
        reporter.error("E0618", message, None, "write one: 'spte prove --reprove'")
        return
    sections = [s for s in found.sections if not isinstance(s, Unbounded | Exhaustive)]
    mine = [s for s in sections if any(dict(sizes_) == at for sizes_, _ in s.cores)]
    if not mine:
        known = [_shown(dict(row)) for s in found.sections for row, *_ in s.cores]
        help_ = f"there is one for {'; '.join(dict.fromkeys(known))}" if known else None
        reporter.error("E0618", f"the certificate says nothing of {_shown(at)}", None, help_)
        return
    try:
        sys.stdout.write(export(system, mine, target.name))
    except Unreadable as why:
        reporter.error("E0618", f"the certificate is refused: {why}", None, AGAIN)


def _model(to: str, target: Target, system: System, reporter: Reporter) -> None:
    try:
        made = ground(system)
        left_out = [f"left out: {name} ({why})" for name, why in made.left_out]
        about = [
            f"{target.name} at {_shown(dict(system.sizes))}",
            f"made of the rules that 'spte show' prints; their fingerprint: {digest(system)}",
            *_RUN[to],
            *left_out,
        ]
        sys.stdout.write(_WRITERS[to](made, about))
        sys.stderr.writelines(f"{escape(line)}\n" for line in left_out)
    except Unfit as why:
        reporter.error(
            "E0622", f"'{target.name}' cannot be told in {to.capitalize()} at this size: {why}", None,
            why.remedy,
        )  # fmt: skip


def _shown(at: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in at.items()) or "its one size"
