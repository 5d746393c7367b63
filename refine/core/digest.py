"""Fingerprints of systems: equal exactly where all is equal that an engine could see."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence

from refine.core.expr import Binder, Expr
from refine.core.fold import subterms
from refine.core.system import Property, Rule, System
from refine.core.types import Array, Set, Struct, Type, cardinality

_SIZE = re.compile(r"(Index\(name='\w+', size=)\d+")


def digest(system: System) -> str:
    """SHA-256 over variables, actions and properties, in hexadecimal; texts, and places in files, are no part of it."""
    return _hash([f"system {system.name!r} {system.sizes!r}", *_lines(system, system.properties, _data)])


def skeleton(system: System, claims: Sequence[Property]) -> str:
    """The same of a system with some claims, but for how many elements its index types have."""
    lines = [f"system {system.name!r}", *_lines(system, claims, _shape)]
    return _hash([_SIZE.sub(r"\1any", line) for line in lines])


def _hash(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _lines(system: System, claims: Sequence[Property], data: Callable[[Expr], str]) -> Iterator[str]:
    lines: list[str] = []
    numbers: dict[Expr, int] = {}

    def number(x: Expr) -> int:
        for y in subterms((x,)):
            if y not in numbers:
                args = " ".join(str(numbers[a]) for a in y.args)
                numbers[y] = len(numbers)
                lines.append(f"{y.op.value} {y.type!r} {data(y)} ({args})")
        return numbers[x]

    def rule(r: Rule) -> None:
        wheres = [(number(w.cond), w.assume) for w in r.wheres]
        faults = [(number(f.cond), f.place) for f in r.faults]
        updates = [(name, number(x)) for name, x in r.updates]
        lines.append(
            f"rule {r.name!r} {r.params!r} {number(r.guard)} {r.choices!r} {wheres} {faults} {updates} "
            f"{r.actor} {r.step!r} {r.fair!r}"
        )

    lines += [f"var {v.name!r} {v.type!r}" for v in system.vars]
    for r in (system.init, *system.rules):
        rule(r)
    lines += [f"assume {a.name!r} {number(a.cond)}" for a in system.assumes]
    lines += [f"place {p.rule!r} {p.what!r}" for p in system.places]
    for f in system.families:
        lines.append(f"family {f.name!r} {f.index!r} {f.pc!r} {sorted(f.done)} {sorted(f.idle)} {f.fair!r}")
    for p in claims:
        given = None if p.given is None else number(p.given)
        lines.append(
            f"property {p.name!r} {p.kind.value} {number(p.cond)} {p.of!r} {p.places!r} {given} {p.each!r}"
        )
    yield from lines


def _data(x: Expr) -> str:
    """What a node carries; a set in the order of its members, whatever the order that Python keeps them in."""
    return repr(x.data) if isinstance(x.data, Binder) else _value(x.data)


def _shape(x: Expr) -> str:
    """What a node carries, where a set of all elements, and an array of one value, say no more than that."""
    if isinstance(x.data, Binder):
        return repr(x.data)
    return _plain(x.type, x.data)


def _plain(type_: Type, value: object) -> str:
    match type_:
        case Set(item) if isinstance(value, frozenset):
            return "all" if value and len(value) == cardinality(item) else _value(value)
        case Array(_, item) if isinstance(value, tuple):
            entries = [_plain(item, v) for v in value]
            return f"everywhere {entries[0]}" if len(set(entries)) == 1 else f"({', '.join(entries)})"
        case Struct(_, fields) if isinstance(value, tuple):
            return f"({', '.join(_plain(t, v) for (_, t), v in zip(fields, value, strict=True))})"
        case _:
            return _value(value)


def _value(value: object) -> str:
    match value:
        case frozenset():
            return "{" + ", ".join(sorted(map(_value, value))) + "}"
        case tuple():
            return "(" + ", ".join(map(_value, value)) + ")"
        case _:
            return repr(value)
