"""Names of steps: what `zapper.flush.wait` or a tail of it stands for, in `at`, `after`, `because` and edits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from refine.core import expr as e
from refine.core.expr import Expr
from refine.core.fold import substitute
from refine.lang import ast
from refine.lang.context import Context
from refine.lang.declared import FREE, Declared
from refine.lang.flow import Flow
from refine.lang.scope import Family
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
            found = self.matching(flow, parts)
            if found is None:
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

    def matching(self, flow: Flow, parts: tuple[str, ...]) -> list[str] | None:
        """The steps that a path stands for, in an edited file what is left of them; None where there never was one."""
        now = list(flow.tree.steps)
        family = f"{flow.family.name}."
        before = [s.removeprefix(family) for s in self.cx.edits.known if s.startswith(family)]
        meant = matching(before, parts)
        if not meant:
            return matching(now, parts) or None
        left = [s for s in meant if s in flow.tree.steps]
        return left or [s for s in matching(now, parts) if s not in before]

    def unknown(self, path: ast.Path, flow: Flow) -> NoReturn:
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
        found = self.matching(flow, parts[1:])
        if found is None:
            self.unknown(ast.Path(path.parts[1:], span=path.span), flow)
        return [f"{parts[0]}.{n}" for n in found]

    def check_names(self, declared: Declared) -> None:
        """Mutants and variants speak of claims that exist."""
        claims = {s.name for s in declared.stated} | FREE
        for edited in declared.edits:
            for name in edited.claims:
                if name.name not in claims:
                    guess = suggest(name.name, claims)
                    self.cx.reporter.error(
                        "E0201", f"there is no claim '{name.name}'", name.span,
                        f"did you mean '{guess}'?" if guess else None,
                    )  # fmt: skip
