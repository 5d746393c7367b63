"""From a core system to a Python function that expands packed states: what the explicit search runs.

Params unfold, and so do choices from small domains. The rules of a thread are sorted by the location that their
guard asks for, and each state tests each program counter once; within, guards are folded under what the location
says. What a rule assigns becomes one sum; where an assignment is conditional, or at a dynamic place with few values,
the rule is split into cases. The generated text contains only integers and generated names.

    init(seen, app, fail, found) -> n                       the initial states
    expand(front, seen, app, fail, found, held, done) -> n  the successors of all states of `front`
    thaw(states, held, get) -> n                            see `refine.run.stuck`

The first two return the number of transitions, put each new state into `seen` with its parent (-1 for an initial
state) and append it to the frontier, a state with a fault to `fail` instead. `found[k]` becomes the first state at
which question k is answered, which is about property k. To the list `held` come three numbers for each state s with
threads that cannot move though they are neither finished nor idle: s, the mask of these threads, and some successor
of s, or 0. To `thaw`, `held[s]` is the mask of threads that may be stuck in s; it takes from it those that are not in
`get(t, 0)` for some successor t, drops what becomes empty, and returns the number of changes. `done` has the sets in
which one search remembers which claims it has asked of which bits.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from refine.core.expr import Expr
from refine.core.fold import variables
from refine.core.location import moves_others
from refine.core.show import plain_names
from refine.core.system import Kind, Property, Rule, System
from refine.core.types import Array, Value, cardinality, domain_values, show_value
from refine.run.code import Builder
from refine.run.eval import Refused, check_choices, defaults, values_of
from refine.run.layout import Layout, codes, is_scalar, layout, width
from refine.run.rules import (
    ASK,
    COUNT,
    FAULTY,
    HELD,
    MARK,
    NEW,
    NEW_IN_LOOP,
    SAME,
    UNIT,
    UNMOVED,
    Instance,
    RuleWriter,
    Thread,
    conjuncts,
)
from refine.run.terms import Do, Term, subterms
from refine.run.write import Writer

MOST_INSTANCES = 20_000
MOST_REMEMBERED = 22  # bits that claims are remembered by
WORTH_REMEMBERING = 12  # terms, below which asking again costs less


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
    memories: int  # how many sets `expand` needs to remember what it has asked
    # By the number of a SATISFIABLE property whose rule has assumptions: the questions whether these, and its guard,
    # were met.
    met: Mapping[int, int] = field(default_factory=dict)
    reached: Mapping[int, int] = field(default_factory=dict)

    @property
    def choices(self) -> int:
        """The number of combinations of choices that the widest rule has."""
        sizes = [[cardinality(b.type) or 1 for b in rule.choices] for rule in self.system.rules]
        return max(map(math.prod, sizes), default=1)


@dataclass(frozen=True, slots=True)
class Unit:
    """What fairness counts as one: a step of a thread, or a rule with values for its params."""

    name: str
    fair: str  # "weak" or "strong"
    rules: frozenset[str]  # the rules of the step
    params: tuple[Value, ...]  # the thread's number, if it has one; of a rule, all of them

    def takes(self, rule: str, params: Sequence[Value]) -> bool:
        return rule in self.rules and tuple(params[: len(self.params)]) == self.params


@dataclass(frozen=True, slots=True)
class Graph:
    """A system compiled to tell all of its steps, with who takes them, and where some conditions hold.

    init(seen, app, fail, found) -> n   as of a `Program`
    graph(states, out)                  calls `out(a)` for each state, a list: the mask of the conditions that hold,
                                        then for each step its unit (-1: none that is fair) and its successor,
                                        -1 where something is undefined
    """

    system: System
    layout: Layout
    units: tuple[Unit, ...]
    init: Callable[..., int]
    graph: Callable[..., None]


def compile_graph(system: System, conditions: Sequence[Expr]) -> Graph:
    """Compile `system` for questions about its runs. May raise `Refused`."""
    try:
        return _Compiler(system, ()).graph(conditions)
    except RecursionError:
        raise Refused("the system nests too deeply; explicit search does not compile it") from None


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


def compile_system(system: System, asked: Sequence[Property]) -> Program:
    """Compile `system` for the questions of `asked`, number k standing for `asked[k]`. May raise `Refused`."""
    try:
        return _Compiler(system, asked).program()
    except RecursionError:
        raise Refused("the system nests too deeply; explicit search does not compile it") from None


class _Compiler:
    def __init__(self, system: System, asked: Sequence[Property]) -> None:
        self.system = system
        self.asked = asked
        self.layout = layout(system)
        self.threads = threads_of(system, self.layout)
        self.tracks = any(p.kind is Kind.STUCK for p in asked)
        self.foreign = self.tracks and moves_others(system)
        havocs: dict[str, list[int]] = {}
        for k, p in enumerate(asked):
            if p.kind is Kind.SATISFIABLE:
                assert p.of is not None, "a SATISFIABLE property names its rule"
                havocs.setdefault(p.of[0], []).append(k)
        assuming = {
            r.name for r in (system.init, *system.rules) if any(w.assume is not None for w in r.wheres)
        }
        self.met = {name: [k + len(asked) for k in ks] for name, ks in havocs.items() if name in assuming}
        self.reached = {name: [k + len(asked) for k in ks] for name, ks in self.met.items()}
        steps = [(k, p) for k, p in enumerate(asked) if p.kind is Kind.STEP]
        self.rules = RuleWriter(system, self.layout, steps, havocs, self.reached, self.met)
        self.builder = self.rules.builder
        self.unit_of: dict[tuple[str, tuple[Value, ...]], int] = {}

    # --- the whole -------------------------------------------------------------------------------------------

    def program(self) -> Program:
        claims, digits, memories = self._claims()
        apart, body = self._body(digits)
        lines = self._init()
        names = [f"d{k}" for k in range(memories)]
        lines += _expander([*apart, *claims, *body], names, tracks=self.tracks)
        if self.tracks:
            lines += _thawer([*apart, *body])
        source, space = self._made(lines)
        return Program(
            self.system,
            self.layout,
            self.threads,
            source,
            space["init"],
            space["expand"],
            space.get("thaw"),
            memories,
            {k - len(self.asked): k for ks in self.met.values() for k in ks},
            {k - 2 * len(self.asked): k for ks in self.reached.values() for k in ks},
        )

    def graph(self, conditions: Sequence[Expr]) -> Graph:
        init = self._init()
        self.rules.labelled = True
        units = _units(self.system)
        self.unit_of = {key: k for k, key in enumerate(units)}
        marks = Writer(self.layout.bits, 2)
        reader = self.rules.reader(self.builder)
        for k, condition in enumerate(conditions):
            term = reader.term(condition, {})
            marks.count([term])
            with marks.scope(), marks.tests([] if term.const else [term]):
                marks.line("pass" if term.const == 0 else f"h |= {1 << k}")
        apart, body = self._body(marks.digits)
        lines = [*init, *_grapher(apart, marks.lines, body)]
        _, space = self._made(lines)
        return Graph(self.system, self.layout, tuple(units.values()), space["init"], space["graph"])

    def _made(self, lines: Sequence[str]) -> tuple[str, dict[str, Any]]:
        """Return the text, and what it defines."""
        source = "\n".join(lines) + "\n"
        space: dict[str, Any] = {f"K{k}": tuple(codes(type_)) for type_, k in self.rules.lists.items()}
        try:
            exec(compile(source, "<rules>", "exec"), space)
        except (SyntaxError, MemoryError, RecursionError):
            raise Refused("the system nests too deeply; explicit search does not compile it") from None
        return source, space

    def _init(self) -> list[str]:
        start = self.layout.encode(defaults(self.system))
        self.rules.starting = True
        out = Writer(self.layout.bits, 1)
        self.rules.instance(out, Builder(start), Instance(self.system.init, {}, None, None))
        self.rules.starting = False
        head = ["def init(seen, app, fail, found):", f" n = 0; s = {start}"]
        return [*head, *_rendered(out.lines, _stores("-1")), " return n"]

    def _body(self, digits: set[int]) -> tuple[list[str], list[str]]:
        """Return what takes a state apart, `digits` at least, and what the rules do with it."""
        out = Writer(self.layout.bits, 2)
        out.digits |= digits
        pinned: dict[tuple[Thread, int], list[Instance]] = {}
        sizes = Counter(t.family for t in self.threads)
        loose = []
        for instance in self._instances():
            if instance.pin is not None:
                pinned.setdefault(instance.pin, []).append(instance)
            elif instance.actor is not None:
                for location in range(instance.actor.locations):
                    pinned.setdefault((instance.actor, location), []).append(instance)
            else:
                loose.append(instance)
        for instance in loose:
            with out.scope():
                self.rules.instance(out, self.builder.fork(), instance)
        for thread in sorted(self.threads, key=lambda t: -sizes[t.family]):
            self._thread(out, thread, [pinned.get((thread, k), []) for k in range(thread.locations)])
        return ["  " + text for text in out.digit_lines()], out.lines

    def _instances(self) -> Iterator[Instance]:
        total = 0
        probe = Builder()
        reader = self.rules.reader(probe)
        counters = {family.pc for family in self.system.families}
        for rule in self.system.rules:
            check_choices(rule)
            for binder in rule.params:
                if cardinality(binder.type) is None:
                    raise Refused(
                        f"`{rule.name}` has infinitely many instances; explicit search cannot list them"
                    )
            domains = [[(v, self.rules.constant(b.type, v)) for v in values_of(b.type)] for b in rule.params]
            for pairs in itertools.product(*domains):
                values = [term for _, term in pairs]
                unit = self.unit_of.get(_unit_key(self.system, rule, [v for v, _ in pairs]), -1)
                total += 1
                if total > MOST_INSTANCES:
                    many = f"the system has more than {MOST_INSTANCES} instances of rules"
                    raise Refused(f"{many}; explicit search does not compile it")
                env = {b.name: v for b, v in zip(rule.params, values, strict=True)}
                actor = self._actor(rule, values)
                known = probe.fork()
                for part in conjuncts(rule.guard):
                    if variables([part]) & counters:
                        known.learn(reader.term(part, env))
                pins = [t for t in self.threads if known.known(t.offset, t.width) is not None or t.width == 0]
                pin = actor if actor in pins else next(iter(pins), None) if actor is None else None
                where = None if pin is None else (pin, known.known(pin.offset, pin.width) or 0)
                yield Instance(rule, env, actor, where, unit)

    def _actor(self, rule: Rule, values: Sequence[Term]) -> Thread | None:
        if rule.actor is None:
            return None
        member = values[0].lo if self.system.families[rule.actor].index is not None else 0
        return next(t for t in self.threads if t.family == rule.actor and t.member == member)

    # --- claims about states -----------------------------------------------------------------------------------

    def _claims(self) -> tuple[list[str], set[int], int]:
        """Return what asks a state about the claims, the digits it reads, and how many memories it needs.

        What reads only a few bits of the state is asked once for each of their values.
        """
        out = Writer(self.layout.bits, 2)
        reader = self.rules.reader(self.builder)
        groups: list[tuple[int, list[tuple[int, Term]]]] = []
        for k, p in enumerate(self.asked):
            if p.kind not in (Kind.STATE, Kind.REACH):
                continue
            term = reader.term(p.cond, {})
            wanted = term if p.kind is Kind.REACH else self.builder.not_(term)
            if wanted.const is None:
                _join(groups, k, wanted)
            elif wanted.const:
                out.line(f"{ASK}{k}")
        memories = 0
        for mask, claims in groups:
            terms = [wanted for _, wanted in claims]
            remembered = (
                mask.bit_count() <= MOST_REMEMBERED and len(list(subterms(terms))) > WORTH_REMEMBERING
            )
            if remembered:
                out.line(f"q = {out.masked(mask)}")
                memories += 1
            with out.scope(), out.block(f"if q not in d{memories - 1}:") if remembered else nullcontext():
                if remembered:
                    out.line(f"d{memories - 1}.add(q)")
                out.count(terms)
                for k, wanted in claims:
                    with out.tests([wanted]):
                        out.line(f"{ASK}{k}")
        return out.lines, out.digits, memories

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
                moves |= self.rules.instance(inner, b.fork(), instance)
        if tracked and not moves:
            if len(inner.lines) == before:
                inner.line(f"{HELD}{thread.bit}")
            else:
                inner.lines.insert(before, f"  {MARK}")
                inner.line(f"{UNMOVED}{thread.bit}")
        for instance in others:
            with inner.scope():
                self.rules.instance(inner, b.fork(), instance)
        return inner.lines


def _join(groups: list[tuple[int, list[tuple[int, Term]]]], k: int, wanted: Term) -> None:
    """Add a claim to a group of claims that read few bits together, or to a new one."""
    mask = 0
    for x in subterms([wanted]):
        if x.do is Do.SLICE:
            offset, bits = x.data
            mask |= (1 << bits) - 1 << offset
    for n, (other, claims) in enumerate(groups):
        if (mask | other).bit_count() <= MOST_REMEMBERED or mask == other:
            groups[n] = mask | other, [*claims, (k, wanted)]
            return
    groups.append((mask, [(k, wanted)]))


# --- the functions around what is done with one state ---------------------------------------------------------------


def _rendered(lines: Iterable[str], meaning: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines with those that stand for something written out; an empty meaning leaves a line out."""
    for line in lines:
        text = line.lstrip(" ")
        word, equals, argument = text.partition("=")
        if word + equals in meaning:
            yield line[: len(line) - len(text)] + (meaning[word + equals].replace("$", argument) or "pass")
        else:
            yield line


def _stores(parent: str) -> dict[str, str]:
    store = f"if t not in seen: seen[t] = {parent}; app(t)"
    return {
        NEW: store,
        NEW_IN_LOOP: store,
        FAULTY: f"if t not in seen: seen[t] = {parent}; fail(t)",
        COUNT: "n += 1",
        MARK: "m = n",
        ASK: "found.setdefault($, s)",
        HELD: "b |= $",
        UNMOVED: "if n == m: b |= $",
    }


def _expander(body: Sequence[str], memories: Sequence[str], *, tracks: bool) -> list[str]:
    start = ["def expand(front, seen, app, fail, found, held, done):", " n = 0"]
    if memories:
        start.append(f" {', '.join(memories)}, = done")
    start.append(" for s in front:")
    first = ["  b = t = 0"] if tracks else ["  pass"]
    after = ["  if b: held += s, b, t"] if tracks else []
    return [*start, *first, *_rendered(body, _stores("s")), *after, " return n"]


def _grapher(apart: Sequence[str], marks: Sequence[str], body: Sequence[str]) -> list[str]:
    head = ["def graph(states, out):", " for s in states:", *apart, "  h = 0", *marks, "  a = [h]"]
    meaning = dict.fromkeys((MARK, COUNT, ASK, HELD, UNMOVED), "")
    meaning[UNIT] = "u = $"
    meaning[NEW] = meaning[NEW_IN_LOOP] = "a += u, t"
    meaning[SAME] = "a += u, s"
    meaning[FAULTY] = "a += u, -1"
    return [*head, *_rendered(body, meaning), "  out(a)"]


def _unit_key(system: System, rule: Rule, params: Sequence[Value]) -> tuple[str, tuple[Value, ...]]:
    if not rule.fair:
        return "", ()
    if rule.actor is None:
        return rule.name, tuple(params)
    return rule.step, tuple(params[: system.families[rule.actor].index is not None])


def _units(system: System) -> dict[tuple[str, tuple[Value, ...]], Unit]:
    """Return all units, by the step or rule and the values of params that tell them apart."""
    found: dict[tuple[str, tuple[Value, ...]], Unit] = {}
    for rule in system.rules:
        for values in itertools.product(*(values_of(b.type) for b in rule.params)) if rule.fair else ():
            key = _unit_key(system, rule, values)
            if key in found:
                found[key] = replace(found[key], rules=found[key].rules | {rule.name})
                continue
            found[key] = Unit(_unit_name(system, rule, key[1]), rule.fair, frozenset([rule.name]), key[1])
    return found


def _unit_name(system: System, rule: Rule, params: Sequence[Value]) -> str:
    """Return `guest[0].fault`, `door.open`, or of a rule `deliver(v = vcpu#0)`."""
    if rule.actor is None:
        names = plain_names(b.name for b in rule.params)
        told = [
            f"{names[b.name]} = {show_value(b.type, v)}" for b, v in zip(rule.params, params, strict=True)
        ]
        return f"{rule.name}({', '.join(told)})" if told else rule.name
    family = system.families[rule.actor].name
    member = f"[{params[0]}]" if params else ""
    return f"{family}{member}.{rule.step.removeprefix(f'{family}.')}"


def _thawer(body: Sequence[str]) -> list[str]:
    start = ["def thaw(states, held, get):", " n = 0", " for s in states:", "  b = held[s]"]
    after = ["  if not b: del held[s]; n += 1", "  elif b != held[s]: held[s] = b; n += 1"]
    meaning = dict.fromkeys((FAULTY, COUNT, MARK, ASK, HELD, UNMOVED), "")
    meaning[NEW_IN_LOOP] = "b &= get(t, 0)"
    meaning[NEW] = "if not (b := b & get(t, 0)): del held[s]; n += 1; continue"
    return [*start, *_rendered(body, meaning), *after, " return n"]
