"""The example workflow uses only commands and options that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from refine.cli.args import parse

PAGE = Path(__file__).resolve().parents[2] / "docs/ci.md"


def test_each_command_of_the_example_is_understood() -> None:
    text = PAGE.read_text(encoding="utf-8")
    [workflow] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    commands = re.findall(r"run: (spte .*)", workflow)
    assert commands
    for command in commands:
        words = shlex.split(command.replace("${{ matrix.part }}", "1/2"))
        assert parse(words[1:]).verb == "prove"


def test_the_page_shows_the_example_file() -> None:
    [shown] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown == PAGE.with_name("github-workflow.yml").read_text(encoding="utf-8")


def test_each_option_of_the_table_is_one_of_prove() -> None:
    text = PAGE.read_text(encoding="utf-8")
    options = re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)
    assert len(options) > 4
    values = {"--junit": ["x.xml"], "--jobs": ["2"], "--timeout": ["3"], "--shard": ["1/2"]}
    for option in options:
        assert parse(["prove", "spec", option, *values.get(option, [])]).verb == "prove"
