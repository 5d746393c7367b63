"""Reading specifications: what is read, where it stands, and what is said about what cannot be read."""

from __future__ import annotations

import dataclasses
import random
import time
from pathlib import Path

import pytest

from refine.lang import ast
from refine.lang.parse import parse
from refine.lang.tokens import MOST_ERRORS, MOST_TOKENS
from refine.text import codes
from refine.text.diag import Diagnostic, Reporter, render
from refine.text.span import Source

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.spte"))
TEXTS = [path.read_text(encoding="utf-8") for path in FIXTURES]
HEADER = "protocol p;\n"


def read(text: str) -> ast.File:
    reporter = Reporter()
    file = parse(Source("test.spte", text), reporter)
    reporter.raise_errors()
    assert file is not None
    return file


def errors(text: str) -> tuple[Diagnostic, ...]:
    reporter = Reporter()
    file = parse(Source("test.spte", text), reporter)
    assert (file is None) == reporter.has_errors
    return reporter.sorted()


def places(text: str) -> list[str]:
    """Return `code line:col` of each error."""
    return [f"{e.code} {e.span.line}:{e.span.col}" for e in errors(text) if e.span is not None]


# --- what is read -------------------------------------------------------------------------------------------


def test_constructs_become_nodes() -> None:
    file = read(
        'library l "doc";\n'
        "shared thread? owner[n in node] = none alive when true guarded by a.b;\n"
        "strong fair rule r[v in vcpu] when a, n: b { x.f[1] += 2; }\n"
        'claim c: total -> a && b && c because x using l because y cites "1" cites "2";\n'
    )
    assert (file.role, file.name.name, file.doc and file.doc.value) == ("library", "l", "doc")
    variable, rule, claim = file.items
    assert isinstance(variable, ast.Variable)
    assert isinstance(variable.type, ast.OptionType)
    assert str(variable.guarded_by) == "a.b"
    assert variable.alive == ast.Boolean(True, span=file.span)
    assert isinstance(rule, ast.RuleDecl)
    assert rule.fair == "strong"
    assert [conjunct.label and conjunct.label.name for conjunct in rule.when] == [None, "n"]
    (action,) = rule.body.stmts
    assert isinstance(action, ast.Assign)
    assert action.op == "+="
    assert isinstance(claim, ast.Claim)
    assert list(map(str, claim.because)) == ["x", "y"]
    assert [text.value for text in claim.cites] == ["1", "2"]
    assert isinstance(claim.property, ast.Always)
    assert not claim.property.written
    assert isinstance(claim.property.cond, ast.Binary)
    chain = claim.property.cond.right
    assert isinstance(chain, ast.Logical)
    assert len(chain.parts) == 3


def test_branches_of_a_choice_may_be_empty() -> None:
    file = read(HEADER + "thread t { choose { or step a { } step b { } or } }")
    (thread,) = file.items
    assert isinstance(thread, ast.ThreadDecl)
    (choose,) = thread.body.stmts
    assert isinstance(choose, ast.Choose)
    assert [len(branch.stmts) for branch in choose.branches] == [0, 2, 0]


def test_parentheses_end_a_chain() -> None:
    (item,) = read(HEADER + "const C = (a && b) && (c && d) && e;").items
    assert isinstance(item, ast.Const)
    assert isinstance(item.value, ast.Logical)
    assert [type(part) for part in item.value.parts] == [ast.Logical, ast.Logical, ast.Name]


def test_escapes_and_numbers() -> None:
    uncovered, const = read(HEADER + r'uncovered "a \" b" "\\"; const C = 0x1F + 010;').items
    assert isinstance(uncovered, ast.Uncovered)
    assert (uncovered.id.value, uncovered.why.value) == ('a " b', "\\")
    assert isinstance(const, ast.Const)
    assert const.value == ast.Binary(
        "+", ast.Integer(31, span=const.span), ast.Integer(10, span=const.span), span=const.span
    )


def test_comments_are_kept_with_their_places() -> None:
    text = "// one\nprotocol p; /* two\n    more */ // three  \r\n"
    file = read(text)
    assert [comment.text for comment in file.comments] == ["// one", "/* two\nmore */", "// three"]
    assert [comment.span.text for comment in file.comments] == [
        "// one",
        "/* two\n    more */",
        "// three  \r",
    ]


def test_bom_and_line_ends_of_other_systems() -> None:
    assert read("\ufeffprotocol p;\r\nconst A = 1;\r\n") == read("protocol p; const A = 1;")


def nodes(node: object) -> list[ast.Expr | ast.Stmt | ast.Ident]:
    """Return all nodes below one, each with its children after it."""
    found, todo = [], [node]
    while todo:
        here = todo.pop()
        if isinstance(here, tuple):
            todo += reversed(here)
        elif dataclasses.is_dataclass(here) and hasattr(here, "span"):
            found.append(here)
            todo += [
                getattr(here, field.name)
                for field in dataclasses.fields(here)
                if field.name not in ("span", "comments")
            ]
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("text", TEXTS, ids=[path.stem for path in FIXTURES])
def test_spans_are_exact(text: str) -> None:
    file = read(text)
    for node in nodes(file.items):
        assert node.span.text == node.span.text.strip()
        for child in nodes(node):
            assert node.span.start <= child.span.start <= child.span.end <= node.span.end, (node, child)
        if isinstance(node, ast.Name):
            assert node.span.text == node.id
        elif isinstance(node, ast.Ident):
            assert node.span.text == node.name
        elif isinstance(node, ast.Logical):
            assert node.op in node.span.text


# --- what cannot be read ---------------------------------------------------------------------------------------

ERRORS = [
    ("", ["E0118 1:1"]),
    ("// only a comment\n", ["E0118 1:1"]),
    ("shared bool a;\n", ["E0118 1:1"]),
    ("protocl p;\nconst A 1;", ["E0118 1:1", "E0101 2:9"]),
    ("protocol p", ["E0107 1:11"]),
    ("protocol ;\nconst A 1;", ["E0101 1:10", "E0101 2:9"]),
    # several in one file
    ("const A 3;\nconst B = ;\nconst C = 1;\nclaim d e;", ["E0101 2:9", "E0101 3:11", "E0101 5:9"]),
    ("thread t {\n    step a { x y z; }\n    step b { z = ; }\n}", ["E0101 3:18", "E0101 4:18"]),
    # semicolons
    ("const A = 1\nconst B = 2\n", ["E0107 2:12", "E0107 3:12"]),
    ("thread t { step a { x = 1 } step b { y = 2 } }", ["E0107 2:26", "E0107 2:43"]),
    ("thread t { step a { }; };", ["E0101 2:22", "E0101 2:25"]),
    # brackets
    ("thread t {\n    step a { x = 1;\n    step b { }\n}\nclaim c: d;", ["E0108 5:2"]),
    ("thread t {\n    step a { x = 1\n\nclaim c d;", ["E0108 3:19", "E0101 5:9"]),
    ("thread t {", ["E0108 2:11"]),
    ("thread t {\n    step a { f(x; if (y { z = 1; } }\n}", ["E0108 3:17", "E0108 3:24"]),
    ("const A = 1);\nconst B = (1];\n}\nconst C 1;", ["E0116 2:12", "E0116 3:13", "E0116 4:1", "E0101 5:9"]),
    # reserved words
    ("shared int(0..3) count = 0;\nthread step { }", ["E0109 2:18", "E0109 3:8"]),
    ("thread t { step a { old = 1; x.step = 2; drop(x); } }", ["E0109 2:21", "E0109 2:32", "E0109 2:42"]),
    # assignments and comparisons
    ("thread t { step a { if (x = 1) y == 2; } }", ["E0110 2:27", "E0110 2:34"]),
    ("thread t { step a { x := 1; y++; } }", ["E0111 2:23", "E0111 2:30"]),
    ("thread t { step a { --z; w *= 2; } }", ["E0111 2:21", "E0111 2:28"]),
    ("const A := 1;", ["E0111 2:9"]),
    ("claim a: x < y < z && u == v == w;", ["E0120 2:16", "E0120 2:30"]),
    ("claim a: x in y in z;", ["E0120 2:17"]),
    # operators
    ("claim a: x and y or z;", ["E0112 2:12", "E0112 2:18"]),
    ("claim b: not x;\nclaim c: x => y;", ["E0112 2:10", "E0112 3:12"]),
    ("claim a: x <=> y;\nclaim b: x not in y;\nclaim c: x <-> y;", ["E0112 2:12", "E0112 3:12", "E0112 4:12"]),
    ("claim a: x === y;\nclaim b: x <> y;", ["E0112 2:12", "E0112 3:12"]),
    # bodies
    ("thread t { step a { if (x) y = 1; else y = 2; } }", ["E0113 2:35"]),
    ("thread t { step a { if (x) { y = 1; } else y = 2; } }", ["E0113 2:44"]),
    ("thread t {\n    if (x) step a { }\n    while (f(y)) z = 1;\n}", ["E0113 3:12", "E0113 4:18"]),
    ("thread t {\n    loop step b { }\n    maybe x = 1;\n}", ["E0113 3:10", "E0113 4:11"]),
    # quantifiers
    ("claim a: 1 + count x in T. y < 3;\nclaim b: !forall x. y;", ["E0114 2:14", "E0114 3:11"]),
    ("claim a: forall x: y;", ["E0101 2:18"]),
    # what stands in the wrong place
    ("bool x = false;\nSpte y = NONE;\nz = 1;", ["E0117 2:1", "E0117 3:8", "E0117 4:1"]),
    ("thread t {\n    step a { } }\n    step b { }\n}\nclaim c d;", ["E0117 4:5", "E0101 6:9"]),
    ("thread t {\n    shared bool x;\n    step a { x y z; }\n}", ["E0117 3:5", "E0101 4:18"]),
    ("type l { thread t { } shared bool b }", ["E0117 2:10", "E0107 2:36"]),
    ("delete a.b;", ["E0117 2:1"]),
    # misspelt words
    ("tread t {\n    step a { }\n}\nconst A 1;", ["E0101 3:5", "E0101 5:9"]),
    ("clain c: d;\nconst A 1;", ["E0101 2:8", "E0101 3:9"]),
    # lists of other things
    ("machine M { A -> B go; B > A : x; }\nenum E { A B };", ["E0101 2:20", "E0101 2:26", "E0101 3:12"]),
    ("mutant m {\n    remove a;\n    drop b\n    swap c d;\n}", ["E0101 3:5", "E0107 4:11", "E0101 5:12"]),
    ("sizes { A = 1 }\nstruct S { int }", ["E0107 2:14", "E0101 3:16"]),
    # clauses
    ("shared int x guarded by a guarded by b alive when c alive when d;", ["E0115 2:27", "E0115 2:53"]),
    ("mutant m keeps a { }\nvariant v breaks a { }", ["E0115 2:10", "E0115 3:11"]),
    ("mutant n breaks a breaks b { }", ["E0115 2:19"]),
    # characters
    ('claim a "b: c;\nclaim d "e\\n": f;', ["E0102 2:9", "E0106 3:11"]),
    ("const A = 1; /* B\nconst C 1;", ["E0103 2:14"]),
    ("const \u00fc = gr\u00f6\u00dfe \u2264 3 $ 4;", ["E0104 2:7", "E0104 2:11", "E0104 2:17", "E0104 2:21"]),
    ("const A\x00 = 1; // \x1b\ncites \"\u202e\";\r", ["E0105 2:8", "E0105 2:18", "E0105 3:8", "E0105 3:11"]),
    ("const A = 12ab + 0b1 + 1.5 + 0x;", ["E0119 2:11", "E0119 2:18", "E0119 2:24", "E0119 2:30"]),
    ("#include <stdio.h>\nconst A 1;", ["E0101 2:1", "E0101 3:9"]),
    ("shared set<set<int>> x;\nconst A 1;", ["E0101 2:19", "E0101 3:9"]),
    ("const A = 0x1" + 32 * "0" + " + 0x1" + 33 * "0" + ";", ["E0505 2:49"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ERRORS)
def test_every_error_is_found_where_it_is(text: str, expected: list[str]) -> None:
    headless = any(line.startswith("E0118") for line in expected) or "protocol" in text
    assert places(text if headless else HEADER + text) == expected


def test_messages_are_in_the_words_of_the_reader() -> None:
    shown = "\n".join(
        render(error) for text, _ in ERRORS for error in errors(text if "protocol" in text else HEADER + text)
    )
    for word in ("ANON", "LBRACE", "SEMICOLON", "NAME`", "SUMOP", "Token", "$END"):
        assert word not in shown


def message(text: str) -> str:
    (error,) = errors(HEADER + text)
    return error.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("const A = ;", "expected an expression, found `;`"),
        ("const A = 1 2;", "expected `;` or an operator, found the number `2`"),
        ("const 1;", "expected a name, found the number `1`"),
        ("shared = 1;", "expected a type, found `=`"),
        ("mutant m { x; }", "expected `}` or an edit (`delete`, `swap`, `drop`, …), found the name `x`"),
        ("thread t { = }", "expected `}` or a statement (`step`, `if`, `x = …`, …), found `=`"),
        ("= 1;", "expected a declaration (`shared`, `thread`, `claim`, …), found `=`"),
        (
            "claim a: b c;",
            "expected `;`, `because`, `cites`, `leads to`, `redundant`, `using` or an operator, found the name `c`",
        ),
        ("thread t { for v in w { } }", "expected `all` or `each`, found the name `v`"),
    ],
)  # fmt: skip
def test_what_was_expected(text: str, said: str) -> None:
    assert message(text) == said


def test_an_unclosed_block_is_found_by_its_indentation() -> None:
    text = "thread t {\n    step a { }\n    if (x) {\n        step b { }\n    step c { }\n}\nclaim d: e;\n"
    (error,) = errors(HEADER + text)
    (note,) = error.notes
    assert note.span is not None
    assert (note.span.line, note.span.col) == (4, 12)


def test_a_misspelt_word_is_suggested() -> None:
    (error,) = errors(HEADER + "thraed t { step a { } }")
    assert [note.message for note in error.notes] == ["did you mean `thread`?"]


def test_there_are_only_so_many() -> None:
    assert len(errors(HEADER + "const A 1;\n" * 100)) == MOST_ERRORS
    assert len(errors(HEADER + "$ " * 100)) == MOST_ERRORS
    assert len(errors(HEADER + "\x01" * 100)) == MOST_ERRORS


@pytest.mark.parametrize("code", [code for code in codes.codes() if code[:3] == "E01" or code[:4] == "E050"])
def test_pages_show_what_they_explain(code: str) -> None:
    page = codes.entry(code)
    if page.bad is not None and page.good is not None:
        assert [error.code for error in errors(page.bad)] == [code]
        assert errors(page.good) == ()


# --- what is too large --------------------------------------------------------------------------------------

BOMBS = {
    "parentheses": ("const A = " + "(" * (1 << 19) + ";", "E0502"),
    "a megabyte of parentheses": ("(" * ((1 << 20) - len(HEADER)), "E0502"),
    "more than a megabyte": ("(" * (1 << 20), "E0501"),
    "brackets of all kinds": ("const A = " + "(a[{" * 30, "E0502"),
    "blocks": ("thread t " + "{ loop " * 100, "E0502"),
    "a sum": ("const A = " + "1 + " * 200 + "1;", "E0503"),
    "a large sum": ("const A = " + "1+" * 5_000 + "1;", "E0503"),
    "implications": ("claim a: " + "b -> " * 5_000 + "b;", "E0503"),
    "choices": ("claim a: " + "b ? c : " * 5_000 + "b;", "E0503"),
    "negations": ("claim a: " + "!" * 10_000 + "b;", "E0503"),
    "signs": ("const A = " + "-" * 10_000 + "1;", "E0503"),
    "quantifiers": ("claim a: " + "forall x. " * 5_000 + "b;", "E0503"),
    "fields": ("const A = a" + ".b" * 5_000 + ";", "E0503"),
    "types": ("shared " + "set<" * 5_000 + "int" + " >" * 5_000 + " x;", "E0503"),
    "branches": ("thread t { " + "if (a) { } else " * 2_000 + "{ } }", "E0502"),
    "words": ("const A = " + "a && " * MOST_TOKENS + "a;", "E0504"),
    "digits": ("const A = " + "9" * 1_000_000 + ";", "E0505"),
    "a long comment": ("/*" + "*" * 1_000_000, "E0103"),
    "a long text": ('cites "' + "\\\\" * 400_000, "E0102"),
    "quotes": ('"' * 1_000_000, "E0502"),
    "comments": ("/**/" * 250_000, "E0504"),
    "comment starts": ("/*/ " * 250_001, "E0504"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_too_large_is_refused_at_once(name: str) -> None:
    text, code = BOMBS[name]
    began = time.monotonic()
    found = errors(HEADER + text)
    assert time.monotonic() - began < 10  # much more than it takes, less than what grows with the square
    if name != "quotes":
        assert [error.code for error in found] == [code]
    for error in found:
        assert len(render(error)) < 2000


def test_long_chains_are_no_bombs() -> None:
    (claim,) = read(HEADER + "claim a: " + "b && " * 10_000 + "b;").items
    assert isinstance(claim, ast.Claim)
    assert isinstance(claim.property, ast.Always)
    assert isinstance(claim.property.cond, ast.Logical)
    assert len(claim.property.cond.parts) == 10_001


def test_a_hundred_levels_are_not_too_deep() -> None:
    read(HEADER + "const A = " + "1 + " * 99 + "1;")
    read(HEADER + "thread t " + "{ loop " * 59 + "{ }" + "}" * 59)


# --- anything at all --------------------------------------------------------------------------------------------

SNIPPETS = [
    "{", "}", "(", ")", "[", "]", ";", ",", ".", "..", ":", "=", "==", "->", "&&", "||", "!", "-", "<", ">", "?", "#",
    '"', "'", "\\", "//", "/*", "*/", "\n", "\r", "\t", " ", "\x00", "\u2264", "\ud800", "0", "0x", "9" * 50, "x",
    "step", "if", "else", "or", "choose", "thread", "claim", "shared", "forall", "count", "protocol", "type", "at",
    "in", "mutant", "breaks", "delete", "enum", "machine", "sizes", "guarded", "by", "when", "none", "u8", "set",
]  # fmt: skip


def mutated(rnd: random.Random) -> str:
    text = rnd.choice(TEXTS)
    for _ in range(rnd.choice([1, 1, 2, 5, 20])):
        at = rnd.randrange(len(text) + 1)
        match rnd.randrange(5):
            case 0:
                text = text[:at] + text[at + rnd.randrange(1, 8) :]
            case 1:
                text = f"{text[:at]} {rnd.choice(SNIPPETS)} {text[at:]}"
            case 2:
                text = text[:at] + rnd.choice(SNIPPETS) + text[at + 1 :]
            case 3:
                start = rnd.randrange(len(text) + 1)
                text = text[:at] + text[start : start + rnd.randrange(1, 200)] + text[at:]
            case _:
                text = text[:at]
    return text


@pytest.mark.parametrize("seed", range(20))
def test_any_text_is_read_or_refused(seed: int) -> None:
    rnd = random.Random(seed)
    for _ in range(25):
        text = mutated(rnd)
        found = errors(text)
        assert len(found) <= MOST_ERRORS
        for error in found:
            assert error.span is not None
            assert 0 <= error.span.start <= error.span.end <= len(text)
            render(error)
