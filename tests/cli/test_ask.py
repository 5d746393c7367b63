"""`spte ask`: each kind of change, what the page says, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from refine.cli import main
from tests.cli.specs import good

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[2]
TLB = str(ROOT / "spec/lib/clients/tlb.spte")
SMALL = ["--size", "VCPUS=2", "--size", "KEYS=1"]


def asked(capsys: Capture, *words: str) -> tuple[int, str]:
    status = main(["ask", *words, "--jobs", "1"])
    return status, capsys.readouterr().out


def test_a_call_that_was_dropped_is_seen_to_have_no_effect(capsys: Capture) -> None:
    status, page = asked(capsys, TLB, "--drop", "tlb.flush_local", *SMALL)
    assert status == 1
    assert page.startswith("what if: drop tlb.flush_local\n")
    assert "tlb.served breaks in " in page
    assert page.count("flush_local has no effect") == 1


def test_a_call_that_was_reached_by_no_step_is_not_said_to_have_no_effect(
    tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "x.spte"
    file.write_text(
        """protocol x;
shared bool done = false;
shared bool wrong = false;
op flush() protects flush { done = true; }
thread t {
    bool way = false;
    step choice { havoc way; }
    step go { if (way) { really: flush(); } else { wrong = true; } }
}
claim right: !wrong || done || true;
claim fine: !wrong;
"""
    )
    status, page = asked(capsys, str(file), "--drop", "t.really", "--claim", "fine")
    assert status == 1
    assert "has no effect" not in page


def test_a_weaker_call_breaks_what_the_stronger_one_kept(capsys: Capture) -> None:
    words = ["--weaken", "changer.shoot", "to", "kvm_request_tlb_flush"]
    status, page = asked(capsys, TLB, *words, *SMALL)
    assert status == 1
    assert "what if: weaken changer.shoot to kvm_request_tlb_flush" in page
    assert "--weaken changer.shoot to kvm_request_tlb_flush" in " ".join(page.replace("\\", "").split())


def test_what_still_holds_says_what_carries_the_load(tmp_path: Path, capsys: Capture) -> None:
    status, page = asked(capsys, str(good(tmp_path)), "--yield-at", "zapper.zap", "--claim", "unmapped")
    assert status == 0
    assert "what if: yield before zapper.zap" in page
    assert "still proved: unmapped\n  at VCPUS 1; VCPUS 2; VCPUS 3" in page
    assert "mmu_lock.held ................... needed: without it, broken in 4 steps" in page


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], "E0616"),
        (["--drop", "changer.shot"], "E0206"),
        (["--delete", "changer.nothing"], "E02"),
        (["--weaken", "changer.shoot", "to", "nonsense"], "E0"),
        (["--mutant", "none"], "E0"),
        (["--yield-at", "nowhere"], "E0"),
        (["--set", "VCPUS=9"], "E0512"),
        (["--drop", "changer.shoot", "--claim", "flushd"], "E0612"),
    ],
)
def test_what_cannot_be_asked_is_said_and_nothing_is_done(
    words: list[str], code: str, capsys: Capture
) -> None:
    assert main(["ask", TLB, *words]) == 2
    said = capsys.readouterr()
    assert f"error[{code}" in said.err
    assert said.out == ""


def test_the_answer_as_data(capsys: Capture) -> None:
    status, out = asked(capsys, TLB, "--drop", "tlb.flush_local", "--json", *SMALL)
    assert status == 1
    data = json.loads(out)
    assert "flush_local" in json.dumps(data)
    assert "flush_local has no effect" in json.dumps(data)
