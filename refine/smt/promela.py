"""A system as a Promela model, for SPIN: one process that repeats one indivisible option for each command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refine.smt.ground import TEMPORARY, Command, Ground, Scalar
from refine.smt.infix import Dialect, Infix

_DIALECT = Dialect("&&", "==", "true", "false", lambda c, a, b: f"({c} -> {a} : {b})")


def promela(system: Ground, about: Sequence[str]) -> str:
    """The text of a model; `about` is put at its head. Raises `Unfit`.

    Its states are those of the system, and the one from which an initial state is chosen.
    """
    infix = Infix(_DIALECT, system.scalars)
    lines = ["/*", *(f" * {line}" for line in about), " */", ""]
    lines += [f"{_type(s)} {s.name}; /* {s.source} */" for s in system.scalars]
    lines += [f"hidden {_type(s).replace('bool', 'byte')} {TEMPORARY}{s.name};" for s in system.scalars]
    lines += ["", "inline check() {", *_checked(system, infix), "}", "", "active proctype system() {", "  if"]
    for start in system.starts:
        lines.append("  :: d_step {")
        lines += [f"       {s.name} = {v};" for s, v in zip(system.scalars, start, strict=True) if v]
        lines += ["       check() }"]
    lines += ["  fi;", "  do"]
    for command in system.commands:
        lines += _option(command, infix)
    if not system.commands:
        lines.append("  :: false -> skip")
    lines += ["  od", "}"]
    return "\n".join(lines) + "\n"


def _checked(system: Ground, infix: Infix) -> Iterator[str]:
    for name, cond in system.invariants:
        yield f"  assert({infix(cond)}); /* {name} */"
    yield "  skip"


def _option(command: Command, infix: Infix) -> Iterator[str]:
    yield f"  :: d_step {{ /* {command.name} */"
    yield f"       {infix(command.guard)} ->"
    for place, cond in command.undefined:
        yield f"       assert(!({infix(cond)})); /* undefined: {place} */"
    for claim, cond in command.checks:
        yield f"       assert({infix(cond)}); /* {claim} */"
    yield from (f"       {TEMPORARY}{s.name} = {infix(x)};" for s, x in command.updates)
    yield from (f"       {s.name} = {TEMPORARY}{s.name};" for s, _ in command.updates)
    yield "       check() }"


def _type(s: Scalar) -> str:
    if s.truth:
        return "bool"
    if s.lo >= 0 and s.hi < 1 << 8:
        return "byte"
    return "short" if s.lo >= -(1 << 15) and s.hi < 1 << 15 else "int"
