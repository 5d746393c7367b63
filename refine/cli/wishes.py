"""What the options of `spte ask` wish for, as edits: those of a mutant, drops, weaker calls, a yield before a step."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from refine.lang import ast
from refine.lang.elements import Outline
from refine.lang.load import Loaded
from refine.lang.parse import parse
from refine.text.diag import Reporter, suggest
from refine.text.span import Source, Span


@dataclass(frozen=True, slots=True)
class Wish:
    """Edits, how they are said in a specification, and as options."""

    edits: tuple[ast.Edit, ...]
    said: tuple[str, ...]
    words: tuple[str, ...]


def wished(args: argparse.Namespace, loaded: Loaded, outline: Outline, reporter: Reporter) -> Wish:
    """All edits that the options ask for, in the order: mutants and variants, then the rest."""
    edits: list[ast.Edit] = []
    said: list[str] = []
    words: list[str] = []
    for role in ("mutant", "variant"):
        for name in getattr(args, role):
            edits += _declared(loaded, role, name, reporter)
            said.append(f"{role} {name}")
            words += [f"--{role}", name]
    for option, made in _plain(args):
        edits.append(made.edit)
        said.append(made.said)
        words += [option, *made.words]
    for step in args.yield_at:
        edits += _yield(step, loaded, outline, reporter)
        said.append(f"yield before {step}")
        words += ["--yield-at", step]
    if not edits and not reporter.has_errors:
        changes = "--drop X, --weaken X to Y, --yield-at Z, --mutant NAME, …"
        reporter.error("E0616", "nothing is asked", None, f"name a change: {changes}")
    return Wish(tuple(edits), tuple(said), tuple(words))


@dataclass(frozen=True, slots=True)
class _Plain:
    edit: ast.Edit
    said: str
    words: tuple[str, ...]


def _plain(args: argparse.Namespace) -> Iterator[tuple[str, _Plain]]:
    for text in args.drop:
        path = _path("--drop", text)
        yield "--drop", _Plain(ast.Drop(path, span=path.span), f"drop {text}", (text,))
    for what, _, to in args.weaken:
        path, other = _path("--weaken", what), _path("--weaken", to)
        yield (
            "--weaken",
            _Plain(ast.Weaken(path, other, span=path.span), f"weaken {what} to {to}", (what, "to", to)),
        )
    for text in args.delete:
        path = _path("--delete", text)
        yield "--delete", _Plain(ast.Delete((path,), span=path.span), f"delete {text}", (text,))
    for one, two in args.swap:
        first, second = _path("--swap", one), _path("--swap", two)
        yield "--swap", _Plain(ast.Swap(first, second, span=first.span), f"swap {one}, {two}", (one, two))
    for name, value in args.set:
        at = _span("--set", name)
        number = ast.Integer(value, span=at)
        edit = ast.SetParam(ast.Ident(name, span=at), number, span=at)
        yield "--set", _Plain(edit, f"set {name} = {value}", (f"{name}={value}",))


def _span(option: str, text: str) -> Span:
    return Span(Source(option, text), 0, len(text))


def _path(option: str, text: str) -> ast.Path:
    """A path as it was typed; also the address of something without a name, as `zapper.lock.when#1`."""
    span = _span(option, text)
    return ast.Path(tuple(ast.Ident(part, span=span) for part in text.split(".")), span=span)


def _declared(loaded: Loaded, role: str, name: str, reporter: Reporter) -> tuple[ast.Edit, ...]:
    known = {i.name.name: i for i in loaded.file.items if isinstance(i, ast.Edited) and i.role == role}
    if name not in known:
        near = suggest(name, known)
        help_ = f"did you mean '{near}'?" if near else f"it has: {', '.join(known)}" if known else None
        reporter.error("E0612", f"'{loaded.file.name.name}' has no {role} '{name}'", None, help_)
        return ()
    return known[name].edits


def _yield(step: str, loaded: Loaded, outline: Outline, reporter: Reporter) -> tuple[ast.Edit, ...]:
    """Perhaps, all locks held before a step are dropped, and taken again; others run in between."""
    span = _span("--yield-at", step)
    places = [a for a in outline.holds if a == step or a.startswith(f"{step}.")]
    if not places:
        near = suggest(step, outline.holds)
        reporter.error(
            "E0206", f"there is no step '{step}'", span, f"did you mean '{near}'?" if near else None
        )
        return ()
    held = outline.holds[places[0]]
    pairs = [_give_and_take(group, loaded) for group in held]
    if not held or None in pairs:
        lock = next((group for group, pair in zip(held, pairs, strict=True) if pair is None), None)
        why = (
            f"'{lock}' has no pair of ops to release and take it"
            if lock
            else f"no lock is held before '{step}'"
        )
        reporter.error(
            "E0617", f"nothing can be yielded: {why}", span, "name a step that is carried out under a lock"
        )
        return ()
    calls = [pair for pair in pairs if pair is not None]
    drop = " ".join(f"{give};" for give, _ in calls)
    retake = " ".join(
        f"step asked_retake_{k} {{ {take}; }}" for k, (_, take) in enumerate(reversed(calls), 1)
    )
    body = f"maybe {{ step asked_yield {{ {drop} }} {retake} }}"
    source = Source("--yield-at", f"protocol ask; mutant ask {{ insert before {step} {{ {body} }} }}")
    file = parse(source, reporter)
    return tuple(
        e for item in (file.items if file else ()) if isinstance(item, ast.Edited) for e in item.edits
    )


def _give_and_take(group: str, loaded: Loaded) -> tuple[str, str] | None:
    """The calls that release and take a hold, of an instance that the file declares."""
    owner, _, hold = group.rpartition(".")
    instances = [
        i for i in loaded.file.items if isinstance(i, ast.Instance) and i.name.name == owner and not i.dims
    ]
    types = [
        t for file in (*loaded.libraries, loaded.file) for t in file.items if isinstance(t, ast.TypeDecl)
    ]
    for instance in instances:
        for decl in types:
            if decl.name.name == instance.type.name.name:
                ops = [
                    m for m in decl.members if isinstance(m, ast.Op) and not m.formals and m.result is None
                ]
                give, take = _op(ops, "releases", hold), _op(ops, "acquires", hold)
                if give and take:
                    return f"{give}({owner})", f"{take}({owner})"
    return None


def _op(ops: Iterable[ast.Op], word: str, hold: str) -> str | None:
    return next((op.name.name for op in ops if (word, hold) in [(w, h.name) for w, h in op.effects]), None)
