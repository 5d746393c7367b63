"""Terms as infix text for languages of guarded commands; what their operators have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from refine.smt.ground import Unfit
from refine.smt.term import BIT, Term, TermOp, below

LONGEST = 200_000  # characters of one expression: shared terms are written again each time


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs: the signs of some operators, and how a choice between two values is written."""

    and_: str
    equal: str
    true: str
    false: str
    choice: Callable[[str, str, str], str]


class Infix:
    """Writes terms; `names` are those of the inputs."""

    def __init__(self, dialect: Dialect, names: Mapping[Term, str]) -> None:
        self._dialect = dialect
        self._made: dict[Term, str] = dict(names)

    def __call__(self, root: Term) -> str:
        """The text of a term, in parentheses where it has operators. Raises `Unfit` where it is too long."""
        for x in below((root,), self._made):
            self._made[x] = self._applied(x, [self._made[a] for a in x.args])
            if len(self._made[x]) > LONGEST:
                raise Unfit(f"one of its conditions is longer than {LONGEST} characters")
        return self._made[root]

    def _applied(self, x: Term, args: list[str]) -> str:
        d = self._dialect
        match x.op, args:
            case TermOp.CONST, _ if x.width == BIT:
                return d.true if x.data else d.false
            case TermOp.CONST, _:
                n = int(x.data) if isinstance(x.data, int) else 0
                return str(n) if n >= 0 else f"(0 - {-n})"
            case TermOp.NOT, [a]:
                return f"!{a}" if a.isidentifier() or a.startswith("(") else f"!({a})"
            case TermOp.AND, _:
                return f"({f' {d.and_} '.join(args)})"
            case TermOp.EQ, [a, b]:
                return f"({a} {d.equal} {b})"
            case TermOp.ITE, [c, a, b]:
                return d.choice(c, a, b)
            case ((TermOp.ULT | TermOp.SLT), [a, b]):
                return f"({a} < {b})"
            case ((TermOp.ADD | TermOp.MUL), [a, b]):
                return _wrapped(x, f"({a} {'+' if x.op is TermOp.ADD else '*'} {b})")
            case TermOp.SUB, [a, b]:
                return f"({a} - {b})" if x.width < 0 else _wrapped(x, f"({a} + {1 << x.width} - {b})")
            case TermOp.UDIV, [a, b]:
                return f"({a} / {b})"
            case TermOp.UREM, [a, b]:
                return f"({a} % {b})"
            case ((TermOp.FMOD | TermOp.FDIV), _) if not _positive(x.args[1]):
                raise Unfit("it divides by what is no positive constant")
            case TermOp.FMOD, [a, b]:
                return _remainder(a, b)
            case TermOp.FDIV, [a, b]:
                return f"(({a} - {_remainder(a, b)}) / {b})"
            case ((TermOp.ZEXT | TermOp.NAT), [a]):
                return a
            case TermOp.TRUNC, [a]:
                return f"({a} % {1 << x.width})"
            case ((TermOp.BITAND | TermOp.BITOR | TermOp.BITXOR), [a, b]):
                sign = {TermOp.BITAND: "&", TermOp.BITOR: "|", TermOp.BITXOR: "^"}[x.op]
                return f"({a} {sign} {b})"
            case TermOp.BITNOT, [a]:
                return f"({(1 << x.width) - 1} - {a})"
            case TermOp.SHL, [a, b]:
                return d.choice(f"({b} < {x.width})", _wrapped(x, f"({a} << {b})"), "0")
            case TermOp.SHR, [a, b]:
                return d.choice(f"({b} < {x.width})", f"({a} >> {b})", "0")
            case _:
                raise Unfit(f"it needs the operator {x.op.value}")


def _positive(x: Term) -> bool:
    return x.constant and isinstance(x.data, int) and x.data > 0


def _wrapped(x: Term, text: str) -> str:
    return text if x.width < 0 else f"({text} % {1 << x.width})"


def _remainder(a: str, b: str) -> str:
    """That of division which rounds down; that of these languages rounds to zero."""
    return f"((({a} % {b}) + {b}) % {b})"
