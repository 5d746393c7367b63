"""A fingerprint of a system: equal exactly where all is equal that an engine could see."""

from __future__ import annotations

import hashlib

from refine.core.expr import Binder, Expr
from refine.core.fold import subterms
from refine.core.system import Rule, System


def digest(system: System) -> str:
    """SHA-256 over variables, actions and properties, in hexadecimal; texts, and places in files, are no part of it."""
    lines: list[str] = []
    numbers: dict[Expr, int] = {}

    def number(x: Expr) -> int:
        for y in subterms((x,)):
            if y not in numbers:
                args = " ".join(str(numbers[a]) for a in y.args)
                numbers[y] = len(numbers)
                lines.append(f"{y.op.value} {y.type!r} {_data(y)} ({args})")
        return numbers[x]

    def rule(r: Rule) -> None:
        wheres = [(number(w.cond), w.assume) for w in r.wheres]
        faults = [(number(f.cond), f.place) for f in r.faults]
        updates = [(name, number(x)) for name, x in r.updates]
        lines.append(
            f"rule {r.name!r} {r.params!r} {number(r.guard)} {r.choices!r} {wheres} {faults} {updates} "
            f"{r.actor} {r.step!r} {r.fair!r}"
        )

    lines.append(f"system {system.name!r} {system.sizes!r}")
    lines += [f"var {v.name!r} {v.type!r}" for v in system.vars]
    for r in (system.init, *system.rules):
        rule(r)
    lines += [f"assume {a.name!r} {number(a.cond)}" for a in system.assumes]
    lines += [f"place {p.rule!r} {p.what!r}" for p in system.places]
    for f in system.families:
        lines.append(f"family {f.name!r} {f.index!r} {f.pc!r} {sorted(f.done)} {sorted(f.idle)} {f.fair!r}")
    for p in system.properties:
        given = None if p.given is None else number(p.given)
        lines.append(
            f"property {p.name!r} {p.kind.value} {number(p.cond)} {p.of!r} {p.places!r} {given} {p.each!r}"
        )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _data(x: Expr) -> str:
    """What a node carries; a set in the order of its members, whatever the order that Python keeps them in."""
    if isinstance(x.data, Binder):
        return repr(x.data)
    return _value(x.data)


def _value(value: object) -> str:
    match value:
        case frozenset():
            return "{" + ", ".join(sorted(map(_value, value))) + "}"
        case tuple():
            return "(" + ", ".join(map(_value, value)) + ")"
        case _:
            return repr(value)
