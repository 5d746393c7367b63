"""Shards: all parts together do everything once, and each says what it speaks of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from refine.cli import main
from refine.cli.shard import Shard
from tests.cli.specs import good

Capture = pytest.CaptureFixture[str]


def told(words: list[str], capsys: Capture) -> tuple[int, list[tuple[str, ...]]]:
    """The exit status, and what was judged: each claim at each size, and each item."""
    status = main([*words, "--json", "--jobs", "1"])
    found: list[tuple[str, ...]] = []
    for line in capsys.readouterr().out.splitlines():
        event = json.loads(line)
        if event["event"] == "size":
            found.append(("size", event["file"], json.dumps(event["sizes"])))
        elif event["event"] == "audit":
            found.append(("audit", event["file"], event["kind"], event["name"], event["claim"] or ""))
    return status, found


def test_cards_are_dealt_out() -> None:
    assert [Shard(n, 3).deal("abcde") for n in (1, 2, 3)] == [["a", "d"], ["b", "e"], ["c"]]


@pytest.mark.parametrize("verb", ["check", "prove", "audit"])
def test_all_shards_together_are_the_whole(verb: str, tmp_path: Path, capsys: Capture) -> None:
    words = [verb, str(good(tmp_path, "a")), str(good(tmp_path, "b"))]
    whole = told(words, capsys)
    parts = [told([*words, "--shard", f"{n}/3"], capsys) for n in (1, 2, 3)]
    assert max(status for status, _ in parts) == whole[0]
    assert sorted(row for _, found in parts for row in found) == sorted(whole[1])


def test_a_claim_may_be_named_that_another_shard_looks_at(tmp_path: Path, capsys: Capture) -> None:
    words = ["check", str(good(tmp_path)), "--claim", "unmapped"]
    assert main([*words, "--shard", "2/2"]) == 0
    assert "what the other shards ask is not known here" in " ".join(capsys.readouterr().err.split())
    assert main(["check", str(good(tmp_path)), "--claim", "umapped", "--shard", "2/2"]) == 2


@pytest.mark.parametrize("wrong", ["0/2", "3/2", "2", "a/b", "1/", "-1/2"])
def test_what_is_no_shard(wrong: str, tmp_path: Path, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as left:
        main(["check", str(good(tmp_path)), f"--shard={wrong}"])
    assert left.value.code == 2
    assert "is no shard" in capsys.readouterr().err


def test_no_shard_knows_half_an_answer(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "late.spte").write_text(
        "protocol late;\nparam N = 1 in 1..3;\nindex cpu[N];\nshared set<cpu> seen = {};\n"
        "rule see[c in cpu] { seen += c; }\n"
        "reach crowd: exists a in cpu, b in cpu. a != b && a in seen && b in seen;\n"
    )
    (tmp_path / "nets.spte").write_text(
        "protocol nets;\nshared bool gone = false;\nshared bool used = false;\n"
        "thread one { step a { if (!used) gone = true; } }\n"
        "thread two { step b { first: if (!gone) { second: if (!gone) used = true; } } }\n"
        "claim apart: never gone && used because two.first, two.second;\nreach ends: gone;\n"
    )
    for n in (1, 2, 3):
        assert main(["prove", str(tmp_path), "--shard", f"{n}/3", "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert said.count("reach crowd ......................... reached in 2 steps (N 2..3)") == 1
    assert said.count("one of two.first, two.second ........ jointly needed") == 1
