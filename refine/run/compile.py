"""From a core system to a Python function that expands packed states: what the explicit search runs.

Params unfold, and so do choices from small domains. The rules of a thread are sorted by the location that their
guard asks for, and each state tests each program counter once; within, guards are folded under what the location
says. What a rule assigns becomes one sum; where an assignment is conditional, or at a dynamic place with few values,
the rule is split into cases. The generated text contains only integers and generated names.

    init(seen, app, fail, found) -> n                      the initial states
    expand(front, seen, app, fail, found, held, last) -> n  the successors of all states of `front`
    thaw(states, held, get) -> n                           see `refine.run.stuck`

The first two return the number of transitions, put each new state into `seen` with its parent (-1 for an initial
state) and append it to the frontier, a state with a fault to `fail` instead. `found[k]` becomes the first state at
which question k is answered, which is about property k. `held[s]` becomes the mask of threads that cannot move in s
though they are neither finished nor idle, and `last[s]` some successor of such a state, or 0. Under symmetry,
`app(t, s)` does what is to be done with a raw successor not in `seen`. `thaw` takes from `held[s]` the threads that
are not in `get(t, 0)` for some successor t, drops what becomes empty, and returns the number of changes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from refine.core.expr import Expr, Op
from refine.core.fold import variables
from refine.core.system import Kind, Property, Rule, System
from refine.core.types import Array, Struct, Type, Value, cardinality, domain_values
from refine.run.code import Builder, Do, Term, pieces, subterms
from refine.run.eval import Refused, check_choices, defaults, values_of
from refine.run.layout import Layout, code, codes, is_scalar, layout, lowest, width
from refine.run.translate import Params, Translator, top
from refine.run.write import Writer

MOST_INSTANCES = 20_000
UNFOLD_EACH, UNFOLD_ALL = 16, 64  # choices among so many values are unfolded, so many in all
CASES = 32  # what one instance may be split into
CASES_EACH = 8


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


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled system."""

    system: System
    layout: Layout
    threads: tuple[Thread, ...]
    source: str
    init: Callable[..., int]
    expand: Callable[..., int]
    thaw: Callable[..., int] | None  # where STUCK is asked
    # By SATISFIABLE property of a rule with assumptions: the questions whether they were met, and the guard was.
    met: Mapping[str, int] = field(default_factory=dict)
    reached: Mapping[str, int] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        return self.source.count("\n")


def threads_of(system: System, packed: Layout) -> tuple[Thread, ...]:
    """Return all threads, family by family."""
    out: list[Thread] = []
    for k, family in enumerate(system.families):
        counter = packed.field(family.pc)
        one = counter.type.item if isinstance(counter.type, Array) else counter.type
        n = len(domain_values(counter.type.dom)) if isinstance(counter.type, Array) else 1
        locations = cardinality(one)
        assert locations is not None and is_scalar(one), "a program counter is an enum"
        for member in range(n):
            at = counter.offset + member * width(one)
            rest = family.done | family.idle
            out.append(Thread(k, member, at, width(one), locations, 1 << len(out), rest))
    return tuple(out)


def compile_system(system: System, asked: Sequence[Property], *, symmetric: bool = False) -> Program:
    """Compile `system` for the questions of `asked`, number k standing for `asked[k]`. May raise `Refused`."""
    try:
        return _Compiler(system, asked, symmetric=symmetric).program()
    except RecursionError:
        raise Refused("nests too deeply; explicit search does not compile it") from None


class _Compiler:
    def __init__(self, system: System, asked: Sequence[Property], *, symmetric: bool) -> None:
        self.system = system
        self.asked = asked
        self.symmetric = symmetric
        self.layout = layout(system)
        self.threads = threads_of(system, self.layout)
        self.params = Params()
        self.builder = Builder()
        self.constants: list[tuple[int, ...]] = []
        self.tracks = any(p.kind is Kind.STUCK for p in asked)
        self.foreign = self.tracks and _moves_others(system)
        self.steps = [(k, p) for k, p in enumerate(asked) if p.kind is Kind.STEP]
        self.havocs: dict[str, list[int]] = {}
        for k, p in enumerate(asked):
            if p.kind is Kind.SATISFIABLE:
                assert p.of is not None, "a SATISFIABLE property names its rule"
                self.havocs.setdefault(p.of[0], []).append(k)
        self.met = {
            asked[k].name: len(asked) + k
            for rule in (system.init, *system.rules)
            if any(w.assume is not None for w in rule.wheres)
            for k in self.havocs.get(rule.name, ())
        }
        self.reached = {name: k + len(asked) for name, k in self.met.items()}
        self.starting = False

    # --- the whole -------------------------------------------------------------------------------------------

    def program(self) -> Program:
        init, body = self._init(), self._body()
        lines = [*init, *_expander(body, tracks=self.tracks, symmetric=self.symmetric)]
        if self.tracks:
            lines += _thawer(body)
        source = "\n".join(lines) + "\n"
        space: dict[str, Any] = {f"K{k}": values for k, values in enumerate(self.constants)}
        try:
            exec(compile(source, "<rules>", "exec"), space)
        except (SyntaxError, MemoryError, RecursionError):
            raise Refused("nests too deeply; explicit search does not compile it") from None
        return Program(
            self.system,
            self.layout,
            self.threads,
            source,
            space["init"],
            space["expand"],
            space.get("thaw"),
            self.met,
            self.reached,
        )

    def _init(self) -> list[str]:
        start = self.layout.encode(defaults(self.system))
        self.starting = True
        out = Writer(self.layout.bits, 1)
        self._instance(out, Builder(start), Instance(self.system.init, {}, None, None))
        self.starting = False
        head = ["def init(seen, app, fail, found):", f" n = 0; s = {start}"]
        return [*head, *_rendered(out.lines, _stores("-1", symmetric=self.symmetric)), " return n"]

    def _body(self) -> list[str]:
        """Return what is done with one state."""
        out = Writer(self.layout.bits, 2)
        self._state_claims(out)
        pinned: dict[tuple[Thread, int], list[Instance]] = {}
        loose = []
        for instance in self._instances():
            if instance.pin is not None:
                pinned.setdefault(instance.pin, []).append(instance)
            elif instance.actor is not None:
                for location in range(instance.actor.locations):
                    pinned.setdefault((instance.actor, location), []).append(instance)
            else:
                loose.append(instance)
        for thread in self.threads:
            self._thread(out, thread, [pinned.get((thread, k), []) for k in range(thread.locations)])
        for instance in loose:
            with out.scope():
                self._instance(out, self.builder.fork(), instance)
        return ["  " + text for text in out.digit_lines()] + out.lines

    def _instances(self) -> Iterator[Instance]:
        total = 0
        probe = Builder()
        reader = self._reader(probe)
        counters = {family.pc for family in self.system.families}
        for rule in self.system.rules:
            check_choices(rule)
            for binder in rule.params:
                if cardinality(binder.type) is None:
                    raise Refused(
                        f"`{rule.name}` has infinitely many instances; explicit search cannot list them"
                    )
            domains = [[self._constant(b.type, v) for v in values_of(b.type)] for b in rule.params]
            for values in itertools.product(*domains):
                total += 1
                if total > MOST_INSTANCES:
                    raise Refused(
                        f"has more than {MOST_INSTANCES} instances of rules; explicit search does not compile it"
                    )
                env = {b.name: v for b, v in zip(rule.params, values, strict=True)}
                actor = self._actor(rule, values)
                known = probe.fork()
                for part in _conjuncts(rule.guard):
                    if variables([part]) & counters:
                        known.learn(reader.term(part, env))
                pins = [t for t in self.threads if known.known(t.offset, t.width) is not None or t.width == 0]
                pin = actor if actor in pins else next(iter(pins), None) if actor is None else None
                where = None if pin is None else (pin, known.known(pin.offset, pin.width) or 0)
                yield Instance(rule, env, actor, where)

    def _actor(self, rule: Rule, values: Sequence[Term]) -> Thread | None:
        if rule.actor is None:
            return None
        member = values[0].lo if self.system.families[rule.actor].index is not None else 0
        return next(t for t in self.threads if t.family == rule.actor and t.member == member)

    def _constant(self, type_: Type, value: Value) -> Term:
        return self.builder.const(code(type_, value) + (lowest(type_) if is_scalar(type_) else 0))

    def _reader(self, b: Builder) -> Translator:
        """Return a translator of what is asked of the state as it is."""
        memo: dict[str, Term] = {}

        def read(name: str) -> Term:
            if name not in memo:
                f = self.layout.field(name)
                raw = b.slice(f.offset, f.width, top(f.type))
                memo[name] = b.add(raw, b.const(lowest(f.type))) if is_scalar(f.type) else raw
            return memo[name]

        return Translator(b, self.params, read)

    # --- claims about states -----------------------------------------------------------------------------------

    def _state_claims(self, out: Writer) -> None:
        reader = self._reader(self.builder)
        for k, p in enumerate(self.asked):
            if p.kind not in (Kind.STATE, Kind.REACH):
                continue
            term = reader.term(p.cond, {})
            wanted = term if p.kind is Kind.REACH else self.builder.not_(term)
            if wanted.const == 0:
                continue
            out.count([wanted])
            with out.scope(), out.tests([] if wanted.const else [wanted]):
                out.line(f"{ASK}{k}")

    # --- threads -------------------------------------------------------------------------------------------------

    def _thread(self, out: Writer, thread: Thread, rules: Sequence[Sequence[Instance]]) -> None:
        bodies: list[tuple[int, list[str]]] = []
        for location, here in enumerate(rules):
            written = self._location(out, thread, location, here)
            if written:
                bodies.append((location, written))
        if thread.width == 0:
            out.lines += bodies[0][1] if bodies else []
        elif bodies:
            self._dispatch(out, thread, bodies)

    def _dispatch(self, out: Writer, thread: Thread, bodies: list[tuple[int, list[str]]]) -> None:
        b = self.builder
        counter = b.slice(thread.offset, thread.width, thread.locations - 1)
        if len(bodies) <= 2:
            for location, lines in bodies:
                with (
                    out.scope(),
                    out.tests([t] if (t := b.eq(counter, b.const(location))).const is None else []),
                ):
                    extra = out.indent - 2
                    out.lines += [" " * extra + text for text in lines]
            return
        with out.scope():
            name = out.number(counter)
            out.line(f"x = {name}")
            self._tree(out, bodies)

    def _tree(self, out: Writer, bodies: list[tuple[int, list[str]]]) -> None:
        if len(bodies) <= 4:
            for k, (location, lines) in enumerate(bodies):
                with out.block(f"{'elif' if k else 'if'} x == {location}:"):
                    extra = out.indent - 2
                    out.lines += [" " * extra + text for text in lines]
            return
        middle = len(bodies) // 2
        with out.block(f"if x < {bodies[middle][0]}:"):
            self._tree(out, bodies[:middle])
        with out.block("else:"):
            self._tree(out, bodies[middle:])

    def _location(self, out: Writer, thread: Thread, location: int, here: Sequence[Instance]) -> list[str]:
        """Return the lines for a thread at one location, indented as in a function's loop."""
        inner = Writer(self.layout.bits, 2)
        inner.digits = out.digits
        b = self.builder.fork()
        b.learn(b.eq(b.slice(thread.offset, thread.width, thread.locations - 1), b.const(location)))
        own = [i for i in here if i.actor is thread]
        others = [i for i in here if i.actor is not thread]
        tracked = self.tracks and (self.foreign or location not in thread.resting)
        moves = False
        before = len(inner.lines)
        for instance in own:
            with inner.scope():
                moves |= self._instance(inner, b.fork(), instance)
        if tracked and not moves:
            if len(inner.lines) == before:
                inner.line(f"{HELD}{thread.bit}")
            else:
                inner.lines.insert(before, f"  {MARK}")
                inner.line(f"{UNMOVED}{thread.bit}")
        for instance in others:
            with inner.scope():
                self._instance(inner, b.fork(), instance)
        return inner.lines

    # --- one instance of a rule -----------------------------------------------------------------------------------

    def _instance(self, out: Writer, b: Builder, instance: Instance) -> bool:
        """Write one instance; return whether it certainly makes a transition."""
        rule = instance.rule
        tests = []
        for part in _conjuncts(rule.guard):
            term = self._reader(b).term(part, instance.env)
            if term.const is None:
                tests.append(term)
            if not b.learn(term):
                return False
        questions = self.havocs.get(rule.name, []) if any(w.assume is None for w in rule.wheres) else []
        out.count(tests)
        with out.tests(tests):
            self._note(out, rule, self.reached)
            if questions:
                out.line("h = 0")
            self._choices(out, b, instance, dict(instance.env), 0, bool(questions))
            if questions:
                with out.block("if not h:"):
                    for k in questions:
                        out.line(f"{ASK}{k}")
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
                term = self._reader(b).term(where.cond, env)
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
                self._note(out, rule, self.met)
                self._leaf(out, b, instance, env)

    def _assumed(self, out: Writer, b: Builder, instance: Instance, env: dict[str, Term]) -> None:
        tests = []
        for where in instance.rule.wheres:
            if where.assume is not None:
                term = self._reader(b).term(where.cond, env)
                if term.const is None:
                    tests.append(term)
                if not b.learn(term):
                    return
        out.count(tests)
        with out.tests(tests):
            self._note(out, instance.rule, self.met)
            self._leaf(out, b, instance, env)

    def _note(self, out: Writer, rule: Rule, numbers: Mapping[str, int]) -> None:
        """Write down that a rule with assumptions could be taken but for them, or in spite of them."""
        for k in self.havocs.get(rule.name, ()):
            if self.asked[k].name in numbers:
                out.line(f"{ASK}{numbers[self.asked[k].name]}")

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
                    extended = {**env, binder.name: self._constant(binder.type, value)}
                    self._choices(out, b.fork(), instance, extended, depth + 1, flag)
            return
        if is_scalar(binder.type):
            low = lowest(binder.type)
            domain, variable = f"range({low}, {low + n})", b.name(depth, low, low + n - 1)
        else:
            self.constants.append(tuple(codes(binder.type)))
            domain = f"K{len(self.constants) - 1}"
            variable = b.name(depth, 0, (1 << width(binder.type)) - 1)
        with out.block(f"for c{depth} in {domain}:"), out.loop():
            self._choices(out, b.fork(), instance, {**env, binder.name: variable}, depth + 1, flag)

    # --- faults, cases and updates ----------------------------------------------------------------------------------

    def _leaf(self, out: Writer, b: Builder, instance: Instance, env: Mapping[str, Term]) -> None:
        """Write what happens under one valuation: the first fault that holds, or else the updates."""
        b = b.fork()
        faults: list[tuple[Term, int]] = []
        for fault in instance.rule.faults:
            term = self._reader(b).term(fault.cond, env)
            if term.const != 0:
                faults.append((term, fault.place))
            if not b.learn(b.not_(term)):
                break
        else:
            self._faults(out, faults, lambda: self._cases(out, b, instance, env, CASES))
            return
        self._faults(out, faults, lambda: None)

    def _faults(self, out: Writer, faults: Sequence[tuple[Term, int]], rest: Callable[[], None]) -> None:
        if not faults:
            rest()
            return
        test, place = faults[0]
        if test.const:
            self._fail(out, place)
            return
        out.count([test])
        with out.scope():
            with out.block(f"if {out.test([test])}:"):
                self._fail(out, place)
            with out.block("else:"):
                self._faults(out, faults[1:], rest)

    def _fail(self, out: Writer, place: int) -> None:
        out.line(COUNT)
        out.line(f"t = s + {place + 1 << self.layout.bits}")
        out.line(FAULTY)

    def _cases(
        self, out: Writer, b: Builder, instance: Instance, env: Mapping[str, Term], cases: int
    ) -> None:
        """Write the updates, as several cases where that makes each of them simpler."""
        reader = self._reader(b)
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
        self._fire(out, b, instance, env, after, changes)

    def _changes(self, b: Builder, after: Mapping[str, Term]) -> list[tuple[int, int, Term]]:
        """Return the bits that change: offset, width, new code."""
        reader = self._reader(b)
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
        env: Mapping[str, Term],
        after: Mapping[str, Term],
        changes: Sequence[tuple[int, int, Term]],
    ) -> None:
        """Write one transition: the assumptions about the new state, the claims about the step, the new state."""
        before = self._reader(b)
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


# --- the functions around what is done with one state ---------------------------------------------------------------

# Lines that differ between the functions; what follows `=` is an argument.
NEW, NEW_IN_LOOP, FAULTY, COUNT, MARK = "NEW", "NEW_IN_LOOP", "FAULTY", "COUNT", "MARK"
ASK, HELD, UNMOVED = "ASK=", "HELD=", "UNMOVED="


def _rendered(lines: Iterable[str], meaning: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines with those that stand for something written out; an empty meaning leaves a line out."""
    for line in lines:
        text = line.lstrip(" ")
        word, equals, argument = text.partition("=")
        if word + equals in meaning:
            yield line[: len(line) - len(text)] + (meaning[word + equals].replace("$", argument) or "pass")
        else:
            yield line


def _stores(parent: str, *, symmetric: bool) -> dict[str, str]:
    store = (
        f"if t not in seen: app(t, {parent})"
        if symmetric
        else f"if t not in seen: seen[t] = {parent}; app(t)"
    )
    return {
        NEW: store,
        NEW_IN_LOOP: store,
        FAULTY: store if symmetric else f"if t not in seen: seen[t] = {parent}; fail(t)",
        COUNT: "n += 1",
        MARK: "m = n",
        ASK: "found.setdefault($, s)",
        HELD: "b |= $",
        UNMOVED: "if n == m: b |= $",
    }


def _expander(body: Sequence[str], *, tracks: bool, symmetric: bool) -> list[str]:
    start = ["def expand(front, seen, app, fail, found, held, last):", " n = 0", " for s in front:"]
    first = ["  b = t = 0"] if tracks else ["  pass"]
    after = ["  if b: held[s] = b; last[s] = t"] if tracks else []
    return [*start, *first, *_rendered(body, _stores("s", symmetric=symmetric)), *after, " return n"]


def _thawer(body: Sequence[str]) -> list[str]:
    start = ["def thaw(states, held, get):", " n = 0", " for s in states:", "  b = held[s]"]
    after = ["  if not b: del held[s]; n += 1", "  elif b != held[s]: held[s] = b; n += 1"]
    meaning = dict.fromkeys((FAULTY, COUNT, MARK, ASK, HELD, UNMOVED), "")
    meaning[NEW_IN_LOOP] = "b &= get(t, 0)"
    meaning[NEW] = "if not (b := b & get(t, 0)): del held[s]; n += 1; continue"
    return [*start, *_rendered(body, meaning), *after, " return n"]


def _leaves(positions: Iterable[Term]) -> Iterator[Term]:
    """Yield the fields of the state that alone decide one of `positions`."""
    for position in positions:
        leaves = [x for x in subterms([position]) if x.do in (Do.SLICE, Do.NAME)]
        if len(leaves) == 1 and leaves[0].do is Do.SLICE:
            yield leaves[0]


def _conjuncts(x: Expr) -> tuple[Expr, ...]:
    return x.args if x.op is Op.AND else (x,)


def _moves_others(system: System) -> bool:
    """Tell whether some rule may change the program counter of a thread other than the one that takes the step."""
    counters = {family.pc: k for k, family in enumerate(system.families)}
    for rule in system.rules:
        for name, x in rule.updates:
            if name in counters:
                family = counters[name]
                one = system.families[family].index is None
                if rule.actor != family or not (one or _only_at(x, name, rule.params[0].name)):
                    return True
    return False


def _only_at(x: Expr, name: str, member: str) -> bool:
    """Tell whether `x` is variable `name` with no entry changed but that of `member`."""
    match x.op:
        case Op.VAR:
            return x.data == name
        case Op.STORE:
            array, index, _ = x.args
            return index.op is Op.PARAM and index.data == member and _only_at(array, name, member)
        case Op.ITE:
            return all(_only_at(a, name, member) for a in x.args[1:])
        case _:
            return False
