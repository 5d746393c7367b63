"""Sizes: the parameters of a file, their ranges, and the sizes that count."""

from __future__ import annotations

from dataclasses import dataclass

from refine.lang import ast
from refine.lang.context import MAX_SIZE, Abort, Context
from refine.lang.exprs import constant_int
from refine.lang.load import Loaded
from refine.lang.scope import Constant, Scope
from refine.text.diag import Reporter, suggest
from refine.text.span import Span

MAX_PARAMS = 64
MAX_ROWS = 4096  # sizes that count


@dataclass(frozen=True, slots=True)
class Sizes:
    """The values of the parameters: the default, and all that count for 'at all declared sizes'."""

    default: dict[str, int]
    all: tuple[dict[str, int], ...]


def sizes(loaded: Loaded, reporter: Reporter) -> Sizes | None:
    """The declared sizes of a file (docs/language.md, section 9); None where they have errors."""
    before = len(reporter.diagnostics)
    cx = Context(reporter)
    found = parameters(cx, loaded)
    usual = {name: start for name, (start, _, _, _) in found.items()}
    rows: list[dict[str, int]] = []
    declared = [item for item in loaded.file.items if isinstance(item, ast.Sizes)]
    for item in declared:
        for row in item.rows:
            made = dict(usual)
            for name, value in row:
                if name.name not in found:
                    guess = suggest(name.name, found)
                    reporter.error(
                        "E0201", f"there is no parameter '{name.name}'", name.span,
                        f"did you mean '{guess}'?" if guess else None,
                    )  # fmt: skip
                    continue
                number = _literal(cx, value)
                if number is not None:
                    made[name.name] = number
                    in_range(name.name, number, found, value.span, reporter)
            rows.append(made)
    count = sum(hi - lo + 1 for _, lo, hi, _ in found.values())
    if len(found) > MAX_PARAMS or (count > MAX_ROWS and not declared):
        message = (
            f"more than {MAX_PARAMS} parameters, or more than {MAX_ROWS} sizes, are too many to be checked"
        )
        reporter.error("E0510", message, loaded.file.name.span, "say which count: sizes { NAME = 1; }")
        return None
    if not declared:
        for param, (_, lo, hi, _) in found.items():
            rows += [{**usual, param: value} for value in range(lo, hi + 1)]
        rows.append({param: hi for param, (_, _, hi, _) in found.items()})
    unique = {tuple(row.items()): row for row in rows}
    return Sizes(usual, tuple(unique.values())) if len(reporter.diagnostics) == before else None


def ranges(loaded: Loaded) -> dict[str, tuple[int, int]]:
    """The least and the greatest value of each parameter of a file without errors."""
    return {name: (lo, hi) for name, (_, lo, hi, _) in parameters(Context(Reporter()), loaded).items()}


def _literal(cx: Context, node: ast.Expr) -> int | None:
    try:
        return constant_int(cx, Scope(), node)
    except Abort:
        return None


def in_range(
    name: str, value: int, found: dict[str, tuple[int, int, int, Span]], span: Span | None, reporter: Reporter
) -> None:
    _, lo, hi, _ = found[name]
    if not lo <= value <= hi:
        reporter.error("E0512", f"{name} = {value} is outside its range {lo}..{hi}", span)


def parameters(cx: Context, loaded: Loaded) -> dict[str, tuple[int, int, int, Span]]:
    """Each parameter's default, lowest and highest value."""
    scope, found = Scope(), {}
    cx.declared = frozenset(
        n.name for i in loaded.file.items if isinstance(n := getattr(i, "name", None), ast.Ident)
    )
    for item in loaded.file.items:
        try:
            match item:
                case ast.Param(name, default_, lo, hi):
                    if name.name in scope.names:
                        cx.fail("E0202", f"'{name.name}' is declared twice", name.span)
                    ends = constant_int(cx, scope, lo), constant_int(cx, scope, hi)
                    start = constant_int(cx, scope, default_)
                    if not ends[0] <= start <= ends[1]:
                        cx.fail(
                            "E0512",
                            f"the default {start} of '{name.name}' is outside {ends[0]}..{ends[1]}",
                            default_.span,
                        )
                    if ends[1] - ends[0] >= MAX_SIZE:
                        cx.fail(
                            "E0510",
                            f"'{name.name}' has {ends[1] - ends[0] + 1} values; at most {MAX_SIZE} are possible",
                            name.span,
                        )
                    found[name.name] = (start, *ends, name.span)
                    scope.names[name.name] = Constant(start)
                case ast.Const(name, value):
                    scope.names[name.name] = Constant(constant_int(cx, scope, value))
                case _:
                    pass
        except Abort:
            continue
    return found


def set_sizes(
    cx: Context,
    given: tuple[tuple[ast.Ident, ast.Expr], ...],
    values: dict[str, int],
    found: dict[str, tuple[int, int, int, Span]],
) -> dict[str, int]:
    """The values that edits give to parameters, which may speak of those that they have."""
    scope = Scope(None, {name: Constant(value) for name, value in values.items()})
    made: dict[str, int] = {}
    for name, value in given:
        try:
            if name.name not in found:
                guess = suggest(name.name, found)
                help_ = f"did you mean '{guess}'?" if guess else None
                cx.fail("E0201", f"there is no parameter '{name.name}'", name.span, help_)
            made[name.name] = constant_int(cx, scope, value)
            in_range(name.name, made[name.name], found, value.span, cx.reporter)
        except Abort:
            continue
    return made
