"""The canonical layout of a specification: what `spte fmt` prints, with every comment in its place."""

from __future__ import annotations

from functools import partial
from typing import assert_never

from refine.lang import ast
from refine.lang.comments import Comments, remarks
from refine.lang.format_expr import (
    bound,
    format_expr,
    format_property,
    format_type,
    listed,
    not_too_deep,
    parted,
    property_,
)
from refine.lang.format_stmt import Element, Statements, binders, dims, has_lines
from refine.lang.layout import HARD, Doc, Fill, Line, Nest, group, render
from refine.text.span import Span

__all__ = ["format", "format_expr", "format_property", "format_type"]


def format(file: ast.File) -> str:
    """Return the canonical text of a file; parsed again, it is the same tree."""
    return not_too_deep(lambda helpful: _printed(file, helpful))


def _printed(file: ast.File, helpful: bool) -> str:
    printer = _Items(Comments(file), helpful)
    source = printer.comments.text
    header = f"{file.role} {file.name.name}{_quoted(file.doc)};"
    start = max(0, source.rfind(file.role, 0, file.name.span.start))
    elements: list[Element] = [(start, (file.doc or file.name).span.end, lambda: header)]
    elements += [(item.span.start, item.span.end, partial(printer.item, item)) for item in file.items]
    end = len(source) + 1
    lines = printer.lines(elements, 0, end)
    lost = tuple((HARD, remark) for remark in remarks(printer.comments.take(0, end)))  # of trees put together
    return render((lines, *lost)) + "\n"


def _quoted(text: ast.Text | None) -> str:
    """Return a text with a blank before it, if there is one."""
    if text is None:
        return ""
    value = text.value.replace("\\", "\\\\").replace('"', '\\"')
    return f' "{value}"'


def _names(names: tuple[ast.Ident, ...]) -> Doc:
    return Nest(Fill(tuple(name.name for name in names)))


def _paths(paths: tuple[ast.Path, ...]) -> Doc:
    return Nest(Fill(tuple(map(str, paths))))


def _formals(formals: tuple[ast.Formal, ...]) -> Doc:
    return (
        "(",
        Nest(Fill(tuple(f"{format_type(formal.type)} {formal.name.name}" for formal in formals))),
        ")",
    )


def _fair(fair: str) -> str:
    return {"": "", "fair": "fair ", "strong": "strong fair "}[fair]


def _effects(effects: tuple[tuple[str, ast.Ident], ...]) -> str:
    return "".join(f" {word} {name.name}" for word, name in effects)


def _adversary(name: ast.Ident | None) -> str:
    return "" if name is None else f"adversary {name.name} "


class _Items(Statements):
    """Declarations."""

    def item(self, item: ast.Item) -> Doc:
        """Return the document of a declaration."""
        match item:
            case ast.Source(file, functions):
                return ("source", _quoted(file), " " if functions else "", _names(functions), ";")
            case ast.Import(path):
                return f"import {path};"
            case ast.Cites(text):
                return f"cites{_quoted(text)};"
            case ast.Era(text):
                return f"era{_quoted(text)};"
            case ast.Param(name, default, lo, hi):
                return f"param {name.name} = {bound(default)} in {bound(lo)}..{bound(hi)};"
            case ast.Const(name, value):
                return group(f"const {name.name} = ", self.expr(value), ";")
            case ast.IndexDecl(kind, name, size):
                return (f"{kind} {name.name}[", self.expr(size), "];")
            case ast.Requires(name, formals, result):
                return (f"requires {name.name}", _formals(formals), f" -> {format_type(result)};")
            case ast.Hold(name, cond):
                return (f"hold {name.name} = ", self.expr(cond), ";")
            case ast.Observer(name, doc, inherent):
                return f"observer {name.name}{_quoted(doc)}{' inherent' if inherent else ''};"
            case ast.Without(name, why):
                return f"without {name.name}{_quoted(why)};"
            case ast.Uncovered(text, why):
                return f"uncovered{_quoted(text)}{_quoted(why)};"
            case (
                ast.Sizes()
                | ast.EnumDecl()
                | ast.MachineDecl()
                | ast.StructDecl()
                | ast.TypeDecl()
                | ast.Instance()
            ):
                return group(self._listing(item), broken=has_lines(item.span))
            case ast.Variable():
                return self._variable(item)
            case ast.Claim() | ast.Reach() | ast.AssumeItem():
                return self._claim(item)
            case ast.Fn(name, formals, result, body):
                head = (f"fn {name.name}", _formals(formals), f" -> {format_type(result)} =")
                after = parted(self.comments.gap, result.span, body.span, self.expr(body))
                return group(head, Nest(after), ";")
            case ast.Op() | ast.Proc() | ast.ThreadDecl() | ast.RuleDecl():
                return group(self._head(item), " ", self.block(item.body), broken=has_lines(item.span))
            case ast.Edited():
                return self._edited(item)
            case _:
                assert_never(item)

    def _listing(
        self, item: ast.Sizes | ast.EnumDecl | ast.MachineDecl | ast.StructDecl | ast.TypeDecl | ast.Instance
    ) -> Doc:
        elements: list[Element] = []
        match item:
            case ast.Sizes(rows):
                for row in rows:
                    parts = tuple((f"{name.name} = ", self.expr(value)) for name, value in row)
                    start, end = row[0][0].span.start, row[-1][1].span.end
                    elements.append((start, end, partial(_terminated, Fill(parts))))
                return ("sizes ", self.members(elements, item.span, item.span.start))
            case ast.EnumDecl(name, members):
                elements = [_plain(member.span, member.span, member.name) for member in members]
                return (f"enum {name.name} ", self.members(elements, item.span, name.span.end, ","))
            case ast.MachineDecl(name, edges):
                for edge in edges:
                    owner = "" if edge.owner is None else f" by {edge.owner.name}"
                    text = f"{edge.source.name} -> {edge.target.name} : {edge.name.name}{owner};"
                    elements.append(_plain(edge.span, edge.span, text))
                return (f"machine {name.name} ", self.members(elements, item.span, name.span.end))
            case ast.StructDecl(name, fields):
                for type_, field, shape in fields:
                    last = shape[-1].span if shape else field.span
                    elements.append(
                        _plain(type_.span, last, f"{format_type(type_)} {field.name}{dims(shape)};")
                    )
                return (f"struct {name.name} ", self.members(elements, item.span, name.span.end))
            case ast.TypeDecl(name, params, inner):
                args = f"<{', '.join(param.name for param in params)}>" if params else ""
                elements = [(one.span.start, one.span.end, partial(self.item, one)) for one in inner]
                after = (params[-1] if params else name).span.end
                return (f"type {name.name}{args} ", self.members(elements, item.span, after))
            case ast.Instance(type_, name, shape, bindings):
                head = f"{format_type(type_)} {name.name}{dims(shape)}"
                if not bindings:
                    return f"{head};"
                elements = [(one.span.start, one.span.end, partial(self._binding, one)) for one in bindings]
                after = shape[-1].span.end if shape else name.span.end
                return (f"{head} ", self.members(elements, item.span, after))
            case _:
                assert_never(item)

    def _binding(self, binding: ast.Binding) -> Doc:
        params = ", ".join(param.name for param in binding.params)
        return (f"{binding.name.name}({params}) = ", self.expr(binding.body), ";")

    def _variable(self, item: ast.Variable) -> Doc:
        head = f"{item.storage} {format_type(item.type)} {item.name.name}{dims(item.dims)}"
        init: Doc = "" if item.init is None else (" = ", self.expr(item.init))
        before = item.init.span if item.init is not None else item.name.span
        clauses: list[Doc] = []
        if item.guarded_by is not None:
            guard = f"guarded by {item.guarded_by}"
            clauses.append(parted(self.comments.gap, before, item.guarded_by.span, guard))
            before = item.guarded_by.span
        if item.alive is not None:
            alive = ("alive when ", self.expr(item.alive))
            clauses.append(parted(self.comments.gap, before, item.alive.span, alive))
        return group(head, init, Nest(tuple(clauses)), ";")

    def _claim(self, item: ast.Claim | ast.Reach | ast.AssumeItem) -> Doc:
        role = (
            item.role if isinstance(item, ast.Claim) else "reach" if isinstance(item, ast.Reach) else "assume"
        )
        head = f"{role} {item.name.name}{_quoted(item.doc)}:"
        before = (item.doc or item.name).span
        if not isinstance(item, ast.Claim):
            cond = parted(self.comments.gap, before, item.cond.span, self.expr(item.cond))
            return group(head, Nest(cond), ";", broken=has_lines(item.span))
        body: list[Doc] = []
        gap = self.comments.gap
        body.append(parted(gap, before, item.property.span, property_(item.property, self.style)))
        before = item.property.span
        lists: list[tuple[str, list[tuple[Span, Doc]]]] = [
            ("because", [(path.span, str(path)) for path in item.because]),
            ("redundant", [(path.span, str(path)) for path in item.redundant]),
            ("using", [(path.span, str(path)) for path in item.using]),
            ("cites", [(text.span, _quoted(text).strip()) for text in item.cites]),
        ]
        for word, parts in lists:
            if parts:
                doc = parted(gap, before, parts[0][0], (f"{word} ", Nest(listed(gap, parts))))
                body.append(doc)
                before = parts[-1][0]
        return group(head, Nest(tuple(body)), ";", broken=has_lines(item.span))

    def _head(self, item: ast.Op | ast.Proc | ast.ThreadDecl | ast.RuleDecl) -> Doc:
        match item:
            case ast.Op(name, formals, result, effects, when, _):
                returns = "" if result is None else f" -> {format_type(result)}"
                return group(
                    f"op {name.name}", _formals(formals), f"{returns}{_effects(effects)}", self.when(when)
                )
            case ast.Proc(name, formals, result, effects, _):
                returns = "" if result is None else f" -> {format_type(result)}"
                return (f"proc {name.name}", _formals(formals), f"{returns}{_effects(effects)}")
            case ast.ThreadDecl(name, family, fair, _, adversary):
                who = _adversary(adversary)
                return f"{who}{_fair(fair)}thread {name.name}{binders((family,) if family else ())}"
            case ast.RuleDecl(name, bound_names, fair, when, _, adversary):
                head = f"{_adversary(adversary)}{_fair(fair)}rule {name.name}{binders(bound_names)}"
                return group(head, self.when(when))
            case _:
                assert_never(item)

    # --- edits

    def _edited(self, item: ast.Edited) -> Doc:
        clauses: list[Doc] = []
        if item.cites:
            texts = tuple(_quoted(text).strip() for text in item.cites)
            clauses += [Line(), "cites ", Nest(Fill(texts))]
        if item.claims:
            verb = "breaks" if item.role == "mutant" else "keeps"
            clauses += [Line(), f"{verb} ", _names(item.claims)]
        if item.within is not None:
            clauses.append(f" within {item.within}")
        if item.era is not None:
            clauses += [Line(), f"era{_quoted(item.era)}"]
        if item.because:
            clauses += [Line(), "because ", _paths(item.because)]
        parts = (item.name, item.doc, *item.cites, *item.claims, item.era, *item.because)
        ends = [part.span.end for part in parts if part is not None]
        elements: list[Element] = [
            (edit.span.start, edit.span.end, partial(self._edit, edit)) for edit in item.edits
        ]
        head = group(f"{item.role} {item.name.name}{_quoted(item.doc)}", Nest(Nest(tuple(clauses))))
        edits = self.members(elements, item.span, max(ends))
        return group(head, " ", edits, broken=has_lines(item.span))

    def _edit(self, edit: ast.Edit) -> Doc:
        match edit:
            case ast.Delete(paths):
                return ("delete ", _paths(paths), ";")
            case ast.Swap(first, second):
                return f"swap {first}, {second};"
            case ast.Replace(path, body):
                return group(f"replace {path} ", self.block(body), broken=has_lines(edit.span))
            case ast.Insert(where, path, body):
                return group(f"insert {where} {path} ", self.block(body), broken=has_lines(edit.span))
            case ast.Weaken(path, to):
                return f"weaken {path} to {to};"
            case ast.Drop(path):
                return f"drop {path};"
            case ast.SetParam(name, value):
                return (f"set {name.name} = ", self.expr(value), ";")
            case _:
                assert_never(edit)


def _terminated(doc: Doc) -> Doc:
    return (doc, ";")


def _plain(first: Span, last: Span, text: str) -> Element:
    """Return an element without anything inside that has comments of its own."""
    return (first.start, last.end, lambda: text)
