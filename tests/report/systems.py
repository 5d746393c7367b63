"""A protocol built by hand: a zapper, vCPUs that fault and fill a TLB, hardware that evicts; and its runs."""

from __future__ import annotations

from dataclasses import dataclass

from refine.core import expr as e
from refine.core.expr import Binder, Expr, Op
from refine.core.system import (
    Assume,
    Family,
    Fault,
    Kind,
    Place,
    Property,
    Rule,
    State,
    System,
    Var,
    Where,
)
from refine.core.trace import Event, Trace
from refine.core.types import BOOL, Array, Enum, Index, Option, Part, Thread, Value, default
from refine.text.span import Source, Span

TEXT = "\n".join(f"line {n}" for n in range(1, 60))


def span(line: int, source: Source | None = None) -> Span:
    source = source or Source("zap.spte", TEXT)
    start = sum(len(text) + 1 for text in source.text.split("\n")[: line - 1])
    return source.span(start, start + 4)


@dataclass(frozen=True)
class Names:
    """The names used, so that hostile ones can be planted."""

    protocol: str = "zap"
    zapper: str = "zapper"
    guest: str = "guest"
    present: str = "PRESENT"
    doc: str = "no vCPU translates through a freed page"


def zap(vcpus: int = 2, names: Names = Names()) -> System:
    vcpu = Index("vcpu", vcpus)
    spte = Enum("Spte", ("NONE", names.present))
    page = Enum("Page", ("USED", "FREED"))
    zpc = Enum(f"{names.zapper}.pc", ("enter", "clear", "flush", "free", "end"))
    gpc = Enum(f"{names.guest}.pc", ("fault|walk", "fix"))
    thread = Thread((Part(names.zapper, None), Part(names.guest, vcpu)))
    owner = e.var("mmu_lock.owner", Option(thread))
    spte_v, page_v = e.var("spte", spte), e.var("page", page)
    flush, root = e.var(f"{names.zapper}.need_flush", BOOL), e.var("root_valid", BOOL)
    tlb, zap_pc = e.var("tlb", Array(vcpu, BOOL)), e.var(f"{names.zapper}.pc", zpc)
    guest_pc = e.var(f"{names.guest}.pc", Array(vcpu, gpc))
    filled = e.var("fills", Array(vcpu, BOOL))
    v, w = Binder("v", vcpu), Binder("w", vcpu)
    p = e.param("v", vcpu)
    me, you = e.thread(thread, 0, None), e.thread(thread, 1, p)
    new = Binder("new_tlb", Array(vcpu, BOOL))
    acked = e.forall(w, e.not_(e.select(e.param("new_tlb", new.type), e.param("w", vcpu))))
    shrinks = e.forall(
        w,
        e.implies(
            e.select(e.param("new_tlb", new.type), e.param("w", vcpu)), e.select(tlb, e.param("w", vcpu))
        ),
    )

    def at(pc: Expr, name: str) -> Expr:
        assert isinstance(pc.type, Enum)
        return e.eq(pc, e.const(pc.type, pc.type.members.index(name)))

    def go(name: str) -> tuple[str, Expr]:
        return str(zap_pc.data), e.const(zpc, zpc.members.index(name))

    def guest_go(name: str) -> tuple[str, Expr]:
        return str(guest_pc.data), e.store(guest_pc, p, e.const(gpc, gpc.members.index(name)))

    def zapper(
        name: str, to: str, line: int, updates: dict[str, Expr], guard: Expr = e.TRUE, **more: object
    ) -> Rule:
        full = f"{names.zapper}.{name}"
        guard = e.and_(at(zap_pc, name), guard)
        changes = (*updates.items(), go(to))
        return Rule(full, (), guard, updates=changes, actor=0, step=full, span=span(line), **more)  # type: ignore[arg-type]

    def guest(
        name: str,
        frm: str,
        to: str,
        line: int,
        updates: dict[str, Expr],
        guard: Expr,
        faults: tuple[Fault, ...] = (),
    ) -> Rule:
        full = f"{names.guest}.{name}"
        guard = e.and_(at(e.select(guest_pc, p), frm), guard)
        changes = (*updates.items(), *([guest_go(to)] if to != frm else []))
        return Rule(full, (v,), guard, faults=faults, updates=changes, actor=1, step=full, span=span(line))

    free = e.eq(owner, e.none(Option(thread)))
    no_owner = e.none(Option(thread))
    rules = (
        zapper("enter", "clear", 10, {"mmu_lock.owner": e.some(me), "root_valid": e.FALSE}, free),
        zapper("clear", "flush", 11, {"spte": e.const(spte, 0), str(flush.data): e.TRUE}),
        zapper(
            "flush", "free", 12, {"tlb": e.param("new_tlb", new.type), str(flush.data): e.FALSE},
            choices=(new,), wheres=(Where(shrinks), Where(acked, "acked")),
        ),
        zapper("free", "end", 13, {"page": e.const(page, 1), "mmu_lock.owner": no_owner}),
        guest("walk", "fault|walk", "fault|walk", 20,
              {"tlb": e.store(tlb, p, e.TRUE), "fills": e.store(filled, p, e.TRUE)},
              e.and_(e.eq(spte_v, e.const(spte, 1)), e.not_(e.select(tlb, p)))),
        guest("fault", "fault|walk", "fix", 21, {"mmu_lock.owner": e.some(you)},
              e.and_(e.eq(spte_v, e.const(spte, 0)), free)),
        guest("fix", "fix", "fault|walk", 22,
              {"spte": e.ite(root, e.const(spte, 1), spte_v), "mmu_lock.owner": no_owner}, e.TRUE,
              (Fault(e.ne(owner, e.some(you)), 0),)),
        Rule("evict", (v,), e.select(tlb, p), updates=(("tlb", e.store(tlb, p, e.FALSE)),), step="evict",
             span=span(30)),
        Rule("reboot", (), e.and_(at(zap_pc, "end"), e.eq(page_v, e.const(page, 1))),
             updates=(("tlb", e.bind(Op.LAMBDA, w, e.FALSE)),), step="reboot", span=span(31)),
    )  # fmt: skip
    stale = e.forall(w, e.implies(e.select(tlb, e.param("w", vcpu)), e.eq(page_v, e.const(page, 0))))
    properties = (
        Property("no_stale_use", Kind.STATE, stale, "claim", names.doc,
                 text="always forall w. tlb[w] -> page == USED", span=span(40)),
        Property("unmapped", Kind.STATE,
                 e.implies(e.or_(at(zap_pc, "flush"), at(zap_pc, "free")), e.eq(spte_v, e.const(spte, 0))),
                 "lemma", text="zapper at {flush, free} -> spte == NONE", span=span(43)),
        Property("freed", Kind.REACH, e.eq(page_v, e.const(page, 1)), "reach", text="page == FREED",
                 span=span(45)),
        Property("ends", Kind.LIVENESS, e.TRUE, "claim", text="eventually zapper at end", span=span(46)),
        Property("defined", Kind.FAULT, e.TRUE, "free", places=(0,)),
        Property("satisfiable", Kind.SATISFIABLE, e.TRUE, "free", of=(f"{names.zapper}.flush",)),
        Property("stuck", Kind.STUCK, e.TRUE, "free"),
    )  # fmt: skip
    variables = (
        Var("spte", spte, "shared"), Var("page", page, "shared"), Var("root_valid", BOOL, "shared"),
        Var("mmu_lock.owner", Option(thread), "shared"), Var("tlb", tlb.type, "shared"),
        Var("fills", filled.type, "ghost"), Var(str(flush.data), BOOL, "local"),
        Var(str(zap_pc.data), zpc, "pc"), Var(str(guest_pc.data), guest_pc.type, "pc"),
    )  # fmt: skip
    init = Rule("init", (), e.TRUE, updates=(("spte", e.const(spte, 1)), ("root_valid", e.TRUE)))
    return System(
        names.protocol, (("VCPUS", vcpus),), variables, init, rules, properties,
        (Place(f"{names.guest}.fix", "releases mmu_lock without holding it", span(22)),),
        (Family(names.zapper, None, str(zap_pc.data), frozenset({4}), frozenset()),
         Family(names.guest, v, str(guest_pc.data), frozenset(), frozenset({0}), "weak")),
        (Assume("one_page", e.or_(e.eq(page_v, e.const(page, 0)), at(zap_pc, "end"))),),
        "zap one SPTE, flush, free the page", "zap.spte",
    )  # fmt: skip


def start(system: System) -> State:
    """The initial state of a system whose initial values are constants."""
    given = {name: x.data for name, x in system.init.updates}
    values: list[Value] = [given.get(v.name, default(v.type)) for v in system.vars]  # type: ignore[misc]
    return State(tuple(values))


def step(
    system: System,
    before: State,
    rule: str,
    params: tuple[Value, ...] = (),
    choices: tuple[Value, ...] = (),
    fault: int | None = None,
    **changes: Value,
) -> Event:
    """One event whose changes are given by hand; `__` in a name stands for a dot."""
    given = {name.replace("__", "."): value for name, value in changes.items()}
    values = tuple(given.pop(v.name, old) for v, old in zip(system.vars, before.values, strict=True))
    assert not given
    return Event(rule, params, choices, State(values, fault))


def stale_use(system: System) -> Trace:
    """Two vCPUs fill, the flush misses one of them, the page is freed."""
    s0 = start(system)
    steps = [
        ("guest.walk", (1,), (), {"tlb": (False, True), "fills": (False, True)}),
        ("zapper.enter", (), (), {"mmu_lock__owner": 0, "root_valid": False, "zapper__pc": 1}),
        ("guest.walk", (0,), (), {"tlb": (True, True), "fills": (True, True)}),
        ("zapper.clear", (), (), {"spte": 0, "zapper__need_flush": True, "zapper__pc": 2}),
        ("evict", (0,), (), {"tlb": (False, True)}),
        ("zapper.flush", (), ((False, True),), {"zapper__need_flush": False, "zapper__pc": 3}),
        ("zapper.free", (), (), {"page": 1, "mmu_lock__owner": None, "zapper__pc": 4}),
    ]
    events: list[Event] = []
    state = s0
    for rule, params, choices, changes in steps:
        events.append(step(system, state, rule, params, choices, **changes))  # type: ignore[arg-type]
        state = events[-1].state
    return Trace(
        system, (), s0, tuple(events), "no_stale_use", ("at w = vcpu#1: tlb[w] is true, page is FREED",)
    )
