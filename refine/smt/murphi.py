"""A system as a Murphi model, for rumur and its kin: a rule for each command, a start state for each initial one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refine.smt.ground import TEMPORARY, Command, Ground, Scalar
from refine.smt.infix import Dialect, Infix

_DIALECT = Dialect("&", "=", "true", "false", lambda c, a, b: f"({c} ? {a} : {b})")


def murphi(system: Ground, about: Sequence[str]) -> str:
    """The text of a model; `about` is put at its head. Raises `Unfit`."""
    infix = Infix(_DIALECT, system.scalars)
    lines = [*(f"-- {line}" for line in about), "", "var"]
    lines += [f"  {s.name}: {_type(s)}; -- {s.source}" for s in system.scalars]
    for n, start in enumerate(system.starts):
        lines += ["", f'startstate "{n}"', "begin"]
        lines += [f"  {s.name} := {_value(s, v)};" for s, v in zip(system.scalars, start, strict=True)]
        lines.append("end;")
    for command in system.commands:
        lines += ["", *_rule(command, infix)]
    if not system.commands:
        lines += ["", 'rule "none"', "  false", "==>", "begin", "end;"]
    for name, cond in system.invariants:
        lines += ["", f'invariant "{name}"', f"  {infix(cond)};"]
    return "\n".join(lines) + "\n"


def _rule(command: Command, infix: Infix) -> Iterator[str]:
    yield f'rule "{_quoted(command.name)}"'
    yield f"  {infix(command.guard)}"
    yield "==>"
    new = [(s, f"{TEMPORARY}{s.name}", infix(x)) for s, x in command.updates]
    if new:
        yield "var"
        yield from (f"  {name}: {_type(s)};" for s, name, _ in new)
    yield "begin"
    for place, cond in command.undefined:
        yield f'  if {infix(cond)} then error "undefined: {_quoted(place)}"; end;'
    for claim, cond in command.checks:
        yield f'  if !({infix(cond)}) then error "{claim}"; end;'
    yield from (f"  {name} := {text};" for _, name, text in new)
    yield from (f"  {s.name} := {name};" for s, name, _ in new)
    yield "end;"


def _quoted(text: str) -> str:
    return text.replace('"', "'")


def _type(s: Scalar) -> str:
    return "boolean" if s.truth else f"{s.lo}..{s.hi}"


def _value(s: Scalar, value: int) -> str:
    return str(value) if not s.truth else "true" if value else "false"
