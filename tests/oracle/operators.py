"""What an operator makes of its operands' values."""

from __future__ import annotations

from tests.oracle import values as v


def unary(op: str, a: v.Value) -> v.Value:
    if a is None:
        raise v.Undefined("none dereferenced")
    if op == "!":
        return not a
    if isinstance(a, v.Word):
        return v.Word(a.bits, (-a.n if op == "-" else ~a.n) % (1 << a.bits))
    assert op == "-", "only words are inverted"
    return -v.number(a)


def binary(op: str, a: v.Value, b: v.Value) -> v.Value:
    a, b = _one_kind(a, b), _one_kind(b, a)
    if op in ("==", "!="):
        return v.same(a, b) == (op == "==")
    if a is None or b is None:
        raise v.Undefined("none dereferenced")
    if op in ("in", "!in"):
        return any(v.same(a, m) for m in b) == (op == "in")
    if isinstance(a, frozenset):
        match op:
            case "|":
                return a | b
            case "&":
                return a & b
            case "-":
                return a - b
            case "<=":
                return a <= b
            case _:
                pass
    x, y = v.number(a), v.number(b)
    if op in ("<", "<=", ">", ">="):
        return {"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[op]
    result = _number(op, x, y)
    words = [w for w in ((a,) if op in ("<<", ">>") else (a, b)) if isinstance(w, v.Word)]
    return v.Word(words[0].bits, result % (1 << words[0].bits)) if words else result


def _one_kind(a: v.Value, other: v.Value) -> v.Value:
    """A set of numbers beside a set of frames as a set of frames."""
    if isinstance(a, frozenset) and isinstance(other, frozenset):
        kinds = {m.type for m in other if isinstance(m, v.Elem)}
        return (
            frozenset(v.Elem(kind, m, None) if type(m) is int else m for m in a for kind in kinds)
            if kinds
            else a
        )
    return a


def _number(op: str, x: int, y: int) -> int:
    match op:
        case "+":
            return x + y
        case "-":
            return x - y
        case "*":
            return x * y
        case "/" | "%":
            if y == 0:
                raise v.Undefined("division by zero")
            return x // y if op == "/" else x % y
        case "&":
            return x & y
        case "|":
            return x | y
        case "^":
            return x ^ y
        case "<<":
            return x << min(y, 64)
        case ">>":
            return x >> y
        case _:
            pass
    raise v.Unsupported(f"operator {op}")
