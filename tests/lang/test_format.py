"""The canonical layout: the same tree, all comments, stable, and as it should look."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refine.lang import ast
from refine.lang.format import format, format_expr, format_property
from refine.lang.parse import parse
from refine.lang.tokens import scan
from refine.text.diag import Reporter
from refine.text.span import Source

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.spte"))
TEXTS = [path.read_text(encoding="utf-8") for path in FIXTURES]


def read(text: str) -> ast.File:
    reporter = Reporter()
    file = parse(Source("test.spte", text), reporter)
    reporter.raise_errors()
    assert file is not None
    return file


def comments(file: ast.File) -> list[str]:
    return sorted(comment.text for comment in file.comments)


def check_layout(text: str) -> str:
    """The three properties that hold for every text that can be read."""
    file = read(text)
    printed = format(file)
    again = read(printed)
    assert again == file
    assert comments(again) == comments(file)
    assert format(again) == printed
    return printed


@pytest.mark.parametrize("text", TEXTS, ids=[path.stem for path in FIXTURES])
def test_fixtures_keep_their_meaning(text: str) -> None:
    printed = check_layout(text)
    assert max(map(len, printed.split("\n"))) <= 100
    assert printed.endswith("\n")
    assert not printed.endswith("\n\n")


@pytest.mark.parametrize("name", ["spinlock", "zap_yield", "comments"])
def test_fixtures_in_canonical_layout_stay_as_they_are(name: str) -> None:
    text = TEXTS[[path.stem for path in FIXTURES].index(name)]
    assert format(read(text)) == text


INSERTED = [
    " // c{}\n", " /* c{} */ ", "\n// c{}\n", "\n\n  /* c{}\n   more */\n", "\n\n\n// c{}\n\n",
    " /* c{} */ // d{}\n", "\n", "\n\n\n", "  ", "\t", "\r\n",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_no_comment_is_lost_wherever_it_stands(seed: int) -> None:
    rnd = random.Random(seed)
    text = rnd.choice(TEXTS)
    scanned = scan(Source("", text), Reporter())
    assert scanned is not None
    tokens = scanned.tokens
    for at in sorted(rnd.sample(range(len(tokens)), rnd.choice([1, 3, 30])), reverse=True):
        place = rnd.choice([tokens[at].start_pos, tokens[at].end_pos])
        text = f"{text[:place]}{rnd.choice(INSERTED).format(at, at)}{text[place:]}"
    check_layout(text)


# --- random expressions, without any source


def _expressions() -> st.SearchStrategy[ast.Expr]:
    nowhere = Source("", "").span()
    idents = st.sampled_from(["a", "b", "v"]).map(lambda name: ast.Ident(name, span=nowhere))
    types = st.recursive(
        st.one_of(
            st.just(ast.BoolType(span=nowhere)),
            st.just(ast.ThreadType(span=nowhere)),
            st.sampled_from([8, 64]).map(lambda bits: ast.WordType(bits, span=nowhere)),
            idents.map(lambda name: ast.NamedType(name, (), span=nowhere)),
        ),
        lambda inner: st.one_of(
            inner.map(lambda item: ast.SetType(item, span=nowhere)),
            st.builds(
                lambda name, args: ast.NamedType(name, tuple(args), span=nowhere),
                idents,
                st.lists(inner, min_size=1, max_size=2),
            ),
        ),
        max_leaves=3,
    )
    binders = st.builds(
        lambda name, type_: ast.Binder(name, type_, span=nowhere), idents, st.one_of(st.none(), types)
    )
    paths = st.lists(idents, min_size=1, max_size=2).map(lambda parts: ast.Path(tuple(parts), span=nowhere))
    leaves: st.SearchStrategy[ast.Expr] = st.one_of(
        idents.map(lambda ident: ast.Name(ident.name, span=nowhere)),
        st.integers(0, 300).map(lambda value: ast.Integer(value, span=nowhere)),
        st.booleans().map(lambda value: ast.Boolean(value, span=nowhere)),
        st.just(ast.NoneLiteral(span=nowhere)),
        st.just(ast.Self(span=nowhere)),
        idents.map(lambda name: ast.Element(name, 1, span=nowhere)),
    )

    def deeper(inner: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.Expr]:
        some = st.lists(inner, max_size=3).map(tuple)
        chain = st.lists(inner, min_size=2, max_size=3).map(tuple)
        binary = ["->", "==", "!=", "<", "<=", ">", ">=", "in", "!in", *"&|^", "<<", ">>", *"+-*/%"]
        return st.one_of(
            inner.map(lambda expr: ast.Old(expr, span=nowhere)),
            st.builds(lambda name, args: ast.Call(name, args, span=nowhere), idents, some),
            st.builds(lambda op, e: ast.Unary(op, e, span=nowhere), st.sampled_from("!-~"), inner),
            st.builds(
                lambda op, e, f: ast.Binary(op, e, f, span=nowhere), st.sampled_from(binary), inner, inner
            ),
            st.builds(_chain, st.sampled_from(["&&", "||"]), chain),
            st.builds(lambda c, t, e: ast.Conditional(c, t, e, span=nowhere), inner, inner, inner),
            st.builds(
                lambda kind, names, body: ast.Quantified(kind, tuple(names), body, span=nowhere),
                st.sampled_from(["forall", "exists", "count"]),
                st.lists(binders, min_size=1, max_size=2),
                inner,
            ),
            st.builds(lambda base, index: ast.IndexOf(base, index, span=nowhere), inner, inner),
            st.builds(lambda base, name: ast.FieldOf(base, name, span=nowhere), inner, idents),
            st.builds(
                lambda thread, steps: ast.At(thread, tuple(steps), span=nowhere),
                inner,
                st.lists(paths, min_size=1, max_size=2),
            ),
            some.map(lambda items: ast.SetLiteral(items, span=nowhere)),
            st.builds(
                lambda name, type_, cond: ast.SetOf(
                    ast.Binder(name, type_, span=nowhere), cond, span=nowhere
                ),
                idents,
                types,
                inner,
            ),
        )

    def _chain(op: str, parts: tuple[ast.Expr, ...]) -> ast.Expr:
        return ast.Logical(op, parts, span=nowhere)

    return st.recursive(leaves, deeper, max_leaves=12)


@given(_expressions())
def test_any_expression_can_be_read_back(expr: ast.Expr) -> None:
    text = format_expr(expr)
    assert "\n" not in text
    (claim,) = read(f"protocol p;\nclaim c: {text};\n").items
    assert isinstance(claim, ast.Claim)
    assert claim.property == ast.Always(expr, written=False, span=claim.span)
    assert format_property(claim.property) == text


@given(_expressions())
def test_any_expression_can_be_wrapped(expr: ast.Expr) -> None:
    check_layout(f"protocol p;\nfn f() -> bool = {format_expr(expr)};\n")


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("((a)) + (b * c)", "a + b * c"),
        ("a - (b - c)", "a - (b - c)"),
        ("a && b || c", "(a && b) || c"),
        ("a && b && (c || d)", "a && b && (c || d)"),
        ("(a && b) && c", "(a && b) && c"),
        ("a -> b -> c", "a -> b -> c"),
        ("(a -> b) -> c", "(a -> b) -> c"),
        ("(forall x. x) && b", "(forall x. x) && b"),
        ("b && (forall x. x)", "b && forall x. x"),
        ("b -> (exists x in T. x) || (forall y. y)", "b -> (exists x in T. x) || (forall y. y)"),
        ("a ? b : (c ? d : e)", "a ? b : (c ? d : e)"),
        ("!(a in b) && c ! in d", "!(a in b) && c !in d"),
        ("a & b | c", "(a & b) | c"),
        ("0x1F & ~mask", "0x1F & ~mask"),
        ("- -a", "-(-a)"),
        ("x at {s}", "x at s"),
        ("x at {s.t}", "x at {s.t}"),
    ],
)
def test_parentheses(written: str, printed: str) -> None:
    (item,) = read(f"protocol p; const C = {written};").items
    assert isinstance(item, ast.Const)
    assert format_expr(item.value) == printed


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("thread a { step x { y = 1; } }", "thread a { step x { y = 1; } }"),
        ("thread a {\nstep x {y=1;}}", "thread a {\n    step x { y = 1; }\n}"),
        ("thread a { step x {\n} }", "thread a {\n    step x { }\n}"),
        ("claim a: b because c using d because e;", "claim a: b because c, e using d;"),
        ("enum E { A,\nB, };", "enum E {\n    A,\n    B\n}"),
        ("lock l[n in node] { f() = 1; };", "lock l[n in node] { f() = 1; }"),
        ("const A = 1;\n\n\n\nconst B = 2;", "const A = 1;\n\nconst B = 2;"),
        ("const A = 1; const B = 2;", "const A = 1;\nconst B = 2;"),
        ("const A = 1;      // far", "const A = 1;      // far"),
        ("const A = 1;// near", "const A = 1;  // near"),
        ("const A = /* in */ 1;", "/* in */\nconst A = 1;"),
        ("thread a {\n    // only\n}", "thread a {\n    // only\n}"),
        ("thread a { /* only */ }", "thread a {\n    /* only */\n}"),
        ("shared set<set<a> > x;", "shared set<set<a> > x;"),
        ('cites "a \\" b \\\\";', 'cites "a \\" b \\\\";'),
    ],
)
def test_layout(written: str, printed: str) -> None:
    assert check_layout(f"protocol p;\n{written}\n") == f"protocol p;\n{printed}\n"


def test_long_lines_break_where_a_reader_would() -> None:
    long = "a_rather_long_name[v] && another_rather_long_name[v] -> yet_another_one[v] == the_last_of_them[v]"
    printed = check_layout(f"protocol p;\nclaim c: forall v in vcpu. {long};\n")
    assert printed == (
        "protocol p;\n"
        "claim c:\n"
        "    forall v in vcpu.\n"
        "        a_rather_long_name[v] && another_rather_long_name[v]\n"
        "            -> yet_another_one[v] == the_last_of_them[v];\n"
    )


DEEP = [
    "1 + " * 98 + "1", "a -> " * 98 + "a", "a ? b : " * 98 + "a", "a ? " * 48 + "b" + " : c" * 48, "!" * 98 + "a",
    "-" * 98 + "a", "a" + ".b" * 97, "a[" * 40 + "0" + "]" * 40, "forall x. " * 98 + "x", "a & b | " * 49 + "c",
    "(a || b && " * 20 + "c" + ")" * 20, "a || b && forall x. " * 30 + "c",
]  # fmt: skip


@pytest.mark.parametrize("expr", DEEP)
@pytest.mark.parametrize("blocks", [1, 18])
def test_what_is_just_not_too_deep_to_read_is_not_too_deep_to_print(expr: str, blocks: int) -> None:
    loops = "loop { " * blocks
    check_layout(f"protocol p; thread t {{ {loops} step s {{ x = {expr}; }} {'}' * blocks} }}")


def test_a_tree_without_comments_and_places_is_printed() -> None:
    nowhere = Source("", "").span()
    name = ast.Ident("p", span=nowhere)
    step = ast.Step(name, False, (), (), ast.Block((), span=nowhere), span=nowhere)
    thread = ast.ThreadDecl(name, None, "", ast.Block((step,), span=nowhere), span=nowhere)
    assert format(ast.File("protocol", name, None, (thread,), span=nowhere)) == (
        "protocol p;\nthread p { step p { } }\n"
    )
