"""What each rule of the grammar becomes: a maker of syntax tree nodes for every rule and alias."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from refine.lang import ast
from refine.text.diag import Note, Reporter
from refine.text.span import Span

# What a rule is made of: names and strings are nodes by now, other tokens are tokens still, and what `[…]` in
# the grammar leaves out is None.
Parts: TypeAlias = Sequence[Any]
Rule: TypeAlias = Callable[[Parts, Span], Any]


@dataclass(slots=True)
class Chain:
    """An unfinished `a && b && …`: grown in place, since a copy for each part would take quadratic time."""

    rule: str
    op: str
    parts: list[ast.Expr]
    span: Span

    def done(self) -> ast.Logical:
        """Return the finished node."""
        return ast.Logical(self.op, tuple(self.parts), span=self.span)


def _chain(rule: str, op: str) -> Rule:
    def grow(c: Parts, span: Span) -> Chain:
        chain = c[0]
        if not isinstance(chain, Chain):
            return Chain(rule, op, list(c), span)
        chain.parts.append(c[1])
        chain.span = span
        return chain

    return grow


# --- clauses, which may stand in any order ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Clause:
    kind: str
    items: tuple[Any, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A node whose clauses have still to be looked at."""

    node: Any
    subject: str
    clauses: Sequence[_Clause]
    once: tuple[str, ...]
    alien: tuple[str, ...] = ()
    remedy: str | None = None

    def check(self, reporter: Reporter) -> Any:
        """Report clauses that stand twice, or where they have no meaning."""
        first: dict[str, Span] = {}
        for clause in self.clauses:
            if clause.kind in self.alien:
                message = f"`{clause.kind}` has no meaning in {self.subject}"
                reporter.error("E0115", message, clause.span, self.remedy)
            elif clause.kind in first:
                note = Note("the first one is here", first[clause.kind])
                message = f"{self.subject} has only one `{clause.kind}`"
                reporter.error("E0115", message, clause.span, None, note)
            elif clause.kind in self.once:
                first[clause.kind] = clause.span
        return self.node


def _items(kind: str, clauses: Iterable[_Clause]) -> tuple[Any, ...]:
    return tuple(item for clause in clauses if clause.kind == kind for item in clause.items)


def _clause(kind: str) -> Rule:
    return lambda c, span: _Clause(kind, tuple(c), span)


def _path_clause(kind: str) -> Rule:
    return lambda c, span: _Clause(kind, c[0], span)


def _variable(c: Parts, span: Span) -> Unchecked:
    storage, type_, name, dims, init, *clauses = c
    guard = next(iter(_items("guarded by", clauses)), None)
    alive = next(iter(_items("alive when", clauses)), None)
    node = ast.Variable(storage, type_, name, dims, init, guard, alive, span=span)
    return Unchecked(node, "a variable", clauses, ("guarded by", "alive when"))


def _claim(role: str) -> Rule:
    def make(c: Parts, span: Span) -> ast.Claim:
        name, doc, prop, *clauses = c
        because, redundant = _items("because", clauses), _items("redundant", clauses)
        using, cites = _items("using", clauses), _items("cites", clauses)
        return ast.Claim(role, name, doc, prop, because, redundant, using, cites, span=span)

    return make


def _edited(role: str) -> Rule:
    def make(c: Parts, span: Span) -> Unchecked:
        name, doc, *rest = c
        clauses = [part for part in rest if isinstance(part, _Clause)]
        edits = tuple(part for part in rest if not isinstance(part, _Clause))
        verb = "breaks" if role == "mutant" else "keeps"
        claims = next((clause.items for clause in clauses if clause.kind == verb), ())
        within = None
        if role == "mutant" and claims:
            claims, bound = claims[:-1], claims[-1]
            within = None if bound is None else number(bound)
        cites, because = _items("cites", clauses), _items("because", clauses)
        era = next(iter(_items("era", clauses)), None)
        node = ast.Edited(role, name, doc, cites, claims, within, era, because, edits, span=span)
        alien: tuple[str, ...] = ("breaks",)
        remedy = "a mutant `breaks` claims, a variant `keeps` them"
        if role == "mutant":
            alien = ("keeps", "era", "because")
        elif era is None and because:
            alien, remedy = ("breaks", "because"), 'say of which kernels it speaks: `era "…"`'
        return Unchecked(node, f"a {role}", clauses, (verb, "era"), alien, remedy)

    return make


# --- the rest -----------------------------------------------------------------------------------------------


def _node(cls: Callable[..., Any], *fixed: object) -> Rule:
    """Make a node of all parts, in order, after some that are the same each time."""
    return lambda c, span: cls(*fixed, *c, span=span)


def _node_and_rest(cls: Callable[..., Any], single: int = 1) -> Rule:
    """Make a node of some single parts, and a tuple of all others that are there."""
    return lambda c, span: cls(*c[:single], tuple(part for part in c[single:] if part is not None), span=span)


def _tuple(c: Parts, _span: Span) -> tuple[Any, ...]:
    return tuple(c)


def _first(c: Parts, _span: Span) -> Any:
    return c[0]


def _word(c: Parts, _span: Span) -> str:
    return " ".join(c)


def number(digits: str) -> int:
    """Return the value of an integer literal; leading zeros mean nothing."""
    return int(digits, 16 if digits[:2] in ("0x", "0X") else 10)


def _thread(c: Parts, span: Span) -> ast.ThreadDecl:
    adversary, fair, name, binder, body = c
    return ast.ThreadDecl(name, binder, (fair or "").split(" ")[0], body, adversary, span=span)


def _rule(c: Parts, span: Span) -> ast.RuleDecl:
    adversary, fair, name, binders, when, body = c
    fairness = (fair or "").split(" ")[0]
    return ast.RuleDecl(name, binders or (), fairness, when or (), body, adversary, span=span)


def _op(c: Parts, span: Span) -> ast.Op:
    name, formals, result, *effects, when, body = c
    return ast.Op(name, formals or (), result, tuple(effects), when or (), body, span=span)


def _proc(c: Parts, span: Span) -> ast.Proc:
    name, formals, result, *effects, body = c
    return ast.Proc(name, formals or (), result, tuple(effects), body, span=span)


def _step(c: Parts, span: Span) -> ast.Step:
    idle, name, binders, when, body = c
    return ast.Step(name, idle is not None, binders or (), when or (), body, span=span)


def _labelled(c: Parts, span: Span) -> ast.Stmt:
    label, stmt = c
    return replace(stmt, label=label, span=span)  # type: ignore[no-any-return]


def _if_simple(c: Parts, span: Span) -> ast.If:
    cond, stmt = c
    then = ast.Block((stmt,), span=Span(span.source, stmt.span.start, span.end))
    return ast.If(cond, then, None, braces=False, span=span)


def _choose(c: Parts, span: Span) -> ast.Choose:
    """Split the statements at each `or`, whose token stands among them."""
    ors = [at for at, part in enumerate(c) if isinstance(part, str)]
    branches = []
    for low, high in zip([-1, *ors], [*ors, len(c)], strict=True):
        stmts = tuple(c[low + 1 : high])
        if stmts:
            where = stmts[0].span.join(stmts[-1].span)
        else:
            at = c[low].end_pos if low >= 0 else c[high].start_pos
            where = Span(span.source, at, at)
        branches.append(ast.Block(stmts, span=where))
    return ast.Choose(tuple(branches), span=span)


def _ite(c: Parts, span: Span) -> ast.Conditional:
    cond, then, other = (part for part in c if not isinstance(part, str))  # the `?` is a token
    return ast.Conditional(cond, then, other, span=span)


def _bound(c: Parts) -> ast.Binder:
    name, type_ = c
    return ast.Binder(name, type_, span=name.span.join(type_.span))


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "start": _tuple,
        "protocol": lambda c, _span: ("protocol", *c),
        "library": lambda c, _span: ("library", *c),
        # where it comes from, and at which sizes
        "source": _node_and_rest(ast.Source),
        "import_": _node(ast.Import),
        "cites_item": _node(ast.Cites),
        "era": _node(ast.Era),
        "param": _node(ast.Param),
        "sizes": lambda c, span: ast.Sizes(tuple(c), span=span),
        "size": lambda c, _span: tuple(zip(c[::2], c[1::2], strict=True)),
        "const": _node(ast.Const),
        # types
        "index": _node(ast.IndexDecl),
        "index_kind": _word,
        "enum": _node_and_rest(ast.EnumDecl),
        "machine": _node_and_rest(ast.MachineDecl),
        "edge": _node(ast.Edge),
        "edge_owner": _first,
        "struct": _node_and_rest(ast.StructDecl),
        "field": _tuple,
        "type_decl": lambda c, span: ast.TypeDecl(c[0], c[1] or (), tuple(c[2:]), span=span),
        "type_params": _tuple,
        "type": lambda c, span: c[0] if len(c) == 1 else ast.OptionType(c[0], span=span),
        "bool_type": _node(ast.BoolType),
        "int_type": _node(ast.IntType, None, None),
        "range_type": _node(ast.IntType),
        "word_type": lambda c, span: ast.WordType(int(c[0][1:]), span=span),
        "thread_type": _node(ast.ThreadType),
        "set_type": _node(ast.SetType),
        "named_type": _node_and_rest(ast.NamedType),
        "named_only": _node_and_rest(ast.NamedType),
        "dims": _tuple,
        "dim": _node(ast.Dim),
        # state
        "variable": _variable,
        "storage": _word,
        "guarded_by": _clause("guarded by"),
        "alive_when": _clause("alive when"),
        "instance": lambda c, span: ast.Instance(c[0], c[1], c[2], c[3] if len(c) > 3 else (), span=span),
        "bindings": _tuple,
        "binding": lambda c, span: ast.Binding(c[0], tuple(c[1:-1]), c[-1], span=span),
        "requires_": lambda c, span: ast.Requires(c[0], c[1] or (), c[2], span=span),
        "hold": _node(ast.Hold),
        # functions, ops, procedures, threads, rules
        "fn": lambda c, span: ast.Fn(c[0], c[1] or (), c[2], c[3], span=span),
        "op": _op,
        "proc": _proc,
        "formals": _tuple,
        "formal": _node(ast.Formal),
        "effect": lambda c, _span: (str(c[0]), c[1]),
        "thread": _thread,
        "rule": _rule,
        "fairness": _word,
        "adversary": _first,
        "binders": _tuple,
        "binder": _node(ast.Binder),
        # statements
        "block": lambda c, span: ast.Block(tuple(c), span=span),
        "stmt": _labelled,
        "simple_stmt": _labelled,
        "step": _step,
        "when": _tuple,
        "conjunct": _node(ast.Conjunct),
        "label": _first,
        "if_": lambda c, span: ast.If(c[0], c[1], c[2], braces=True, span=span),
        "if_simple": _if_simple,
        "while_": _node(ast.While),
        "loop": _node(ast.Loop),
        "maybe": _node(ast.Maybe),
        "choose": _choose,
        "for_each": lambda c, span: ast.ForEach(_bound(c[:2]), c[2], span=span),
        "for_all": _node(ast.ForAll),
        "call_stmt": _node(ast.CallStmt),
        "assign": lambda c, span: ast.Assign(c[0], "=", c[1], span=span),
        "assign_add": lambda c, span: ast.Assign(c[0], "+=", c[2], span=span),
        "assign_sub": lambda c, span: ast.Assign(c[0], "-=", c[2], span=span),
        "havoc": _node(ast.Havoc),
        "assume": _node(ast.Assume),
        "require": _node(ast.Require),
        "break_": _node(ast.Break),
        "continue_": _node(ast.Continue),
        "return_": _node(ast.Return),
        "local": _node(ast.Local),
        "lvalue": _node_and_rest(ast.Lvalue),
        "at_index": _first,
        "at_field": _first,
        # expressions
        "name": lambda c, span: ast.Name(c[0].name, span=span),
        "integer": lambda c, span: ast.Integer(number(c[0]), span=span),
        "true": _node(ast.Boolean, True),
        "false": _node(ast.Boolean, False),
        "none": _node(ast.NoneLiteral),
        "self_": _node(ast.Self),
        "old": _node(ast.Old),
        "paren": _first,
        "call": _node_and_rest(ast.Call),
        "set_literal": _node_and_rest(ast.SetLiteral, 0),
        "set_of": lambda c, span: ast.SetOf(_bound(c[:2]), c[2], span=span),
        "element": lambda c, span: ast.Element(c[0], number(c[1]), span=span),
        "index_expr": _node(ast.IndexOf),
        "field_expr": _node(ast.FieldOf),
        "at_one": lambda c, span: ast.At(c[0], (ast.Path((c[1],), span=c[1].span),), span=span),
        "at_any": _node_and_rest(ast.At),
        "not_": _node(ast.Unary, "!"),
        "negate": lambda c, span: ast.Unary("-", c[1], span=span),
        "invert": _node(ast.Unary, "~"),
        "arith": lambda c, span: ast.Binary(str(c[1]), c[0], c[2], span=span),
        "compare": lambda c, span: ast.Binary(str(c[1]), c[0], c[2], span=span),
        "less": _node(ast.Binary, "<"),
        "greater": _node(ast.Binary, ">"),
        "in_": _node(ast.Binary, "in"),
        "not_in": _node(ast.Binary, "!in"),
        "implies": _node(ast.Binary, "->"),
        "and_": _chain("and_", "&&"),
        "or_": _chain("or_", "||"),
        "ite": _ite,
        "quantified": lambda c, span: ast.Quantified(c[0], tuple(c[1:-1]), c[-1], span=span),
        "quantifier": _word,
        "qbinder": _node(ast.Binder),
        # what is claimed
        "claim": _claim("claim"),
        "lemma": _claim("lemma"),
        "always": lambda c, span: ast.Always(c[0], written=True, span=span),
        "invariant": lambda c, span: ast.Always(c[0], written=False, span=span),
        "never": _node(ast.Never),
        "after": _node(ast.After),
        "step_property": lambda c, span: ast.StepProperty(c[0] or (), c[1], span=span),
        "eventually": _node(ast.Eventually),
        "leads_to": _node(ast.LeadsTo),
        "each_live": lambda c, span: ast.EachLive(c[0], c[1], span=span),
        "because": _path_clause("because"),
        "redundant": _path_clause("redundant"),
        "using": _path_clause("using"),
        "cites": _clause("cites"),
        "reach": _node(ast.Reach),
        "assume_item": _node(ast.AssumeItem),
        "uncovered": _node(ast.Uncovered),
        "observer": lambda c, span: ast.Observer(c[0], c[1], c[2] is not None, span=span),
        "without": _node(ast.Without),
        # edits
        "mutant": _edited("mutant"),
        "variant": _edited("variant"),
        "breaks": _clause("breaks"),
        "keeps": _clause("keeps"),
        "era_clause": _clause("era"),
        "delete": _node(ast.Delete),
        "swap": _node(ast.Swap),
        "replace": _node(ast.Replace),
        "insert_before": _node(ast.Insert, "before"),
        "insert_after": _node(ast.Insert, "after"),
        "weaken": _node(ast.Weaken),
        "drop": _node(ast.Drop),
        "set_param": _node(ast.SetParam),
        "path": lambda c, span: ast.Path(tuple(c), span=span),
        "paths": _tuple,
    }
)
