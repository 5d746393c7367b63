"""The command line's grammar: one verb for each question, with its own help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from refine.cli.shard import WHOLE, shard
from refine.text.diag import escape

USAGE = 2

_STATUS = """\
exit status: 0 all as declared; 1 something is not (violated, vacuous); 2 usage or
specification error; 3 unknown, out of time, or only 'up to k steps' where a proof
was asked for; 4 the tool contradicts itself
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the user's own text made visible."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and leave."""
        sys.stderr.write(f"{escape(self.prog)}: {escape(message)}\n{escape(self.prog)} --help tells more\n")
        sys.exit(USAGE)


class Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> NoReturn:
        """Print the version, and leave."""
        del namespace, values, option_string
        sys.stdout.write(f"{parser.prog} {version()}\n")
        sys.exit(0)


def version() -> str:
    """The version that is installed, as its metadata says."""
    from importlib import metadata

    try:
        return metadata.version("spte-refine")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; what is wrong with it ends the program with status 2."""
    return parser().parse_args(argv)


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="spte",
        description="Check the page-table protocols of Linux KVM.",
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action=Version, nargs=0, help="print the version")
    # With its name given, argparse need not lay out a usage line to find it, which loads half of the library.
    verbs = top.add_subparsers(prog=top.prog, dest="verb", metavar="VERB", required=True, parser_class=Parser)

    check = _verb(verbs, "check", "check at the default sizes", "Check every claim at the default sizes.")
    _specs(check)
    _questions(check)
    _reports(check)
    _shard(check)
    prove = _verb(verbs, "prove", "check at every size", "Check every claim at every size that counts.")
    _specs(prove)
    _questions(prove)
    _reports(prove)
    _shard(prove)
    _proofs(prove)

    audit = _verb(
        verbs, "audit", "what each step is good for",
        "Prove, and say what each flush, kick, lock, guard and assumption is good for.",
    )  # fmt: skip
    _specs(audit)
    _questions(audit)
    _reports(audit)
    _shard(audit)
    _proofs(audit)
    audit.add_argument(
        "--all-sizes", action="store_true", help="make the map at every size, not only the default"
    )
    audit.add_argument(
        "--systematic",
        action="store_true",
        help="also delete, negate, weaken and swap everything; list what survives",
    )
    audit.add_argument("--triples", action="store_true", help="drop three reasons together, too")

    report = _verb(
        verbs, "report", "what became of each statement",
        "Prove, and write the ledger: a page of Markdown with what became of each statement that is cited.",
    )  # fmt: skip
    _specs(report)
    report.add_argument(
        "-o", "--output", metavar="FILE", type=Path,
        help="write the page there, and tell the proof (default: print the page)",
    )  # fmt: skip
    report.add_argument(
        "--statements", metavar="FILE", type=Path,
        help="the list of all statements (default: statements.toml in a folder that is given)",
    )  # fmt: skip
    _include(report)
    _effort(report)
    _certificates(report)
    # The page speaks of whole proofs.
    report.set_defaults(
        claim=[], size=[], engine="auto", steps=None, timeout=None, no_symmetry=False, runs=False, json=False,
        junit=None, github=False, shard=WHOLE, reprove=False,
    )  # fmt: skip

    ask = _verb(
        verbs, "ask", "what if",
        "Try one change: print whether the claims are still proved, or the run that breaks them.",
    )  # fmt: skip
    ask.add_argument("file", metavar="FILE")
    ask.add_argument("--drop", metavar="X", action="append", default=[], help="relax a protective element")
    ask.add_argument(
        "--weaken",
        metavar=("X", "to", "Y"),
        nargs=3,
        action="append",
        default=[],
        help="call Y in the place of X",
    )
    ask.add_argument(
        "--delete", metavar="X", action="append", default=[], help="take out a step, label or call"
    )
    ask.add_argument("--swap", metavar=("X", "Y"), nargs=2, action="append", default=[], help="change places")
    ask.add_argument(
        "--yield-at",
        metavar="Z",
        action="append",
        default=[],
        help="perhaps drop all locks before step Z, and retake them",
    )
    ask.add_argument(
        "--set", metavar="NAME=N", type=_size, action="append", default=[], help="another parameter"
    )
    ask.add_argument("--mutant", metavar="NAME", action="append", default=[], help="a mutant of the file")
    ask.add_argument("--variant", metavar="NAME", action="append", default=[], help="a variant of the file")
    _questions(ask)

    show = _verb(verbs, "show", "print the guarded rules", "Print the guarded rules of a specification.")
    show.add_argument("file", metavar="FILE")
    _sizes(show)
    _include(show)

    export = _verb(
        verbs, "export", "for other solvers and checkers",
        "Write what a certificate obliges to as SMT-LIB 2, questions each to be found unsatisfiable; or the protocol "
        "at one size, for SPIN or rumur.",
    )  # fmt: skip
    export.add_argument("file", metavar="FILE")
    export.add_argument("--to", choices=("smt2", "promela", "murphi"), default="smt2", help="(default: smt2)")
    _certificates(export)
    _sizes(export)
    _include(export)

    fmt = _verb(verbs, "fmt", "lay out in the one way", "Lay specifications out in the one way, in place.")
    _specs(fmt)
    fmt.add_argument("--check", action="store_true", help="only say what would change; status 1 if anything")

    explain = _verb(verbs, "explain", "what a code means", "Print what a diagnostic's code means.")
    explain.add_argument("code", metavar="CODE", nargs="?", help="as E0101; without one, all are listed")

    new = _verb(verbs, "new", "start a specification", "Write a small commented specification to start from.")
    new.add_argument(
        "name", metavar="NAME|PATH", help="what it describes, as 'my_lock' or 'spec/my_lock.spte'"
    )
    return top


def _verb(
    verbs: argparse._SubParsersAction[Parser],
    name: str,
    help_: str,
    description: str,
) -> Parser:
    return verbs.add_parser(
        name,
        help=help_,
        description=description,
        allow_abbrev=False,
        epilog=_STATUS if name in ("check", "prove", "audit", "report", "ask") else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _specs(verb: Parser) -> None:
    verb.add_argument(
        "files",
        metavar="FILE|DIR",
        nargs="+",
        help="a specification, or a folder: all *.spte below it; what is not here may be a shipped one",
    )


def _include(verb: Parser) -> None:
    verb.add_argument(
        "-I",
        dest="include",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="where imports are found",
    )


def _sizes(verb: Parser) -> None:
    verb.add_argument(
        "--size", metavar="NAME=N", type=_size, action="append", default=[], help="the value of a parameter"
    )


def _questions(verb: Parser) -> None:
    verb.add_argument(
        "--claim", metavar="NAME", action="append", default=[], help="only this claim, lemma or reach"
    )
    _sizes(verb)
    verb.add_argument(
        "--engine",
        choices=("auto", "explore", "induct", "ic3", "bmc"),
        default="auto",
        help="auto: search, and where that is not enough induction, IC3, then bounded checking (default)",
    )
    verb.add_argument(
        "--steps", metavar="K", type=_natural, help="look no further than K steps; asks for no proof"
    )
    verb.add_argument(
        "--timeout", metavar="S", type=_seconds, help="seconds for each file at each size, and each item"
    )
    verb.add_argument(
        "--no-symmetry", action="store_true", help="do not factor out permutations of identities"
    )
    _include(verb)
    _effort(verb)
    verb.add_argument(
        "--runs", action="store_true", help="also show how each reach is reached, and where induction fails"
    )
    verb.add_argument("--json", action="store_true", help="one JSON object a line, instead of text")


def _effort(verb: Parser) -> None:
    verb.add_argument(
        "--states", metavar="N", type=_natural, default=5_000_000, help="search no more than N states"
    )
    verb.add_argument("--jobs", metavar="N", type=_natural, help="processes (default: one for each CPU)")
    verb.add_argument(
        "--no-cache", action="store_true", help="decide everything anew (the default where CI is set)"
    )


def _reports(verb: Parser) -> None:
    verb.add_argument("--junit", metavar="FILE", type=Path, help="also write a JUnit report")
    verb.add_argument(
        "--github",
        action="store_true",
        help="also print annotations for GitHub (default under GitHub Actions)",
    )


def _shard(verb: Parser) -> None:
    verb.add_argument(
        "--shard",
        metavar="I/N",
        type=shard,
        default=WHOLE,
        help="only part I of N of the work, for N machines; its verdicts speak of the sizes that it lists",
    )


def _certificates(verb: Parser) -> None:
    verb.add_argument(
        "--proofs",
        metavar="DIR",
        type=Path,
        help="where certificates are (default: beside the specifications)",
    )


def _proofs(verb: Parser) -> None:
    _certificates(verb)
    verb.add_argument(
        "--reprove",
        action="store_true",
        help="prove from nothing, and write the certificates anew",
    )


def _natural(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or not 0 < len(text) < 10:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return value


def _size(text: str) -> tuple[str, int]:
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME=N")
    return name, _natural(value)
