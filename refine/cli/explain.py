"""`spte explain`: the page of a diagnostic's code, or the list of all codes."""

from __future__ import annotations

import argparse
import sys

from refine.cli.status import OK, USAGE
from refine.text import codes
from refine.text.diag import escape, suggest


def explain(args: argparse.Namespace) -> int:
    """Print one page, or all titles."""
    if args.code is None:
        sys.stdout.write("".join(f"{code}  {title}\n" for code, title in codes.codes().items()))
        return OK
    code = args.code.strip("[]").upper()
    if not codes.is_registered(code):
        near = suggest(code, codes.codes())
        help_ = f"did you mean {near}? " if near else ""
        sys.stderr.write(
            f"spte: there is no code '{escape(args.code)}'; {help_}spte explain lists them all\n"
        )
        return USAGE
    sys.stdout.write(codes.page(code))
    return OK
