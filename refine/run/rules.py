"""One rule with values for its params, as lines of Python: guard, choices, faults, cases, the new state.

What is certain grows from the outside in: the location, then each conjunct of the guard, each condition on the
choices, each fault that did not happen, each case. A term is folded under what is certain where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from refine.core.expr import Expr, Op
from refine.core.fold import variables
from refine.core.system import Property, Rule, System
from refine.core.types import Array, Struct, Type, Value, cardinality, domain_values
from refine.run.code import Builder
from refine.run.eval import values_of
from refine.run.layout import Layout, code, is_scalar, lowest, width
from refine.run.terms import Do, Term, pieces, subterms
from refine.run.translate import Params, Translator, top
from refine.run.write import Writer

UNFOLD_EACH, UNFOLD_ALL = 16, 64  # choices among so many values are unfolded, so many in all
CASES = 32  # what one instance may be split into
CASES_EACH = 8

# Lines that differ between the functions; what follows `=` is an argument.
NEW, NEW_IN_LOOP, FAULTY, COUNT, MARK, SAME = "NEW", "NEW_IN_LOOP", "FAULTY", "COUNT", "MARK", "SAME"
ASK, HELD, UNMOVED, UNIT = "ASK=", "HELD=", "UNMOVED=", "UNIT="


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread: its family and number there, where its program counter lies, and its bit in masks."""

    family: int
    member: int
    offset: int
    width: int
    locations: int
    bit: int
    resting: frozenset[int]


@dataclass(frozen=True, slots=True)
class Instance:
    """A rule with values for its params; the thread that takes it; the location that its guard asks for."""

    rule: Rule
    env: Mapping[str, Term]
    actor: Thread | None
    pin: tuple[Thread, int] | None
    unit: int = -1  # what fairness counts as one, by its number


@dataclass(slots=True)
class RuleWriter:
    """Writes instances of the rules of one system. Questions are known by their numbers."""

    system: System
    layout: Layout
    steps: Sequence[tuple[int, Property]]  # claims about steps
    havocs: Mapping[str, Sequence[int]]  # by rule: whether its choices exist
    reached: Mapping[str, Sequence[int]]  # by rule: whether its guard holds somewhere
    met: Mapping[str, Sequence[int]]  # by rule: whether its assumptions too do
    starting: bool = False  # writing `init`
    labelled: bool = False  # whether it is told which unit moves, and that a step changes nothing
    builder: Builder = field(default_factory=Builder)
    params: Params = field(default_factory=Params)
    lists: dict[Type, int] = field(default_factory=dict)  # types whose values are listed for loops, by number

    def constant(self, type_: Type, value: Value) -> Term:
        return self.builder.const(code(type_, value) + (lowest(type_) if is_scalar(type_) else 0))

    def reader(self, b: Builder) -> Translator:
        """Return a translator of what is asked of the state as it is."""
        memo: dict[str, Term] = {}

        def read(name: str) -> Term:
            if name not in memo:
                f = self.layout.field(name)
                raw = b.slice(f.offset, f.width, top(f.type))
                memo[name] = b.add(raw, b.const(lowest(f.type))) if is_scalar(f.type) else raw
            return memo[name]

        return Translator(b, self.params, read)

    def instance(self, out: Writer, b: Builder, instance: Instance) -> bool:
        """Write one instance; return whether it certainly makes a transition."""
        rule = instance.rule
        if self.labelled:
            out.line(f"{UNIT}{instance.unit}")
        tests = []
        for part in conjuncts(rule.guard):
            term = self.reader(b).term(part, instance.env)
            if term.const is None:
                tests.append(term)
            if not b.learn(term):
                return False
        questions = self.havocs.get(rule.name, ()) if any(w.assume is None for w in rule.wheres) else ()
        out.count(tests)
        with out.tests(tests):
            self._ask(out, self.reached.get(rule.name, ()))
            if questions:
                out.line("h = 0")
            self._choices(out, b, instance, dict(instance.env), 0, bool(questions))
            if questions:
                with out.block("if not h:"):
                    self._ask(out, questions)
        return not tests and not rule.wheres and not self.system.assumes

    def _choices(
        self, out: Writer, b: Builder, instance: Instance, env: dict[str, Term], depth: int, flag: bool
    ) -> None:
        """Write the loops over the choices from number `depth` on, each condition as early as it can be asked."""
        rule = instance.rule
        names = [binder.name for binder in rule.choices]
        havocs = any(w.assume is None for w in rule.wheres)
        tests = []
        for assumed in (False, True):
            for where in rule.wheres:
                late = max(
                    (k + 1 for k, name in enumerate(names) if name in self.params.free(where.cond)), default=0
                )
                if where.assume is not None and havocs:
                    late = len(names)  # whether a `havoc` can be satisfied is another question
                if late != depth or (where.assume is not None) is not assumed:
                    continue
                if assumed and flag and depth == len(names):
                    break
                term = self.reader(b).term(where.cond, env)
                if term.const is None:
                    tests.append(term)
                if not b.learn(term):
                    return
        out.count(tests)
        with out.tests(tests):
            if depth < len(names):
                self._choose(out, b, instance, env, depth, flag)
            elif flag:
                out.line("h = 1")
                self._assumed(out, b, instance, env)
            else:
                self._ask(out, self.met.get(rule.name, ()))
                self._leaf(out, b, instance, env)

    def _assumed(self, out: Writer, b: Builder, instance: Instance, env: dict[str, Term]) -> None:
        tests = []
        for where in instance.rule.wheres:
            if where.assume is not None:
                term = self.reader(b).term(where.cond, env)
                if term.const is None:
                    tests.append(term)
                if not b.learn(term):
                    return
        out.count(tests)
        with out.tests(tests):
            self._ask(out, self.met.get(instance.rule.name, ()))
            self._leaf(out, b, instance, env)

    def _ask(self, out: Writer, numbers: Sequence[int]) -> None:
        for k in numbers:
            out.line(f"{ASK}{k}")

    def _choose(
        self, out: Writer, b: Builder, instance: Instance, env: dict[str, Term], depth: int, flag: bool
    ) -> None:
        binder = instance.rule.choices[depth]
        n = cardinality(binder.type)
        assert n is not None, "check_choices has refused infinite choices"
        unfolded = 1
        for other in instance.rule.choices[: depth + 1]:
            unfolded *= cardinality(other.type) or 1
        if n <= UNFOLD_EACH and unfolded <= UNFOLD_ALL:
            for value in values_of(binder.type):
                with out.scope():
                    extended = {**env, binder.name: self.constant(binder.type, value)}
                    self._choices(out, b.fork(), instance, extended, depth + 1, flag)
            return
        if is_scalar(binder.type):
            low = lowest(binder.type)
            domain, variable = f"range({low}, {low + n})", b.name(depth, low, low + n - 1)
        else:
            number = self.lists.setdefault(binder.type, len(self.lists))
            domain = f"K{number}"
            variable = b.name(depth, 0, (1 << width(binder.type)) - 1)
        with out.block(f"for c{depth} in {domain}:"), out.loop():
            self._choices(out, b.fork(), instance, {**env, binder.name: variable}, depth + 1, flag)

    # --- faults, cases and updates ----------------------------------------------------------------------------------

    def _leaf(self, out: Writer, b: Builder, instance: Instance, env: Mapping[str, Term]) -> None:
        """Write what happens under one valuation: the first fault that holds, or else the updates."""
        b = b.fork()
        faults: list[tuple[Term, int]] = []
        for fault in instance.rule.faults:
            term = self.reader(b).term(fault.cond, env)
            if term.const != 0:
                faults.append((term, fault.place))
            if not b.learn(b.not_(term)):
                break
        else:
            self._faults(out, faults, lambda: self._cases(out, b, instance, env, CASES))
            return
        self._faults(out, faults, lambda: None)

    def _faults(self, out: Writer, faults: Sequence[tuple[Term, int]], rest: Callable[[], None]) -> None:
        """Write the first fault that holds, and what else happens."""
        with ExitStack() as nested:
            for number, (test, place) in enumerate(faults):
                if test.const:
                    if number:
                        nested.enter_context(out.block("else:"))
                    self._fail(out, place)
                    return
                out.count([test])
                word = "elif" if number else "if"
                if number and out.needs_names(test):
                    nested.enter_context(out.block("else:"))
                    word = "if"
                with out.block(f"{word} {out.test([test])}:"):
                    self._fail(out, place)
            if faults:
                nested.enter_context(out.block("else:"))
            rest()

    def _fail(self, out: Writer, place: int) -> None:
        out.line(COUNT)
        out.line(f"t = s + {place + 1 << self.layout.bits}")
        out.line(FAULTY)

    def _cases(
        self, out: Writer, b: Builder, instance: Instance, env: Mapping[str, Term], cases: int
    ) -> None:
        """Write the updates, as several cases where that makes each of them simpler."""
        reader = self.reader(b)
        after = {
            name: reader.recode(reader.term(x, env), x.type, self.layout.field(name).type)
            for name, x in instance.rule.updates
        }
        changes = self._changes(b, after)
        for leaf in _leaves(b.positions):
            n = leaf.hi - leaf.lo + 1
            if n > min(CASES_EACH, cases):
                continue
            for k in range(leaf.lo, leaf.hi + 1):
                case = b.fork()
                test = case.eq(leaf, case.const(k))
                header = f"{'if' if k == leaf.lo else 'elif'} {out.test([test])}:"
                case.learn(test)
                with out.block("else:" if k == leaf.hi else header):
                    self._cases(out, case, instance, env, cases // n)
            return
        tests = [x.args[0] for _, _, x in changes if x.do is Do.ITE]
        if tests and cases > 1:
            out.count(tests[:1])
            with out.scope():
                for header, way in ((f"if {out.test(tests[:1])}:", tests[0]), ("else:", b.not_(tests[0]))):
                    case = b.fork()
                    with out.block(header):
                        if case.learn(way):
                            self._cases(out, case, instance, env, cases // 2)
            return
        self._fire(out, b, instance, after, changes)

    def _changes(self, b: Builder, after: Mapping[str, Term]) -> list[tuple[int, int, Term]]:
        """Return the bits that change: offset, width, new code."""
        reader = self.reader(b)
        out: list[tuple[int, int, Term]] = []
        for name, x in after.items():
            f = self.layout.field(name)
            self._piecewise(b, f.type, f.offset, reader.to_code(f.type, x), out)
        return out

    def _piecewise(self, b: Builder, type_: Type, at: int, x: Term, out: list[tuple[int, int, Term]]) -> None:
        """Split what is assigned into the parts that differ from what is there."""
        bits = width(type_)
        if bits == 0 or (x.do is Do.SLICE and x.data == (at, bits)):
            return
        if x.do is Do.CAT or (x.do is Do.CONST and not is_scalar(type_) and bits <= 64 * 8):
            if isinstance(type_, Array):
                step = width(type_.item)
                for k in range(len(domain_values(type_.dom))):
                    self._piecewise(
                        b, type_.item, at + k * step, b.part(x, k * step, step, top(type_.item)), out
                    )
                return
            if isinstance(type_, Struct):
                offset = 0
                for _, t in type_.fields:
                    self._piecewise(b, t, at + offset, b.part(x, offset, width(t), top(t)), out)
                    offset += width(t)
                return
            if x.do is Do.CAT:
                for piece, offset, n in pieces(x):
                    if not (piece.do is Do.SLICE and piece.data == (at + offset, n)):
                        out.append((at + offset, n, piece))
                return
        if x.const is None or b.known(at, bits) != x.const:
            out.append((at, bits, x))

    def _fire(
        self,
        out: Writer,
        b: Builder,
        instance: Instance,
        after: Mapping[str, Term],
        changes: Sequence[tuple[int, int, Term]],
    ) -> None:
        """Write one transition: the assumptions about the new state, the claims about the step, the new state."""
        before = self.reader(b)
        later = Translator(b, self.params, lambda name: after.get(name) or before.read(name), before)
        assumed = [
            later.term(a.cond, {})
            for a in self.system.assumes
            if self.starting or variables([a.cond]) & after.keys()
        ]
        if any(x.const == 0 for x in assumed):
            return
        broken = []
        for k, p in self.steps:
            if not self.starting and (p.of is None or instance.rule.step in p.of):
                x = b.not_(later.term(p.cond, {}))
                if x.const != 0:
                    broken.append((k, x))
        tests = [x for x in assumed if x.const is None]
        out.count([*tests, *(x for _, x in broken), *(x for _, _, x in changes)])
        with out.tests(tests):
            for k, x in broken:
                with out.tests([] if x.const else [x]):
                    out.line(f"{ASK}{k}")
            out.line(COUNT)
            if changes or self.starting:
                out.line(f"t = {self._successor(out, b, changes)}")
                out.line(NEW_IN_LOOP if out.loops else NEW)
            elif self.labelled:
                out.line(SAME)

    def _successor(self, out: Writer, b: Builder, changes: Sequence[tuple[int, int, Term]]) -> str:
        """Return the text of the new state: what is kept, plus constants, plus what is computed."""
        cleared = total = 0
        parts = []
        for offset, bits, x in changes:
            old = b.known(offset, bits)
            if old is None:
                cleared |= (1 << bits) - 1 << offset
            else:
                total -= old << offset
            if x.const is None:
                parts.append(out.shifted(x, offset))
            else:
                total += x.const << offset
        everything = (1 << self.layout.bits) - 1
        kept = ["0"] if cleared == everything else [f"(s & {everything ^ cleared})"] if cleared else ["s"]
        text = " + ".join([*kept, *parts])
        return text + (f" + {total}" if total > 0 else f" - {-total}" if total else "")


def _leaves(positions: Iterable[Term]) -> Iterator[Term]:
    """Yield the fields of the state that alone decide one of `positions`."""
    for position in positions:
        leaves = [x for x in subterms([position]) if x.do in (Do.SLICE, Do.NAME)]
        if len(leaves) == 1 and leaves[0].do is Do.SLICE:
            yield leaves[0]


def conjuncts(x: Expr) -> tuple[Expr, ...]:
    return x.args if x.op is Op.AND else (x,)
