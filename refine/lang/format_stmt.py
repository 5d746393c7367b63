"""Statements in their canonical layout, and any list of elements with the comments between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias, assert_never

from refine.lang import ast
from refine.lang.comments import Comments, remarks
from refine.lang.format_expr import Style, binder, expression, format_type, listed
from refine.lang.layout import Blank, Doc, Line, Nest, Remark, group
from refine.text.span import Span

# An element of a list: where it begins and ends, and what makes its document.
Element: TypeAlias = tuple[int, int, Callable[[], Doc]]

_COMPOUND = (ast.Step, ast.If, ast.While, ast.Loop, ast.Maybe, ast.Choose, ast.ForEach, ast.ForAll)


def has_lines(span: Span) -> bool:
    """Tell whether the author broke a construct into lines."""
    return "\n" in span.text


def dims(dims: tuple[ast.Dim, ...]) -> str:
    """Return `[v in vcpu][frame]`."""
    names = ["" if dim.name is None else f"{dim.name.name} in " for dim in dims]
    return "".join(f"[{name}{format_type(dim.type)}]" for name, dim in zip(names, dims, strict=True))


def binders(binders: tuple[ast.Binder, ...]) -> str:
    """Return `[v in vcpu, g in frame]`, or nothing."""
    return f"[{', '.join(map(binder, binders))}]" if binders else ""


class Statements:
    """Makes documents, and hands each comment to the one that it belongs to."""

    def __init__(self, comments: Comments, helpful: bool) -> None:
        """Begin with all comments of a file."""
        self.comments = comments
        self.style = Style(comments.gap, helpful)

    def lines(self, elements: Sequence[Element], start: int, end: int, comma: str = "") -> Doc:
        """Return elements and comments below each other; a comment inside an element stands before it."""
        lines: list[Doc] = []

        def add(blank: bool, doc: Doc) -> None:
            if lines:
                lines.append((Blank(), Line()) if blank else Line())
            lines.append(doc)

        for number, (low, high, make) in enumerate(elements):
            for comment in self.comments.take(start, low):
                add(self.comments.blank_before(comment.span.start), Remark(comment.text))
            doc = make()
            blank = self.comments.blank_before(low)
            for remark in remarks(self.comments.take(low, high)):
                add(blank, remark)
                blank = False
            last = number == len(elements) - 1
            beside = self.comments.beside(high, end if last else elements[number + 1][0])
            add(blank, (doc, "" if last else comma, *beside))
            start = high
        for comment in self.comments.take(start, end):
            add(self.comments.blank_before(comment.span.start), Remark(comment.text))
        return tuple(lines)

    def braces(self, elements: Sequence[Element], start: int, end: int, comma: str = "") -> Doc:
        """Return elements between braces, which stand just before `start` and at `end`."""
        opening = self.comments.beside(start, elements[0][0]) if elements else []
        lines = self.lines(elements, start, end, comma)
        return ("{", *opening, Nest((Line(), lines)), Line(), "}") if lines else "{ }"

    def block(self, block: ast.Block) -> Doc:
        return self.braces(self._stmts(block), block.span.start + 1, block.span.end - 1)

    def _stmts(self, block: ast.Block) -> list[Element]:
        return [(stmt.span.start, stmt.span.end, partial(self._stmt, stmt)) for stmt in block.stmts]

    def members(self, elements: Sequence[Element], span: Span, after: int, comma: str = "") -> Doc:
        """Return the elements of a declaration, whose first brace follows a place."""
        start = self.comments.find("{", after, span.end)
        end = max(self.comments.text.rfind("}", start, span.end), start)
        return self.braces(elements, start, end, comma)

    # --- statements

    def _stmt(self, stmt: ast.Stmt) -> Doc:
        label = "" if isinstance(stmt, ast.Local) or stmt.label is None else f"{stmt.label.name}: "
        return group(
            label, self._unlabelled(stmt), broken=isinstance(stmt, _COMPOUND) and has_lines(stmt.span)
        )

    def _unlabelled(self, stmt: ast.Stmt) -> Doc:
        match stmt:
            case ast.Step(name, idle, bound, when, body):
                head = f"{'idle ' if idle else ''}step {name.name}{binders(bound)}"
                return (group(head, self.when(when)), " ", self.block(body))
            case ast.If():
                return self._if(stmt)
            case ast.While(cond, body):
                return ("while (", self.expr(cond), ") ", self.block(body))
            case ast.Loop(body):
                return ("loop ", self.block(body))
            case ast.Maybe(body):
                return ("maybe ", self.block(body))
            case ast.Choose():
                return self._choose(stmt)
            case ast.ForEach(bound, body):
                return (f"for each {binder(bound)} ", self.block(body))
            case ast.ForAll(bound_names, body):
                return (f"for all {', '.join(map(binder, bound_names))} ", self.block(body))
            case _:
                return self._action(stmt)

    def _if(self, stmt: ast.If) -> Doc:
        if (
            not stmt.braces
            and stmt.other is None
            and len(stmt.then.stmts) == 1
            and not isinstance(stmt.then.stmts[0], (*_COMPOUND, ast.Local))
        ):
            return ("if (", self.expr(stmt.cond), ") ", self._unlabelled(stmt.then.stmts[0]))
        docs: list[Doc] = []
        branch: ast.Block | ast.If | None = stmt
        while isinstance(branch, ast.If):
            docs += ["if (", self.expr(branch.cond), ") ", self.block(branch.then)]
            branch = branch.other
            if branch is not None:
                docs.append(" else ")
        if branch is not None:
            docs.append(self.block(branch))
        return tuple(docs)

    def _choose(self, stmt: ast.Choose) -> Doc:
        docs: list[Doc] = ["choose {"]
        for number, (branch, (start, end)) in enumerate(
            zip(stmt.branches, self.comments.branches(stmt), strict=True)
        ):
            if number:
                docs += [Line(), "or"]
            elements = self._stmts(branch)
            docs += self.comments.beside(start, elements[0][0]) if elements else []
            lines = self.lines(elements, start, end)
            if lines:
                docs.append(Nest((Line(), lines)))
        return (*docs, Line(), "}")

    def _action(
        self,
        stmt: ast.CallStmt | ast.Assign | ast.Havoc | ast.Assume | ast.Require | ast.Break | ast.Continue
        | ast.Return | ast.Local,
    ) -> Doc:  # fmt: skip
        match stmt:
            case ast.CallStmt(call):
                doc = self.expr(call)
            case ast.Assign(target, op, value):
                doc = (self._lvalue(target), f" {op} ", self.expr(value))
            case ast.Havoc(target, None):
                doc = ("havoc ", self._lvalue(target))
            case ast.Havoc(target, where):
                assert where is not None, "the case before this one"
                doc = group("havoc ", self._lvalue(target), Nest((Line(), "where ", self.expr(where))))
            case ast.Assume(name, cond):
                doc = (f"assume {name.name}: ", self.expr(cond))
            case ast.Require(name, cond):
                doc = (f"require {name.name}: ", self.expr(cond))
            case ast.Break():
                doc = "break"
            case ast.Continue():
                doc = "continue"
            case ast.Return(None):
                doc = "return"
            case ast.Return(value):
                assert value is not None, "the case before this one"
                doc = ("return ", self.expr(value))
            case ast.Local(type_, name, shape, init):
                value_doc: Doc = "" if init is None else (" = ", self.expr(init))
                doc = (f"{format_type(type_)} {name.name}{dims(shape)}", value_doc)
            case _:
                assert_never(stmt)
        return (doc, ";")

    def _lvalue(self, target: ast.Lvalue) -> Doc:
        accessors: list[Doc] = []
        for accessor in target.accessors:
            if isinstance(accessor, ast.Ident):
                accessors.append(f".{accessor.name}")
            else:
                accessors.append(("[", self.expr(accessor), "]"))
        return (target.name.name, *accessors)

    def expr(self, expr: ast.Expr) -> Doc:
        return expression(expr, style=self.style)

    def when(self, when: tuple[ast.Conjunct, ...]) -> Doc:
        if not when:
            return ""
        parts: list[tuple[Span, Doc]] = []
        for conjunct in when:
            label = "" if conjunct.label is None else f"{conjunct.label.name}: "
            parts.append((conjunct.span, (label, self.expr(conjunct.cond))))
        return Nest(Nest((Line(), "when ", Nest(listed(self.comments.gap, parts)))))
