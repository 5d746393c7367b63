"""Edits: which statements are written anew, and which protective elements are relaxed, while a file is lowered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from refine.lang import ast
from refine.lang.elements import Element, Outline, meant
from refine.text.diag import Reporter, suggest


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What becomes of one statement: something before it, in its place (None: itself), and after it."""

    before: tuple[ast.Stmt, ...] = ()
    instead: tuple[ast.Stmt, ...] | None = None
    after: tuple[ast.Stmt, ...] = ()
    call: ast.Ident | None = None  # the name that is called instead


@dataclass(frozen=True, slots=True)
class Edits:
    """Edits whose names have been looked up. Without any, lowering is as the file says."""

    rewrites: Mapping[str, Rewrite] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()  # keys and groups of elements
    holds: frozenset[str] = frozenset()  # groups of holds of which some taking is dropped
    negated: frozenset[str] = frozenset()  # keys of guards that are turned round
    sizes: tuple[tuple[ast.Ident, ast.Expr], ...] = ()
    known: frozenset[str] = frozenset()  # addresses of the steps of the file without edits

    def drops(self, element: Element) -> bool:
        return element.key in self.dropped or element.group in self.dropped

    def and_dropping(self, keys: Iterable[str], outline: Outline) -> Edits:
        """These edits, and the dropping of elements of the outline."""
        keys = frozenset(keys)
        holds = frozenset(x.group for x in outline.elements if x.kind == "hold" and x.key in keys)
        known = self.known or outline.steps
        return replace(self, dropped=self.dropped | keys, holds=self.holds | holds, known=known)

    def rewrite(self, address: Sequence[str], stmts: tuple[ast.Stmt, ...]) -> tuple[ast.Stmt, ...]:
        """The statements of a block, as the edits want them."""
        if not self.rewrites:
            return stmts
        made: list[ast.Stmt] = []
        for stmt in stmts:
            found = [self.rewrites[a] for a in addresses(address, stmt) if a in self.rewrites]
            here: tuple[ast.Stmt, ...] = (stmt,)
            for one in found:
                here = here if one.instead is None else one.instead
                here = tuple(_calling(s, one.call) for s in here) if one.call is not None else here
                here = (*one.before, *here, *one.after)
            made += here
        return tuple(made)

    def deleted(self, address: str) -> bool:
        """Whether a rule is gone."""
        found = self.rewrites.get(address)
        return found is not None and found.instead == ()

    def body(self, address: str, body: ast.Block) -> ast.Block:
        """What a rule does."""
        found = self.rewrites.get(address)
        return body if found is None or found.instead is None else replace(body, stmts=found.instead)


NO_EDITS = Edits()


def addresses(around: Sequence[str], stmt: ast.Stmt) -> list[str]:
    """The names by which edits speak of a statement: its label, its step, the op or procedure that it calls."""
    if isinstance(stmt, ast.Step):
        return [".".join((*around, stmt.name.name))]
    label = getattr(stmt, "label", None)
    here = (*around, label.name) if label is not None else tuple(around)
    found = [".".join(here)] if label is not None else []
    call = called(stmt)
    return [*found, ".".join((*here, call.name.name))] if call is not None else found


def called(stmt: ast.Stmt) -> ast.Call | None:
    """The call that a statement is, or whose result it stores."""
    match stmt:
        case ast.CallStmt(call):
            return call
        case ast.Assign(value=ast.Call() as call) | ast.Local(init=ast.Call() as call):
            return call
        case _:
            return None


def _calling(stmt: ast.Stmt, name: ast.Ident) -> ast.Stmt:
    """The statement with another name in its call."""
    call = called(stmt)
    assert call is not None, "only calls are weakened"
    other = replace(call, name=name)
    match stmt:
        case ast.CallStmt():
            return replace(stmt, call=other)
        case ast.Assign():
            return replace(stmt, value=other)
        case ast.Local():
            return replace(stmt, init=other)
        case _:
            raise AssertionError("these are all the statements that call")


def resolve(edits: Iterable[ast.Edit], outline: Outline, reporter: Reporter) -> Edits | None:
    """Edits with their names looked up in the file as it is; None where something is wrong with them."""
    before = len(reporter.diagnostics)
    rewrites: dict[str, Rewrite] = {}
    dropped: list[str] = []
    sizes: list[tuple[ast.Ident, ast.Expr]] = []

    def add(address: str, change: Rewrite) -> None:
        known = rewrites.get(address, Rewrite())
        rewrites[address] = Rewrite(
            (*known.before, *change.before),
            known.instead if change.instead is None else change.instead,
            (*change.after, *known.after),
            change.call or known.call,
        )

    for edit in edits:
        match edit:
            case ast.Delete(paths):
                for path in paths:
                    for address in _addressed(path, outline, reporter):
                        add(address, Rewrite(instead=_nothing(outline.statements.get(address))))
            case ast.Swap(first, second):
                pairs = [_one(path, outline, reporter) for path in (first, second)]
                if None not in pairs:
                    one, other = (str(p) for p in pairs)
                    add(one, Rewrite(instead=(outline.statements[other],)))
                    add(other, Rewrite(instead=(outline.statements[one],)))
            case ast.Replace(path, body):
                for address in _addressed(path, outline, reporter):
                    add(address, Rewrite(instead=body.stmts))
            case ast.Insert(where, path, body):
                for address in _addressed(path, outline, reporter):
                    add(
                        address,
                        Rewrite(before=body.stmts) if where == "before" else Rewrite(after=body.stmts),
                    )
            case ast.Weaken(path, to):
                for address in _addressed(path, outline, reporter):
                    stmt = outline.statements.get(address)
                    if stmt is None or called(stmt) is None:
                        reporter.error("E0206", f"'{path}' is no call", path.span, _calls(address, outline))
                    else:
                        add(address, Rewrite(call=to.parts[-1]))
            case ast.Drop(path):
                keys = meant(str(path), outline.elements, outline.threads)
                if not keys:
                    not_protective(path, outline, reporter)
                dropped += keys
            case ast.SetParam(name, value):
                sizes.append((name, value))
            case _:
                assert_never(edit)
    if len(reporter.diagnostics) > before:
        return None
    return Edits(rewrites, sizes=tuple(sizes), known=outline.steps).and_dropping(dropped, outline)


def _nothing(stmt: ast.Stmt | None) -> tuple[ast.Stmt, ...]:
    """What a deleted statement leaves: of a declaration, the name."""
    return (replace(stmt, init=None),) if isinstance(stmt, ast.Local) else ()


def not_protective(path: ast.Path, outline: Outline, reporter: Reporter) -> None:
    """Reports a name that should stand for something protective, and does not."""
    if str(path) in outline.statements or any(s.endswith(f".{path}") for s in outline.statements):
        reporter.error(
            "E0208", f"nothing in '{path}' protects", path.span,
            "a reason is an assumption, a part of a 'when', an 'if', a hold that is taken, or a call that is labelled "
            "or declared with 'protects'; what a protocol is for is no reason",
        )  # fmt: skip
        return
    names = {n for x in outline.elements for n in (x.key, x.group) if n}
    near = suggest(path.parts[-1].name, {n.rpartition(".")[2] for n in names})
    reporter.error(
        "E0206", f"there is no assumption, guard, hold or call '{path}'", path.span,
        f"did you mean '{near}'?" if near else None,
    )  # fmt: skip


def _one(path: ast.Path, outline: Outline, reporter: Reporter) -> str | None:
    found = _addressed(path, outline, reporter)
    if len(found) > 1:
        reporter.error(
            "E0206", f"'{path}' is ambiguous: {', '.join(found)}", path.span, "write more of its path"
        )
    return found[0] if len(found) == 1 and found[0] in outline.statements else None


def _addressed(path: ast.Path, outline: Outline, reporter: Reporter) -> list[str]:
    """The addresses that a path in an edit stands for: one by its tail, after the name of its thread."""
    parts = tuple(p.name for p in path.parts)
    if str(path) in outline.rules:
        return [str(path)]
    family = [a for a in outline.statements if a.partition(".")[0] == parts[0]]
    if not family:
        threads = sorted({a.partition(".")[0] for a in outline.steps})
        reporter.error(
            "E0206", f"'{parts[0]}' is neither a thread nor a rule", path.span,
            f"threads: {', '.join(threads)}" if threads else None,
        )  # fmt: skip
        return []
    tail = parts[1:]
    found = [a for a in family if tail and tuple(a.split(".")[1:][-len(tail) :]) == tail]
    if str(path) in found:
        return [str(path)]
    if not found:
        names = {a.rpartition(".")[2] for a in family}
        near = suggest(parts[-1], names)
        reporter.error(
            "E0206", f"thread '{parts[0]}' has no step, label or call '{'.'.join(tail)}'", path.span,
            f"did you mean '{near}'?" if near else None,
        )  # fmt: skip
    elif len(found) > 1:
        reporter.error(
            "E0206", f"'{path}' is ambiguous: {', '.join(found)}", path.span, "write more of its path"
        )
        return []
    return found


def _calls(address: str, outline: Outline) -> str | None:
    inside = [a for a, s in outline.statements.items() if a.startswith(f"{address}.") and called(s)]
    return f"name the call: {', '.join(inside)}" if inside else None
