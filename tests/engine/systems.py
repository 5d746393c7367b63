"""Core systems made by hand, for the tests of every engine."""

from __future__ import annotations

from refine.core import expr as e
from refine.core.expr import Binder, Expr
from refine.core.system import Family, Fault, Kind, Place, Property, Rule, System, Var, Where
from refine.core.types import Array, Enum, Index, Option, Set, Type
from tests.engine.random_systems import random_system

ZAPPER = Enum("ZapperPc", ("rest", "clear", "perhaps", "yielded", "flush", "free"))
GUEST = Enum("GuestPc", ("guest", "lock", "pick", "install"))


def tlb_shootdown(vcpus: int, gfns: int, pfns: int, *, buggy: bool = False) -> System:
    """TLB shootdown before reuse; `buggy` frees the frame before the flush."""
    vcpu, gfn, pfn = Index("vcpu", vcpus), Index("gfn_t", gfns), Index("pfn", pfns)
    some_gfn, some_pfn = Option(gfn), Option(pfn)
    types: dict[str, tuple[Type, str]] = {
        "zapper.pc": (ZAPPER, "pc"),
        "guest.pc": (Array(vcpu, GUEST), "pc"),
        "zapper.g": (some_gfn, "local"),
        "zapper.p": (some_pfn, "local"),
        "flushed": (Set(vcpu), "local"),
        "guest.g": (Array(vcpu, some_gfn), "local"),
        "guest.p": (Array(vcpu, some_pfn), "local"),
        "free": (Set(pfn), "shared"),
        "pt": (Array(gfn, some_pfn), "shared"),
        "tlb": (Array(vcpu, Array(gfn, some_pfn)), "shared"),
    }
    x = {name: e.var(name, type_) for name, (type_, _) in types.items()}
    v, g, h, p = (e.param(name, t) for name, t in (("v", vcpu), ("g", gfn), ("h", gfn), ("p", pfn)))
    of_v, of_g, of_h, of_p = Binder("v", vcpu), Binder("g", gfn), Binder("h", gfn), Binder("p", pfn)
    w, of_w = e.param("w", vcpu), Binder("w", vcpu)
    zpc = x["zapper.pc"]

    def z(location: str) -> Expr:
        return e.const(ZAPPER, ZAPPER.members.index(location))

    def at(who: Expr, location: str) -> Expr:
        return e.eq(e.select(x["guest.pc"], who), e.const(GUEST, GUEST.members.index(location)))

    def go(location: str) -> tuple[str, Expr]:
        target = e.const(GUEST, GUEST.members.index(location))
        return "guest.pc", e.store(x["guest.pc"], v, target)

    def put(name: str, value: Expr) -> tuple[str, Expr]:
        return name, e.store(x[name], v, value)

    no_gfn, no_pfn = e.none(some_gfn), e.none(some_pfn)
    no_reader = e.forall(of_w, e.not_(e.or_(at(w, "pick"), at(w, "install"))))
    no_writer = e.or_(e.eq(zpc, z("rest")), e.eq(zpc, z("yielded")))
    mapped = e.select(x["pt"], g)
    row = e.select(x["tlb"], v)
    entry = e.select(row, g)
    zapped = e.get(x["zapper.g"])
    wanted = e.get(e.select(x["guest.g"], v))
    empty = e.is_some(e.select(x["pt"], wanted))
    last = e.forall(of_w, e.or_(e.eq(w, v), e.member(w, x["flushed"])))
    after_flush = z("rest" if buggy else "free")
    nothing = e.const(Array(gfn, some_pfn), (None,) * gfns)

    def undefined(place: int, *options: Expr) -> tuple[Fault, ...]:
        return tuple(Fault(e.not_(e.is_some(x)), place) for x in options)

    def zap(
        step: str,
        guard: Expr,
        *updates: tuple[str, Expr],
        params: tuple[Binder, ...] = (),
        faults: tuple[Fault, ...] = (),
    ) -> Rule:
        name = f"zapper.{step}"
        return Rule(name, params, guard, faults=faults, updates=updates, actor=0, step=name)

    def guest(
        step: str,
        guard: Expr,
        *updates: tuple[str, Expr],
        params: tuple[Binder, ...] = (),
        faults: tuple[Fault, ...] = (),
    ) -> Rule:
        name = f"guest.{step}"
        return Rule(name, (of_v, *params), guard, faults=faults, updates=updates, actor=1, step=name)

    rules = (
        zap(
            "lock",
            e.and_(e.eq(zpc, z("rest")), e.is_some(mapped), no_reader),
            ("zapper.pc", z("clear")),
            ("zapper.g", e.some(g)),
            params=(of_g,),
        ),
        zap(
            "clear",
            e.eq(zpc, z("clear")),
            ("zapper.p", e.select(x["pt"], zapped)),
            ("pt", e.store(x["pt"], zapped, no_pfn)),
            ("zapper.g", no_gfn),
            ("zapper.pc", z("free" if buggy else "perhaps")),
            faults=undefined(0, x["zapper.g"]),
        ),
        zap("noyield", e.eq(zpc, z("perhaps")), ("zapper.pc", z("flush"))),
        zap("yield", e.eq(zpc, z("perhaps")), ("zapper.pc", z("yielded"))),
        zap("relock", e.and_(e.eq(zpc, z("yielded")), no_reader), ("zapper.pc", z("flush"))),
        zap(
            "flush",
            e.and_(e.eq(zpc, z("flush")), e.not_(e.member(v, x["flushed"]))),
            ("tlb", e.store(x["tlb"], v, nothing)),
            ("flushed", e.ite(last, e.const(Set(vcpu), frozenset()), e.insert(x["flushed"], v))),
            ("zapper.pc", e.ite(last, after_flush, zpc)),
            params=(of_v,),
        ),
        zap(
            "free",
            e.eq(zpc, z("free")),
            ("free", e.ite(e.is_some(x["zapper.p"]), e.insert(x["free"], e.get(x["zapper.p"])), x["free"])),
            ("zapper.p", no_pfn),
            ("zapper.pc", z("perhaps" if buggy else "rest")),
        ),
        Rule(
            "fill",
            (of_v, of_g),
            e.and_(at(v, "guest"), e.not_(e.is_some(entry)), e.is_some(mapped)),
            updates=(("tlb", e.store(x["tlb"], v, e.store(row, g, mapped))),),
            step="fill",
        ),
        guest(
            "fault",
            e.and_(at(v, "guest"), e.not_(e.is_some(entry)), e.not_(e.is_some(mapped))),
            go("lock"),
            put("guest.g", e.some(g)),
            params=(of_g,),
        ),
        guest("lock", e.and_(at(v, "lock"), no_writer), go("pick")),
        Rule(
            "guest.alloc",
            (of_v,),
            e.and_(at(v, "pick"), e.exists(Binder("q", pfn), e.member(e.param("q", pfn), x["free"]))),
            choices=(of_p,),
            wheres=(Where(e.member(p, x["free"])),),
            updates=(("free", e.remove(x["free"], p)), put("guest.p", e.some(p)), go("install")),
            actor=1,
            step="guest.alloc",
        ),
        guest(
            "nomem",
            e.and_(at(v, "pick"), e.eq(x["free"], e.const(Set(pfn), frozenset()))),
            go("guest"),
            put("guest.g", no_gfn),
        ),
        guest(
            "install",
            at(v, "install"),
            (
                "pt",
                e.store(x["pt"], wanted, e.ite(empty, e.select(x["pt"], wanted), e.select(x["guest.p"], v))),
            ),
            ("free", e.ite(empty, e.insert(x["free"], e.get(e.select(x["guest.p"], v))), x["free"])),
            go("guest"),
            put("guest.g", no_gfn),
            put("guest.p", no_pfn),
            faults=undefined(1, e.select(x["guest.g"], v), e.select(x["guest.p"], v)),
        ),
    )
    stale = e.and_(e.ne(h, g), e.is_some(e.select(row, g)), e.eq(e.select(row, g), e.select(x["pt"], h)))
    safe = e.forall(of_v, e.forall(of_g, e.forall(of_h, e.not_(stale))))
    everything = e.const(Set(pfn), frozenset(range(pfns)))
    return System(
        name="tlb_shootdown",
        sizes=(("VCPUS", vcpus), ("GFNS", gfns), ("PFNS", pfns)),
        vars=tuple(Var(name, type_, kind) for name, (type_, kind) in types.items()),
        init=Rule("init", (), e.TRUE, updates=(("free", everything),), step="init"),
        rules=rules,
        properties=(
            Property("safe", Kind.STATE, safe, "claim", text="safe"),
            Property("defined", Kind.FAULT, e.TRUE, "free", places=(0, 1)),
            Property("satisfiable", Kind.SATISFIABLE, e.TRUE, "free", of=("guest.alloc",)),
            Property("stuck", Kind.STUCK, e.TRUE, "free"),
        ),
        places=(Place("zapper.clear", "none dereferenced"), Place("guest.install", "none dereferenced")),
        families=(
            Family("zapper", None, "zapper.pc", frozenset(), frozenset({0})),
            Family("guest", of_v, "guest.pc", frozenset(), frozenset({0})),
        ),
    )


__all__ = ["random_system", "tlb_shootdown"]
