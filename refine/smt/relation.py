"""The initial states and one step of a system in gates, with a literal for each atom before and after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from refine.core.system import Kind, Property, System
from refine.smt.cells import Cells
from refine.smt.gates import TRUE, Blaster, NotBits
from refine.smt.sat import inputs
from refine.smt.shape import leaves
from refine.smt.term import Term
from refine.smt.unroll import Frame, Step, TooLarge, Unrolling


class Relation:
    """The initial states and one step in gates: what IC3 asks about."""

    def __init__(self, system: System, cells: Cells, properties: Sequence[Property]) -> None:
        self.unrolling = unrolling = Unrolling(system)
        if unrolling.exact:
            raise NotBits
        self.blaster = blaster = Blaster()
        gates = blaster.gates
        frame, conds = unrolling.arbitrary("0")
        self.always = [blaster.literal(c) for c in conds]
        self.init = unrolling.initial()
        self.step = unrolling.step(frame, "1")
        for values in frame.values.values():
            for x in leaves(values):
                blaster(x)  # read before anything is defined: these are free
        self._chosen = [bit for bit in self._choices(self.step) if abs(bit) != TRUE]
        self._choices(self.init)
        begins, possible = self._constraint(self.init), self._constraint(self.step)
        self.begins = gates.and_((begins, -blaster.literal(self.init.after.faulted)))
        self.fair = gates.and_((possible, -blaster.literal(self.step.after.faulted)))
        same = (
            -gates.xor(a, b)
            for v in frame.values
            for x, y in zip(leaves(frame.values[v]), leaves(self.init.after.values[v]), strict=True)
            for a, b in zip(blaster(x), blaster(y), strict=True)
        )
        self.start = gates.and_((self.begins, *same))
        self.now, self.after = [0], [0]  # by literal; negative ones count from the end
        first = [0]
        for atom in range(1, len(cells)):
            saying = cells.saying(atom)
            self.now.append(blaster.literal(frame.encoder.truth(saying)))
            self.after.append(blaster.literal(self.step.after.encoder.truth(saying)))
            first.append(blaster.literal(self.init.after.encoder.truth(saying)))
        self.now += [-x for x in reversed(self.now[1:])]
        self.after += [-x for x in reversed(self.after[1:])]
        # Where there is one initial state, it is known without asking.
        self.fixed = [x == TRUE for x in first] if all(abs(x) == TRUE for x in first[1:]) else None
        self.bad: dict[str, int] = {}
        self.bad_at_once: dict[str, int] = {}
        self.good: dict[str, int] = {}  # what a property, once proved, says of the state before the step
        self.refused: dict[str, str] = {}  # properties that are too large to be asked, and why
        for p in properties:
            try:
                bad = blaster.literal(unrolling.bad(p, self.step, self.step.after))
            except TooLarge as why:
                self.refused[p.name] = str(why)
                continue
            self.good[p.name] = blaster.literal(claimed(p, frame))
            at_once = blaster.literal(unrolling.bad(p, None, self.init.after))
            self.bad[p.name] = gates.and_((possible, bad))
            self.bad_at_once[p.name] = gates.and_((begins, at_once))

    def _constraint(self, step: Step) -> int:
        """Whether the step is possible; inputs that only name its results are no constraint."""
        wanted = [c for c in step.possible if not self.blaster.define(c)]
        return self.blaster.gates.and_(self.blaster.literal(c) for c in wanted)

    def _choices(self, step: Step) -> list[int]:
        """The bits of what a step chooses: the rule, its params, its choices."""
        chosen = {} if step.selector is None else {step.selector: None}
        chosen |= {x: None for case in step.cases for sym in case.env.values() for x in leaves(sym)}
        return list(dict.fromkeys(bit for x in chosen for bit in self.blaster(x)))

    def into(self, cube: Iterable[int]) -> int:
        """Whether the step leads into the cube."""
        return self.blaster.gates.and_((self.fair, *(self.after[x] for x in cube)))

    def choices(self, values: Sequence[int]) -> list[int]:
        """The literals of the choices that a model makes."""
        return [bit if _on(values, bit) else -bit for bit in self._chosen]

    def value(self, values: Sequence[int], literal: int) -> bool:
        """What a literal is in a model; it is a gate that the solver was told of, or a constant."""
        return _on(values, abs(literal)) is (literal > 0)

    def inputs(self, values: Sequence[int]) -> dict[str, bool | int]:
        """All inputs in a model."""
        return inputs(self.blaster, values)


def claimed(p: Property, frame: Frame) -> Term:
    """What a property that holds for ever says of one state without fault; of some kinds nothing."""
    match p.kind:
        case Kind.STATE:
            return frame.encoder.truth(p.cond)
        case Kind.REACH:  # proved never to be reached
            return frame.encoder.terms.not_(frame.encoder.truth(p.cond))
        case _:
            return frame.encoder.terms.true


def _on(values: Sequence[int], node: int) -> bool:
    return node == TRUE or (node <= len(values) and values[node - 1] > 0)
