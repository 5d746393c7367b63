"""Names of steps: what `zapper.flush.wait` or a tail of it stands for, in `at`, `after`, `because` and edits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refine.core import expr as e
from refine.core.expr import Expr
from refine.core.fold import substitute
from refine.lang import ast
from refine.lang.context import Context
from refine.lang.declared import FREE, Declared
from refine.lang.flow import Flow
from refine.lang.scope import Family, Function
from refine.text.diag import suggest


def _is_tail(parts: tuple[str, ...], name: str) -> bool:
    own = name.split(".")
    return tuple(own[-len(parts) :]) == parts


def matching(names: list[str], parts: tuple[str, ...]) -> list[str]:
    """The steps that a path stands for: one by its tail, or all within a label or procedure by the tail of its path."""
    exact = [n for n in names if _is_tail(parts, n)]
    if exact:
        return exact
    found = []
    for name in names:
        own = name.split(".")
        if any(_is_tail(parts, ".".join(own[:k])) for k in range(1, len(own))):
            found.append(name)
    return found


@dataclass(slots=True)
class Steps:
    """Resolves paths, and says where threads are."""

    cx: Context
    flows: Mapping[str, Flow]
    rules: set[str]

    def at(self, family: Family, index: Expr | None, steps: tuple[ast.Path, ...]) -> Expr:
        flow = self.flows[family.name]
        wanted: set[str] = set()
        end = False
        for path in steps:
            parts = tuple(p.name for p in path.parts)
            if parts == ("end",):
                end = True
                continue
            found = matching(list(flow.tree.steps), parts)
            if not found:
                self.unknown(path, flow)
            if len(found) > 1 and all(_is_tail(parts, n) for n in found):
                self.cx.fail(
                    "E0206",
                    f"'{path}' is ambiguous: {', '.join(reversed(found))}",
                    path.span,
                    "write more of its path",
                )
            wanted |= set(found)
        parts_ = []
        for location in flow.locations.values():
            conds = [c for name, c in location.conds if name in wanted]
            if end and location.point is None:
                conds = [e.TRUE]
            if conds:
                parts_.append(e.and_(flow.at(location, index), e.or_(*conds)))
        result = e.or_(*parts_)
        if flow.binder is not None and index is not None:
            result = substitute(result, {flow.binder.name: index})
        return result

    def unknown(self, path: ast.Path, flow: Flow) -> None:
        names = {n.rpartition(".")[2] for n in flow.tree.steps}
        guess = suggest(path.parts[-1].name, names)
        self.cx.fail(
            "E0206", f"thread '{flow.family.name}' has no step '{path}'", path.span,
            f"did you mean '{guess}'?" if guess else f"it has: {', '.join(flow.tree.steps)}",
        )  # fmt: skip

    def resolve(self, path: ast.Path, owner: str) -> list[str]:
        """The `Rule.step`s that a path from outside a thread stands for."""
        parts = tuple(p.name for p in path.parts)
        prefix = owner.rpartition(".")[0]
        for name in (str(path), f"{prefix}.{path}"):
            if name in self.rules:
                return [name]
        flow = self.flows.get(parts[0])
        if flow is None:
            self.cx.fail(
                "E0206", f"'{parts[0]}' is neither a thread nor a rule", path.span,
                f"threads: {', '.join(self.flows)}" if self.flows else None,
            )  # fmt: skip
        if len(parts) == 1:
            return [f"{parts[0]}.{n}" for n in flow.tree.steps]
        found = matching(list(flow.tree.steps), parts[1:])
        if not found:
            self.unknown(ast.Path(path.parts[1:], span=path.span), flow)
        return [f"{parts[0]}.{n}" for n in found]

    def check_names(self, declared: Declared) -> None:
        """Reasons, mutants and variants speak of claims, steps, labels and holds that exist."""
        claims = {s.name for s in declared.stated} | FREE
        reasons = self.reasons(declared)
        for stated in declared.stated:
            if isinstance(stated.decl, ast.Claim):
                for path in stated.decl.because:
                    self.reason(path, reasons)
        for edited in declared.edits:
            for name in edited.claims:
                if name.name not in claims:
                    guess = suggest(name.name, claims)
                    self.cx.reporter.error(
                        "E0201", f"there is no claim '{name.name}'", name.span,
                        f"did you mean '{guess}'?" if guess else None,
                    )  # fmt: skip
            for edit in edited.edits:
                for path in _addresses(edit):
                    self.address(path)
                if isinstance(edit, ast.Drop):
                    self.reason(edit.path, reasons)

    def reasons(self, declared: Declared) -> set[str]:
        """The names that protective elements have: assumptions, guards, labels, calls and holds."""
        found = {s.name for s in declared.stated if isinstance(s.decl, ast.AssumeItem)}
        for instance, _ in declared.instances:
            for name, member in instance.scope.names.items():
                if isinstance(member, Function):
                    found |= {name, f"{instance.name}.{name}"}
                    found |= {f"{instance.name}.{n}" for n in _labels(member.decl)} | _labels(member.decl)
        for function in declared.functions:
            found |= {function.decl.name.name} | _labels(function.decl)
        for source in declared.rules:
            found |= {source.name} | {f"{source.name}.{n}" for n in _labels(source.decl)}
        for flow in self.flows.values():
            family = flow.family.name
            inner = {*flow.tree.steps, *flow.tree.labels}
            for name, point in flow.tree.steps.items():
                inner |= {f"{name}.{n}" for n in _labels(point.step)}
            found |= {f"{family}.{n}" for n in inner}
        return found

    def reason(self, path: ast.Path, known: set[str]) -> None:
        parts = tuple(p.name for p in path.parts)
        if str(path) in known or any(_is_tail(parts, name) for name in known):
            return
        family, rest = parts[0], parts[1:]
        if rest and family in self.flows:
            own = [n.partition(".")[2] for n in known if n.startswith(f"{family}.")]
            if any(_is_tail(rest, name) for name in own):
                return
        guess = suggest(parts[-1], {n.rpartition(".")[2] for n in known})
        self.cx.reporter.error(
            "E0206", f"there is no assumption, guard, hold, call or step '{path}'", path.span,
            f"did you mean '{guess}'?" if guess else None,
        )  # fmt: skip

    def address(self, path: ast.Path) -> None:
        """A path in an edit must name a step, a label or a call of a thread, or a rule."""
        parts = tuple(p.name for p in path.parts)
        flow = self.flows.get(parts[0])
        if flow is None:
            if str(path) not in self.rules:
                self.cx.reporter.error(
                    "E0206", f"'{parts[0]}' is neither a thread nor a rule", path.span,
                    f"threads: {', '.join(self.flows)}" if self.flows else None,
                )  # fmt: skip
            return
        names = [*flow.tree.steps, *flow.tree.labels]
        if len(parts) > 1 and not matching(names, parts[1:]):
            guess = suggest(parts[-1], {n.rpartition(".")[2] for n in names})
            self.cx.reporter.error(
                "E0206", f"thread '{parts[0]}' has no step or label '{'.'.join(parts[1:])}'", path.span,
                f"did you mean '{guess}'?" if guess else None,
            )  # fmt: skip


def _labels(node: object) -> set[str]:
    """The names given inside a step, op or rule: labels, conjuncts and assumptions."""
    found = set()
    for inner in ast.walk(node):
        label = getattr(inner, "label", None)
        if isinstance(label, ast.Ident):
            found.add(label.name)
        if isinstance(inner, ast.Assume | ast.Require):
            found.add(inner.name.name)
        if isinstance(inner, ast.Call):
            found.add(inner.name.name)
    return found


def _addresses(edit: ast.Edit) -> tuple[ast.Path, ...]:
    match edit:
        case ast.Delete(paths):
            return paths
        case ast.Swap(first, second):
            return (first, second)
        case ast.Replace(path) | ast.Insert(_, path):
            return (path,)
        case _:
            return ()
