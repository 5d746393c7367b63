"""Terms as SMT-LIB 2 text: every shared term once, under a name of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from refine.smt.term import BIT, UNBOUNDED, Term, TermOp, below, signed, unsigned

_WORDS = {
    TermOp.NOT: "not", TermOp.AND: "and", TermOp.EQ: "=", TermOp.ITE: "ite", TermOp.ULT: "bvult", TermOp.UDIV: "bvudiv",
    TermOp.UREM: "bvurem", TermOp.BITAND: "bvand", TermOp.BITOR: "bvor", TermOp.BITXOR: "bvxor", TermOp.BITNOT: "bvnot",
    TermOp.SHL: "bvshl", TermOp.SHR: "bvlshr", TermOp.NAT: "bv2nat",
}  # fmt: skip
_BY_KIND = {  # of bit-vectors, of integers
    TermOp.SLT: ("bvslt", "<"), TermOp.ADD: ("bvadd", "+"), TermOp.SUB: ("bvsub", "-"), TermOp.MUL: ("bvmul", "*"),
}  # fmt: skip


def script(questions: Sequence[tuple[str, Sequence[Term]]]) -> str:
    """A script that asks, one after the other, whether some conditions can hold together; each with a comment."""
    lines = [f"(set-logic {'ALL' if _exact(x for _, given in questions for x in given) else 'QF_BV'})"]
    named: dict[Term, str] = {}
    for comment, given in questions:
        lines += [f"; {comment}", *(_defined(given, named)), "(push 1)"]
        lines += [f"(assert {named[x]})" for x in given]
        lines += ["(check-sat)", "(pop 1)"]
    return "\n".join(lines) + "\n"


def _exact(terms: Iterable[Term]) -> bool:
    seen: set[Term] = set()
    for x in below(terms, seen):
        if x.width == UNBOUNDED:
            return True
        seen.add(x)
    return False


def _defined(roots: Sequence[Term], named: dict[Term, str]) -> list[str]:
    """Definitions of what has no name yet; constants are their own names."""
    lines = []
    for x in below(roots, named):
        if x.op is TermOp.CONST:
            named[x] = _constant(x)
        elif x.op is TermOp.INPUT:
            named[x] = f"|{x.data}|"
            lines.append(f"(declare-const {named[x]} {_sort(x)})")
        else:
            named[x] = f"t{x.number}"
            lines.append(f"(define-fun {named[x]} () {_sort(x)} {_applied(x, [named[a] for a in x.args])})")
    return lines


def _sort(x: Term) -> str:
    return "Bool" if x.width == BIT else "Int" if x.width == UNBOUNDED else f"(_ BitVec {x.width})"


def _constant(x: Term) -> str:
    if x.width == BIT:
        return "true" if x.data else "false"
    if x.width == UNBOUNDED:
        n = signed(x)
        return str(n) if n >= 0 else f"(- {-n})"
    return f"(_ bv{unsigned(x)} {x.width})"


def _applied(x: Term, args: list[str]) -> str:
    integers = x.args[0].width == UNBOUNDED
    match x.op:
        case TermOp.FDIV | TermOp.FMOD:
            return _floor(x, *args, integers=integers)
        case TermOp.ZEXT | TermOp.SEXT:
            word = "zero_extend" if x.op is TermOp.ZEXT else "sign_extend"
            return f"((_ {word} {x.width - x.args[0].width}) {args[0]})"
        case TermOp.TRUNC:
            return f"((_ extract {x.width - 1} 0) {args[0]})"
        case _ if x.op in _BY_KIND:
            return f"({_BY_KIND[x.op][integers]} {' '.join(args)})"
        case _:
            return f"({_WORDS[x.op]} {' '.join(args)})"


def _floor(x: Term, a: str, b: str, *, integers: bool) -> str:
    """Division that rounds down; SMT-LIB's own of integers keeps the remainder positive."""
    if integers:
        quotient = f"(ite (> {b} 0) (div {a} {b}) (div (- {a}) (- {b})))"
        return quotient if x.op is TermOp.FDIV else f"(- {a} (* {b} {quotient}))"
    rest = f"(bvsmod {a} {b})"
    return rest if x.op is TermOp.FMOD else f"(bvsdiv (bvsub {a} {rest}) {b})"
