"""`spte show`: the guarded rules that a specification is lowered to, which are what the engines run."""

from __future__ import annotations

import argparse
import sys

from refine.cli.files import targets
from refine.cli.status import OK, USAGE
from refine.core.table import show_system
from refine.lang.load import load
from refine.lang.lower import lower
from refine.lang.sizes import sizes
from refine.text.diag import Reporter, escape, render


def show(args: argparse.Namespace) -> int:
    """Print the rules of each specification named."""
    reporter = Reporter()
    found = targets([args.file], reporter)
    for n, target in enumerate(found):
        if target.shipped:
            sys.stderr.write(f"{escape(target.name)}: not here, but shipped with spte\n")
        loaded = load(target.path, args.include, reporter)
        declared = sizes(loaded, reporter) if loaded else None
        if loaded is None or declared is None:
            continue
        system = lower(loaded, {**declared.default, **dict(args.size)}, reporter)
        if system is not None:
            sys.stdout.write(("\n" if n else "") + show_system(system))
    for diagnostic in reporter.sorted():
        sys.stderr.write(render(diagnostic, colour=sys.stderr.isatty()) + "\n")
    return USAGE if reporter.has_errors else OK
