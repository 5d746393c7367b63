"""Formulas of many-sorted first-order logic with quantifiers, as plain data: built folded, printed as SMT-LIB 2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

# A name, or an operator with its arguments; a quantifier's first argument is its bound names with their sorts.
Term: TypeAlias = "str | tuple[object, ...]"

TRUE, FALSE = "true", "false"


class Sentences:
    """Makes terms; equal ones are one object."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], tuple[object, ...]] = {}

    def app(self, name: str, *args: Term) -> Term:
        key = (name, *args)
        return self._made.setdefault(key, key) if args else name

    def not_(self, x: Term) -> Term:
        if x in (TRUE, FALSE):
            return FALSE if x == TRUE else TRUE
        if isinstance(x, tuple) and x[0] == "not":
            inner = x[1]
            assert isinstance(inner, str | tuple), "an argument is a term"
            return inner
        return self.app("not", x)

    def and_(self, xs: Iterable[Term]) -> Term:
        kept: dict[Term, None] = {}
        for x in xs:
            if x == FALSE:
                return FALSE
            if x != TRUE:
                kept[x] = None
        return self.app("and", *kept) if len(kept) > 1 else next(iter(kept), TRUE)

    def or_(self, xs: Iterable[Term]) -> Term:
        return self.not_(self.and_([self.not_(x) for x in xs]))

    def eq(self, x: Term, y: Term) -> Term:
        """Equality of scalars of one sort, truth values too."""
        if x == y:
            return TRUE
        for this, other in ((x, y), (y, x)):
            if this == TRUE:
                return other
            if this == FALSE:
                return self.not_(other)
        return self.app("=", x, y)

    def ite(self, c: Term, x: Term, y: Term) -> Term:
        if c == TRUE or x == y:
            return x
        if c == FALSE:
            return y
        if x in (TRUE, FALSE) or y in (TRUE, FALSE):
            return self.and_((self.or_((self.not_(c), x)), self.or_((c, y))))
        return self.app("ite", c, x, y)

    def forall(self, bound: tuple[tuple[str, str], ...], body: Term) -> Term:
        if body in (TRUE, FALSE) or not bound:
            return body  # no sort is empty
        key = ("forall", bound, body)
        return self._made.setdefault(key, key)

    def exists(self, bound: tuple[tuple[str, str], ...], body: Term) -> Term:
        return self.not_(self.forall(bound, self.not_(body)))


def show(x: Term, shared: Mapping[Term, str] | None = None) -> str:
    """The text of a term."""
    if isinstance(x, str):
        return x
    if shared and x in shared:
        return shared[x]
    name, *args = x
    if name == "forall":
        bound, body = args
        assert isinstance(bound, tuple) and isinstance(body, str | tuple), "a quantifier has names and a body"
        names = " ".join(f"({n} {sort})" for n, sort in bound)
        return f"(forall ({names}) {show(body, shared)})"
    return f"({name} {' '.join(show(a, shared) for a in args if isinstance(a, str | tuple))})"


def size(x: Term) -> int:
    """How many nodes the text of a term has."""
    known: dict[Term, int] = {}
    stack = [x]
    while stack:
        here = stack[-1]
        if here in known:
            stack.pop()
            continue
        if isinstance(here, str):
            known[here] = 1
            continue
        below = [a for a in here[1:] if isinstance(a, str | tuple) and a != () and not _binding(a)]
        missing = [a for a in below if a not in known]
        if missing:
            stack.extend(missing)
            continue
        known[here] = 1 + sum(known[a] for a in below)
    return known[x]


def _binding(x: object) -> bool:
    return isinstance(x, tuple) and bool(x) and isinstance(x[0], tuple) and len(x[0]) == 2


def alternations(x: Term, demanded: bool) -> set[tuple[str, str]]:
    """The pairs of sorts, the second under an `exists` that depends on a `forall` over the first.

    `demanded`: whether the formula is to hold, or to be false.
    """
    edges: set[tuple[str, str]] = set()
    free = _Free()
    seen: set[tuple[Term, bool, frozenset[tuple[str, str]]]] = set()
    stack: list[tuple[Term, bool, frozenset[tuple[str, str]]]] = [(x, demanded, frozenset())]
    while stack:
        here, positive, over = stack.pop()
        if isinstance(here, str):
            continue
        over = frozenset(pair for pair in over if pair[0] in free(here))
        if (here, positive, over) in seen:
            continue
        seen.add((here, positive, over))
        name, *args = here
        if name == "forall":
            bound, body = args
            assert isinstance(bound, tuple) and isinstance(body, str | tuple), "names and a body"
            if positive:
                over |= frozenset(bound)
            else:
                edges |= {(a, b) for _, a in over for _, b in bound}
            stack.append((body, positive, over))
            continue
        for n, arg in enumerate(args):
            assert isinstance(arg, str | tuple), "an argument is a term"
            if name == "not":
                stack.append((arg, not positive, over))
            elif name == "and" or (name == "ite" and n):
                stack.append((arg, positive, over))
            else:  # below an equality, a condition or a function
                stack += [(arg, True, over), (arg, False, over)]
    return edges


class _Free:
    """The names that a term has; of those that it binds itself, none is bound elsewhere."""

    def __init__(self) -> None:
        self._known: dict[Term, frozenset[str]] = {}

    def __call__(self, root: Term) -> frozenset[str]:
        stack = [root]
        while stack:
            x = stack[-1]
            if x in self._known:
                stack.pop()
                continue
            if isinstance(x, str):
                self._known[x] = frozenset([x])
                continue
            below = [a for a in x[1:] if isinstance(a, str | tuple) and not _binding(a)]
            missing = [a for a in below if a not in self._known]
            if missing:
                stack.extend(missing)
                continue
            self._known[x] = frozenset().union(*(self._known[a] for a in below))
        return self._known[root]


def cyclic(edges: Iterable[tuple[str, str]]) -> bool:
    """Whether some sort leads to itself."""
    after: dict[str, set[str]] = {}
    for a, b in edges:
        after.setdefault(a, set()).add(b)
    for start, first in after.items():
        seen: set[str] = set()
        todo = [*first]
        while todo:
            here = todo.pop()
            if here == start:
                return True
            if here not in seen:
                seen.add(here)
                todo += after.get(here, ())
    return False
