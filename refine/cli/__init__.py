"""The command line: the only room that touches argv and standard output."""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; whatever happens, it ends with a sentence and an honest exit status."""
    from refine.cli.args import parse
    from refine.cli.status import CONTRADICTION, UNKNOWN

    gc.set_threshold(
        50_000
    )  # trees and terms stay: looking through them more often takes a tenth of a small check

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(parse(argv))
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody listens any more; what Python flushes at its end would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNKNOWN
    except KeyboardInterrupt:
        sys.stderr.write("spte: interrupted\n")
        return UNKNOWN
    except Exception as error:  # noqa: BLE001  (the boundary: what no one expected becomes one sentence)
        from refine.cli.trouble import details, sentence

        sys.stderr.write(f"spte: {sentence(error)}\n{details(error)}")
        return CONTRADICTION
    return status


def _run(args: argparse.Namespace) -> int:
    """Do what is asked. Each verb loads only what it needs."""
    match args.verb:
        case "check":
            from refine.cli.check import check

            return check(args)
        case "prove":
            from refine.cli.check import prove

            return prove(args)
        case "audit":
            from refine.cli.audit import audit

            return audit(args)
        case "report":
            from refine.cli.report import report

            return report(args)
        case "ask":
            from refine.cli.ask import ask

            return ask(args)
        case "export":
            from refine.cli.export import run as export

            return export(args)
        case "show":
            from refine.cli.show import show

            return show(args)
        case "fmt":
            from refine.cli.fmt import fmt

            return fmt(args)
        case "explain":
            from refine.cli.explain import explain

            return explain(args)
        case "new":
            from refine.cli.new import new

            return new(args)
        case _:
            raise AssertionError("argparse knows no other verb")
