"""Specifications are untrusted: bombs are refused, imports stay in their folders, names and strings are data."""

from __future__ import annotations

from pathlib import Path

import pytest

from refine.core.table import show_system
from refine.engine.explore import explore
from refine.engine.verdict import Limits, Proved
from refine.lang.load import load, load_text
from refine.lang.lower import lower
from refine.lang.sizes import sizes
from refine.run.compile import compile_system
from refine.text.diag import Reporter, render


def codes(text: str) -> set[str]:
    reporter = Reporter()
    loaded = load_text(f"protocol p;\n{text}", "bomb.spte", [], reporter)
    if loaded is not None and sizes(loaded, reporter) is not None:
        lower(loaded, {}, reporter)
    assert "\x1b" not in "".join(render(d) for d in reporter.sorted())
    return {d.code for d in reporter.sorted()}


DOUBLED = "fn f0(int(0..1) n) -> int = n;\n" + "".join(
    f"fn f{k}(int(0..1) n) -> int = f{k - 1}(n) + f{k - 1}(n);\n" for k in range(1, 400)
)
NESTED_CALLS = "op f0() { n = 1; }\n" + "".join(
    f"op f{k}() {{ f{k - 1}(); f{k - 1}(); }}\n" for k in range(1, 38)
)
NESTED_PROCS = "proc f0() { step s { n = 1; } }\n" + "".join(
    f"proc f{k}() {{ a: f{k - 1}(); b: f{k - 1}(); }}\n" for k in range(1, 30)
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("index v[1000000];", "E0510"),
        ("index v[0 - 3];", "E0510"),
        ("param N = 2 in 1..1000000000; index v[N];", "E0510"),
        ("index v[200]; shared bool x[v][v][v];", "E0510"),
        ("shared bool x[int(0..1000000)];", "E0510"),
        (DOUBLED + "claim c: f399(1) > 0;", "E0511"),
        ("shared int(0..1) n = 0;\n" + NESTED_CALLS + "thread t { step s { f37(); } }", "E0511"),
        ("shared int(0..1) n = 0;\n" + NESTED_PROCS + "thread t { f29(); }", "E0511"),
        ("proc f() { g(); } proc g() { f(); } thread t { f(); }", "E0407"),
        ("op f() { g(); } op g() { f(); } thread t { step s { f(); } }", "E0407"),
        ("fn f(bool b) -> bool = g(b); fn g(bool b) -> bool = f(b); claim c: f(true);", "E0407"),
        ("type t { t inner; } t x;", "E0407"),
    ],
    ids=range(12),
)  # fmt: skip
def test_a_bomb_is_refused(text: str, code: str) -> None:
    assert code in codes(text)


@pytest.mark.parametrize(
    "name", ["__class__", "lambda_", "exec", "eval", "None", "seen", "K0", "s", "x" * 400]
)
def test_a_name_is_only_a_name(name: str) -> None:
    thread = f"thread t {{ step {name}_ {{ {name} = true; }} }}"
    text = f'protocol p "\\"); import os #";\nshared bool {name} = false;\n{thread}'
    reporter = Reporter()
    loaded = load_text(text, "\x1b[31m.spte", [], reporter)
    assert loaded is not None, reporter.sorted()
    system = lower(loaded, {}, reporter)
    assert system is not None, reporter.sorted()
    answer = explore(system, None, Limits())
    assert all(isinstance(v, Proved) for v in answer.verdicts.values())
    assert name not in compile_system(system, list(system.properties)).source or len(name) <= 4
    assert "\x1b" not in show_system(system)


def test_control_characters_of_a_string_are_shown_and_not_sent() -> None:
    reporter = Reporter()
    loaded = load_text(
        'protocol p "red \x1b[31m and \u202e back";\nthread t { step a { } }', "p.spte", [], reporter
    )
    made = lower(loaded, {}, reporter) if loaded is not None else None
    shown = "".join(render(d) for d in reporter.sorted()) + (show_system(made) if made is not None else "")
    assert "\x1b" not in shown
    assert "\u202e" not in shown


LIBRARY = "library inner;\nfn yes() -> bool = true;\n"


def test_an_import_may_not_leave_its_folders_through_a_link(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "inner.spte").write_text(LIBRARY)
    (inside / "inner.spte").symlink_to(outside / "inner.spte")
    main = inside / "main.spte"
    main.write_text("protocol p;\nimport inner;\nthread t { step a { } }\n")
    reporter = Reporter()
    assert load(main, (), reporter) is None
    assert [d.code for d in reporter.sorted()] == ["E0603"]
    allowed = Reporter()
    assert load(main, (outside,), allowed) is not None, allowed.sorted()


@pytest.mark.parametrize("path", ["..secret", "/etc/passwd", "../inner", '"inner"', "a/b"])
def test_an_import_names_no_path_of_the_file_system(path: str) -> None:
    assert codes(f"import {path};") & {f"E01{k:02}" for k in range(21)}


def test_a_cycle_of_imports_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.spte").write_text("library a;\nimport b;\n")
    (tmp_path / "b.spte").write_text("library b;\nimport a;\n")
    reporter = Reporter()
    assert load(tmp_path / "a.spte", (), reporter) is None
    assert [d.code for d in reporter.sorted()] == ["E0604"]
