"""Values of any type as first-order terms, where a type of identities is a sort of any number of elements.

What is declared for them is kept in the order in which it was first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from refine.core.types import (
    Array,
    Bool,
    Enum,
    Index,
    IndexKind,
    Int,
    Option,
    Set,
    Struct,
    Thread,
    Type,
    default,
    domain_values,
)
from refine.export.logic import FALSE, TRUE, Sentences, Term

# A term for a scalar; a pair for an option; a function for a set or an array; a tuple for a struct or a thread.
Sym: TypeAlias = Any


class Refused(Exception):
    """Something that is not the same for any number of elements, in words."""


class Values:
    """Makes values, and knows the sorts, datatypes and functions that they are made of."""

    def __init__(self, sentences: Sentences) -> None:
        self._s = sentences
        self._declared: dict[str, tuple[tuple[str, ...], str]] = {}
        self._enums: dict[str, Enum] = {}
        self._sorts: dict[str, Index] = {}
        self._fresh = 0

    @property
    def types(self) -> tuple[str, ...]:
        """The types of identities of which there may be any number."""
        return tuple(index.name for index in self._sorts.values())

    def declarations(self) -> list[str]:
        """All that was declared, as SMT-LIB 2."""
        lines = [f"(declare-sort {sort} 0)" for sort in self._sorts]
        for name, enum in self._enums.items():
            members = " ".join(f"({_quoted(f'{enum.name}.{m}')})" for m in enum.members)
            lines.append(f"(declare-datatypes (({name} 0)) (({members})))")
        lines += [
            f"(declare-fun {n} ({' '.join(args)}) {result})" for n, (args, result) in self._declared.items()
        ]
        return lines

    def functions(self) -> Iterator[tuple[str, str]]:
        """From which sort a function leads to which."""
        for args, result in self._declared.values():
            yield from ((a, result) for a in args)

    def unbounded(self, sort: str) -> bool:
        """Whether a sort has any number of elements."""
        return sort in self._sorts

    # --- making ---------------------------------------------------------------------------------------------

    def _sort(self, type_: Type) -> str:
        match type_:
            case Bool():
                return "Bool"
            case Int():
                return "Int"
            case Enum(name, _):
                self._enums[_quoted(name)] = type_
                return _quoted(name)
            case Index(name, _, IndexKind.INDEX):
                self._sorts[_quoted(name)] = type_
                return _quoted(name)
            case _:
                raise Refused(f"{type_}, whose elements have an order or a number")

    def constant(self, name: str, type_: Type) -> Term:
        self._fresh += 1
        text = _quoted(f"{name}!{self._fresh}")
        self._declared[text] = ((), self._sort(type_))
        return text

    def any_(self, type_: Type) -> Sym:
        """Some value, which nothing depends on."""
        match type_:
            case Bool():
                return FALSE
            case Enum() | Int():
                return next(iter(self.all_of(type_)))
            case Index():
                sort = self._sort(type_)
                name = _quoted(f"any {type_.name}")
                self._declared[name] = ((), sort)
                return name
            case Option(item):
                return (FALSE, self.any_(item))
            case Set():
                return lambda _key: FALSE
            case Array(_, item):
                return lambda _key: self.any_(item)
            case Struct(_, fields):
                return tuple(self.any_(t) for _, t in fields)
            case Thread(parts):
                return (0, tuple(None if p.index is None else self.any_(p.index) for p in parts))
            case _:
                raise Refused(f"values of type {type_}")

    def default(self, type_: Type) -> Sym:
        """The value before the initial action. What would be a first element is never read: types are symmetric."""
        return self.any_(type_)

    def variable(self, name: str, type_: Type, over: tuple[Term, ...], sorts: tuple[str, ...] = ()) -> Sym:
        """A variable under the indices `over`, of the sorts `sorts`."""
        match type_:
            case Bool() | Int() | Enum() | Index():
                text = _quoted(name)
                self._declared.setdefault(text, (sorts, self._sort(type_)))
                return self._s.app(text, *over)
            case Option(item):
                flag = self.variable(f"{name}?", Bool(), over, sorts)
                return (flag, self.variable(f"{name}!", item, over, sorts))
            case Set(item):
                return lambda key: self._under(f"{name}", item, Bool(), over, sorts, key)
            case Array(dom, item):
                return lambda key: self._under(f"{name}", dom, item, over, sorts, key)
            case Struct(_, fields):
                return tuple(self.variable(f"{name}.{f}", t, over, sorts) for f, t in fields)
            case Thread(parts):
                tags = tuple(self.variable(f"{name}:{p.name}", Bool(), over, sorts) for p in parts[1:])
                members = tuple(
                    None if p.index is None else self.variable(f"{name}:{p.name}!", p.index, over, sorts)
                    for p in parts
                )
                return (tags, members)
            case _:
                raise Refused(f"`{name}` of type {type_}")

    def _under(
        self, name: str, dom: Type, item: Type, over: tuple[Term, ...], sorts: tuple[str, ...], key: Sym
    ) -> Sym:
        """An entry: of an array over threads, one function for each family."""
        if not isinstance(dom, Thread):
            if isinstance(dom, Int):
                raise Refused(f"`{name}` is arranged by numbers")
            return self.variable(name, item, (*over, key), (*sorts, self._sort(dom)))
        cases = []
        for n, part in enumerate(dom.parts):
            below = (*over, key[1][n]) if part.index is not None else over
            under = (*sorts, self._sort(part.index)) if part.index is not None else sorts
            cases.append(self.variable(f"{name}@{part.name}", item, below, under))
        found = cases[-1]
        for n in reversed(range(len(cases) - 1)):
            found = self.merge(item, self._is(key, n), cases[n], found)
        return found

    def _is(self, who: Sym, part: int) -> Term:
        """Whether a thread is of a family. Tags are exclusive from the last one on: the first that holds counts."""
        tags = who[0]
        if isinstance(tags, int):
            return TRUE if tags == part else FALSE
        mine = TRUE if part == 0 else tags[part - 1]
        later = tags[part:]
        return self._s.and_((mine, *(self._s.not_(t) for t in later)))

    def all_of(self, type_: Type) -> list[Term]:
        match type_:
            case Bool():
                return [FALSE, TRUE]
            case Enum(name, members):
                self._sort(type_)
                return [_quoted(f"{name}.{m}") for m in members]
            case Int(lo, hi) if lo is not None and hi is not None:
                return [_number(n) for n in range(lo, hi + 1)]
            case _:
                raise Refused(f"all values of type {type_}")

    # --- using ----------------------------------------------------------------------------------------------

    def narrow(self, type_: Type, value: Term) -> Term:
        assert isinstance(type_, Int) and type_.lo is not None and type_.hi is not None, "bounds"
        first = default(type_)
        assert isinstance(first, int), "the default of a number is one"
        lo, hi = _number(type_.lo), _number(type_.hi)
        inside = self._s.and_((self._s.app("<=", lo, value), self._s.app("<=", value, hi)))
        return self._s.ite(inside, value, _number(first))

    def literal(self, type_: Type, value: object) -> Sym:
        """A constant; one that tells elements apart is refused."""
        match type_:
            case Bool():
                return TRUE if value else FALSE
            case Int() if isinstance(value, int):
                return _number(value)
            case Enum() if isinstance(value, int):
                return self.all_of(type_)[value]
            case Option(item):
                return (FALSE, self.any_(item)) if value is None else (TRUE, self.literal(item, value))
            case Set(item) if isinstance(value, frozenset):
                return self._literal_set(item, value)
            case Array(_, item) if isinstance(value, tuple) and len(set(value)) == 1:
                entry = self.literal(item, value[0])
                return lambda _key: entry
            case Struct(_, fields) if isinstance(value, tuple):
                return tuple(self.literal(t, v) for (_, t), v in zip(fields, value, strict=True))
            case Thread(parts) if isinstance(value, int):
                part, _ = type_.locate(value)
                if parts[part].index is None:
                    return (part, tuple(None if p.index is None else self.any_(p.index) for p in parts))
                raise Refused("a constant that names a thread by its number")
            case _:
                raise Refused(f"a constant of type {type_}")

    def _literal_set(self, item: Type, value: frozenset[Any]) -> Sym:
        if not value:
            return lambda _key: FALSE
        match item:
            case Index(_, n) if len(value) == n and n > 1:
                return lambda _key: TRUE
            case Enum() | Bool():
                chosen = [self.literal(item, v) for v in sorted(value)]
                return lambda key: self._s.or_(self.equal(item, key, c) for c in chosen)
            case Thread(parts):
                whole = []
                for n, part in enumerate(parts):
                    first = item.offset(n)
                    mine = [v for v in value if first <= v < first + part.size]
                    if mine and (len(mine) < part.size or (part.index is not None and part.size == 1)):
                        raise Refused("a constant set that tells threads apart")
                    whole.append(bool(mine))
                return lambda key: self._s.or_(self._is(key, n) for n, w in enumerate(whole) if w)
            case _:
                raise Refused(f"a constant set of {item}")

    def equal(self, type_: Type, x: Sym, y: Sym) -> Term:
        s = self._s
        match type_:
            case Bool() | Int() | Enum() | Index():
                return s.eq(x, y)
            case Option(item):
                same = s.or_((s.not_(x[0]), self.equal(item, x[1], y[1])))
                return s.and_((s.eq(x[0], y[0]), same))
            case Set(item):
                return self.for_all(item, lambda key: s.eq(x(key), y(key)))
            case Array(dom, item):
                return self.for_all(dom, lambda key: self.equal(item, x(key), y(key)))
            case Struct(_, fields):
                return s.and_(self.equal(t, a, b) for (_, t), a, b in zip(fields, x, y, strict=True))
            case Thread(parts):
                cases = []
                for n, part in enumerate(parts):
                    both = [self._is(x, n), self._is(y, n)]
                    if part.index is not None:
                        both.append(s.eq(x[1][n], y[1][n]))
                    cases.append(s.and_(both))
                return s.or_(cases)
            case _:
                raise Refused(f"a comparison of values of type {type_}")

    def merge(self, type_: Type, c: Term, x: Sym, y: Sym) -> Sym:
        """`c ? x : y` of any type."""
        if c in (TRUE, FALSE):
            return x if c == TRUE else y
        s = self._s
        match type_:
            case Bool() | Int() | Enum() | Index():
                return s.ite(c, x, y)
            case Option(item):
                return (s.ite(c, x[0], y[0]), self.merge(item, c, x[1], y[1]))
            case Set():
                return lambda key: s.ite(c, x(key), y(key))
            case Array(_, item):
                return lambda key: self.merge(item, c, x(key), y(key))
            case Struct(_, fields):
                triples = zip(fields, x, y, strict=True)
                return tuple(self.merge(t, c, a, b) for (_, t), a, b in triples)
            case Thread(parts):
                tags = [s.ite(c, self._is(x, n), self._is(y, n)) for n in range(1, len(parts))]
                members = tuple(
                    None if p.index is None else s.ite(c, a, b)
                    for p, a, b in zip(parts, x[1], y[1], strict=True)
                )
                return (tags, members)
            case _:
                raise Refused(f"a choice between values of type {type_}")

    def for_all(self, type_: Type, body: Callable[[Sym], Term]) -> Term:
        """Whether `body` is true of all values of a type."""
        s = self._s
        match type_:
            case Index():
                self._fresh += 1
                name, sort = _quoted(f"{type_.name}${self._fresh}"), self._sort(type_)
                return s.forall(((name, sort),), body(name))
            case Bool() | Enum():
                return s.and_(body(v) for v in self.all_of(type_))
            case Int():
                return s.and_(body(_number(n)) for n in domain_values(type_))
            case Thread(parts):
                made = []
                for n, part in enumerate(parts):
                    others = [None if p.index is None else self.any_(p.index) for p in parts]
                    if part.index is None:
                        made.append(body((n, tuple(others))))
                        continue

                    def one(key: Sym, n: int = n, others: Sequence[Sym] = tuple(others)) -> Term:
                        members = tuple(key if k == n else other for k, other in enumerate(others))
                        return body((n, members))

                    made.append(self.for_all(part.index, one))
                return s.and_(made)
            case _:
                raise Refused(f"all values of type {type_}")


def _quoted(name: str) -> str:
    return f"|{name.replace('|', '/')}|"


def _number(n: int) -> str:
    return str(n) if n >= 0 else f"(- {-n})"
