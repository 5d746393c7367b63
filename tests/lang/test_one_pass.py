"""One pass tells all: what is wrong with the syntax, and the type errors in the rest; never what only follows."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from refine.lang.load import load
from refine.lang.rest import type_rest
from refine.lang.tokens import END, scan
from refine.text.diag import Reporter, Severity
from refine.text.span import Source

SPEC = Path(__file__).resolve().parents[2] / "spec"
ZAP = """protocol zap;
import lib.lock;
index vcpu[2];
machine Spte { NONE -> PRESENT : map; PRESENT -> NONE : zap; }
shared Spte spte = NONE;
shared int(0..3) users = 0;
spinlock mmu_lock;
thread zapper {
    step lock { spin_lock(mmu_lock); }
    step clear { spte = NONE; users = 0; }
    step unlock { spin_unlock(mmu_lock); }
}
thread guest[v in vcpu] {
    step map { spte = PRESENT; }
}
claim few: users <= 3;
claim apart: zapper at clear -> spte == PRESENT;
"""


def found(text: str, folder: Path) -> list[tuple[str, int]]:
    """The errors of a file, by code and line."""
    path = folder / "zap.spte"
    path.write_text(text, encoding="utf-8")
    reporter = Reporter()
    if load(path, (), reporter) is None:
        type_rest(path, (), reporter)
    return [
        (d.code, d.span.line if d.span is not None else 0)
        for d in reporter.sorted()
        if d.severity is Severity.ERROR
    ]


def test_type_errors_in_other_declarations_are_told_with_a_syntax_error(tmp_path: Path) -> None:
    text = ZAP.replace("step map { spte = PRESENT; }", "step map { spte = = PRESENT; }")
    text = text.replace("users <= 3", "usres <= 3").replace("users = 0; }", "users = spte; }")
    codes = found(text, tmp_path)
    assert [code for code, _ in codes] == ["E0301", "E0101", "E0201"]
    assert [line for _, line in codes] == [10, 14, 16]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shared Spte spte = NONE;", "shared Spte spte == NONE;"),
        ("shared Spte spte = NONE;", "shared Spte spte = NONE"),
        ("machine Spte {", "machine Spte ["),
        ("thread zapper {", "thread zapper ("),
        ("step clear {", "step clear"),
        ("index vcpu[2];", "index vcpu 2];"),
        ("spinlock mmu_lock;", "spinlock mmu_lock lock;"),
        ("import lib.lock;", "import lib lock;"),
        ("protocol zap;", "protocol ;"),
        ("shared int(0..3) users = 0;", "shared int(0..3) = 0 guarded by mmu_lock;"),
    ],
)
def test_what_only_follows_from_a_syntax_error_is_not_told(old: str, new: str, tmp_path: Path) -> None:
    assert ZAP.count(old) == 1
    codes = {code for code, _ in found(ZAP.replace(old, new), tmp_path)}
    assert codes
    assert all(code.startswith("E01") for code in codes), codes


def test_nothing_follows_from_a_token_that_is_lost_or_doubled(tmp_path: Path) -> None:
    rng = Random(7)
    tried = 0
    for path in sorted(SPEC.rglob("*.spte")):
        text = path.read_text(encoding="utf-8")
        scanned = scan(Source("x", text), Reporter())
        assert scanned is not None
        tokens = [t for t in scanned.tokens if t.type != END]
        for token in rng.sample(tokens, 12):
            start, end = token.start_pos or 0, token.end_pos or 0
            twice = rng.random() < 0.4
            mutated = text[:end] + " " + text[start:] if twice else text[:start] + text[end:]
            codes = [code for code, _ in found(mutated, tmp_path)]
            if any(code.startswith("E01") for code in codes):
                tried += 1
                assert all(code.startswith("E01") for code in codes), (path.name, token, twice, codes)
    assert tried > 100


def test_a_planted_type_error_is_told_beside_a_planted_syntax_error(tmp_path: Path) -> None:
    for path in sorted((SPEC / "x86").glob("*.spte")):
        text = path.read_text(encoding="utf-8")
        text += "claim planted: no_such_thing == 3;\nreach broken: == 1;\n"
        codes = [code for code, _ in found(text, tmp_path)]
        assert "E0201" in codes, path
        assert any(code.startswith("E01") for code in codes)
