"""What is claimed: claims, lemmas, reaches and assumptions as properties of the core, and the free claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from refine.core import expr as e
from refine.core import system as core
from refine.core.expr import Binder, Expr
from refine.lang import ast
from refine.lang.access import indexed_instance
from refine.lang.calls import apply
from refine.lang.context import Abort, Context, Term, domain_type
from refine.lang.declared import Declared, RuleSource, Stated
from refine.lang.elements import Element, shown
from refine.lang.exprs import Typer
from refine.lang.flow import Flow
from refine.lang.paths import Steps
from refine.lang.scope import Bound, Function, Instance, Scope
from refine.text.diag import suggest


@dataclass(slots=True)
class Properties:
    """Makes the properties of one system."""

    cx: Context
    declared: Declared
    flows: Mapping[str, Flow]
    steps: Steps
    places: Mapping[core.Place, int]
    rules: list[core.Rule]

    def all(self) -> list[core.Property]:
        made = [p for stated in self.declared.stated if (p := self.stated(stated)) is not None]
        self.unknown_names(made)
        return made + self.free_claims()

    def assumes(self) -> tuple[core.Assume, ...]:
        return tuple(a for stated in self.declared.stated if (a := self.assume(stated)) is not None)

    def condition(self, node: ast.Expr, scope: Scope, old_ok: bool = False) -> Term:
        typer = Typer(self.cx, old_ok=old_ok)
        return typer.condition(node, scope)

    def stated(self, stated: Stated) -> core.Property | None:
        decl = stated.decl
        scope = inside(stated)
        try:
            match decl:
                case ast.AssumeItem():
                    return None
                case ast.Reach(_, doc, cond):
                    term = self.condition(cond, scope)
                    holds = e.and_(term.expr, *(e.not_(c.bad) for c in term.checks))
                    for binder in reversed(stated.dims):
                        holds = e.exists(binder, holds)
                    return core.Property(
                        stated.name, core.Kind.REACH, holds, "reach", doc.value if doc else "",
                        text=" ".join(cond.span.text.split()), span=decl.span,
                    )  # fmt: skip
                case ast.Claim():
                    return self.claim(stated, decl, scope)
        except Abort:
            return None

    def claim(self, stated: Stated, decl: ast.Claim, scope: Scope) -> core.Property:
        of: tuple[str, ...] | None = None
        kind = core.Kind.STATE
        match decl.property:
            case ast.Always(cond):
                term = self.condition(cond, scope)
            case ast.Never(cond):
                inner = self.condition(cond, scope)
                term = Term(e.not_(inner.expr), inner.checks)
            case ast.After(paths, cond) | ast.StepProperty(paths, cond):
                kind = core.Kind.STEP
                of = (
                    tuple(dict.fromkeys(s for p in paths for s in self.steps.resolve(p, stated.name)))
                    if paths
                    else None
                )
                term = self.condition(cond, scope, old_ok=True)
            case ast.Eventually() | ast.LeadsTo() | ast.EachLive():
                return self.live(stated, decl, decl.property, scope)
            case _:
                assert_never(decl.property)
        holds = e.and_(term.expr, *(e.not_(c.bad) for c in term.checks))
        for binder in reversed(stated.dims):
            holds = e.forall(binder, holds)
        return self.made(stated, decl, kind, holds, of)

    def live(
        self,
        stated: Stated,
        decl: ast.Claim,
        prop: ast.Eventually | ast.LeadsTo | ast.EachLive,
        scope: Scope,
    ) -> core.Property:
        each = list(stated.dims)
        if isinstance(prop, ast.EachLive):
            for binder in prop.binders:
                assert binder.type is not None, "the grammar asks for one"
                made = Binder(self.cx.fresh(binder.name.name), domain_type(self.cx, scope, binder.type))
                each.append(made)
                scope = scope.child(**{binder.name.name: Bound(e.param(made.name, made.type))})
            prop = prop.property
        given = None
        if isinstance(prop, ast.LeadsTo):
            first, term = self.condition(prop.before, scope), self.condition(prop.after, scope)
            # Where it is undefined, it may hold.
            given = e.or_(first.expr, *(c.bad for c in first.checks))
        else:
            term = self.condition(prop.cond, scope)
        holds = e.and_(term.expr, *(e.not_(c.bad) for c in term.checks))
        found = self.made(stated, decl, core.Kind.LIVENESS, holds, None)
        return replace(found, given=given, each=tuple(each))

    def made(
        self, stated: Stated, decl: ast.Claim, kind: core.Kind, holds: Expr, of: tuple[str, ...] | None
    ) -> core.Property:
        prefix = stated.name.rpartition(".")[0]
        return core.Property(
            stated.name, kind, holds, decl.role, decl.doc.value if decl.doc else "", of,
            using=tuple(f"{prefix}.{p}" if prefix else str(p) for p in decl.using),
            because=tuple(str(p) for p in decl.because), cites=tuple(c.value for c in decl.cites),
            text=" ".join(decl.property.span.text.split()), span=decl.span,
        )  # fmt: skip

    def assume(self, stated: Stated) -> core.Assume | None:
        if not isinstance(stated.decl, ast.AssumeItem):
            return None
        try:
            term = self.condition(stated.decl.cond, inside(stated))
        except Abort:
            return None
        decl = stated.decl
        element = Element(
            stated.name, "assumption", shown(decl.cond.span), decl.span, library=bool(stated.instance)
        )
        if self.cx.relaxed(element):
            return None
        holds = e.and_(term.expr, *(e.not_(c.bad) for c in term.checks))
        for binder in reversed(stated.dims):
            holds = e.forall(binder, holds)
        return core.Assume(stated.name, holds, stated.decl.span)

    def unknown_names(self, properties: list[core.Property]) -> None:
        """Every lemma that is used must exist."""
        names = {p.name for p in properties}
        for stated in self.declared.stated:
            prefix = stated.name.rpartition(".")[0]
            for path in stated.decl.using if isinstance(stated.decl, ast.Claim) else ():
                used = f"{prefix}.{path}" if prefix else str(path)
                if used not in names:
                    guess = suggest(used, names)
                    self.cx.reporter.error(
                        "E0201", f"there is no lemma or claim '{used}'", path.span,
                        f"did you mean '{guess}'?" if guess else None,
                    )  # fmt: skip

    def free_claims(self) -> list[core.Property]:
        made = [
            core.Property(
                "defined", core.Kind.FAULT, e.TRUE, "free", "nothing undefined is executed",
                places=tuple(range(len(self.places))),
            )
        ]  # fmt: skip
        balanced = self.balanced()
        if balanced is not e.TRUE:
            made.append(
                core.Property(
                    "balanced", core.Kind.STATE, balanced, "free", "a thread that has ended holds nothing",
                    text="a thread that has ended holds nothing",
                )
            )  # fmt: skip
        made += [
            core.Property(
                f"satisfiable.{rule.name}", core.Kind.SATISFIABLE, e.TRUE, "free",
                "every havoc has a value", of=(rule.name,), span=rule.span,
            )
            for rule in self.rules
            if any(w.assume is None for w in rule.wheres)
        ]  # fmt: skip
        if self.flows:
            made.append(
                core.Property(
                    "stuck", core.Kind.STUCK, e.TRUE, "free", "no thread is for ever unable to move"
                )
            )
        return made

    def balanced(self) -> Expr:
        parts = []
        for flow in self.flows.values():
            end = flow.locations.get(id(None))
            if end is None:
                continue
            for instance, binders in self.declared.instances:
                inner = instance
                for binder in binders:
                    inner = indexed_instance(inner, e.param(binder.name, binder.type))
                for member in inner.scope.names.values():
                    if isinstance(member, Function) and isinstance(member.decl, ast.Hold):
                        try:
                            me = [Term(flow.tree.self_)]
                            held = apply(Typer(self.cx), member, ["self"], me, member.decl.name.span)
                        except Abort:
                            continue
                        part = e.implies(flow.at(end), e.not_(held.expr))
                        for binder in reversed((*binders, *([flow.binder] if flow.binder else []))):
                            part = e.forall(binder, part)
                        parts.append(part)
        return e.and_(*parts)


def inside(source: RuleSource | Stated) -> Scope:
    """The scope of a member, of an array of instances under the indices that it is stated for."""
    if not source.dims or source.instance is None:
        return source.scope
    instance: Instance = source.instance
    for binder in source.dims:
        instance = indexed_instance(instance, e.param(binder.name, binder.type))
    return instance.scope
