"""For pytest: `pytest spec/` is the proof suite, one test for each size, reason, mutant and variant of a file.

A `.spte` file is collected if it is named on the command line, or is below a folder that is, or if the ini file says
`spte = true`; never if it lies in one of `spte_ignore`, unless it is itself named. So a project that has
specifications among its tests' data, and `testpaths`, sees nothing of this.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:  # what reads and proves is loaded with the first file
    from refine.cli.suite import Test

_SUFFIX = ".spte"
_NAMED = "spte_named"  # what a process of xdist is told, whose arguments do not say where they come from


class _Node(Protocol):
    config: pytest.Config
    workerinput: dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say what can be chosen."""
    group = parser.getgroup("spte", "page-table protocols")
    group.addoption(
        "--spte-timeout", type=_seconds, metavar="S", help="seconds for each test of a .spte file"
    )
    group.addoption(
        "--spte-states", type=_natural, metavar="N", default=5_000_000, help="search no more than N states"
    )
    parser.addini("spte", "collect .spte files wherever pytest looks", type="bool", default=False)
    parser.addini("spte_ignore", "files and folders whose .spte files are not collected", type="paths")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: _Node) -> None:
    """Tell a process of xdist whether its arguments were given, or are `testpaths`."""
    node.workerinput[_NAMED] = _named(node.config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a specification, if it is meant."""
    if file_path.suffix != _SUFFIX or not _meant(file_path, parent):
        return None
    return SpteFile.from_parent(parent, path=file_path)


class SpteFile(pytest.File):
    """One specification."""

    def collect(self) -> Iterable[SpteItem]:
        """Yield one item for each of its tests."""
        from refine.cli.suite import suite
        from refine.cli.work import Options

        config = self.config
        options = Options(
            states=config.getoption("--spte-states"), timeout=config.getoption("--spte-timeout")
        )
        try:
            name = str(self.path.relative_to(config.invocation_params.dir))
        except ValueError:
            name = str(self.path)
        for test in suite(self.path, name, options):
            yield SpteItem.from_parent(self, name=test.name, test=test)


class SpteItem(pytest.Item):
    """One test of a specification."""

    def __init__(self, *, test: Test, **more: Any) -> None:
        """Keep the test for when it is run."""
        super().__init__(**more)
        self._test = test

    def runtest(self) -> None:
        """Fail with what is not as declared."""
        if said := self._test.run():
            raise NotAsDeclaredError(said)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Print the counterexample or the sentence, and no traceback of the tool."""
        if isinstance(excinfo.value, NotAsDeclaredError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the test."""
        return self.path, None, self.name


class NotAsDeclaredError(Exception):
    """Something is not as the specification declares; the message is the text to show."""


def _meant(path: Path, parent: pytest.Collector) -> bool:
    config = parent.config
    if parent.session.isinitpath(path):
        return True
    ignored = any(path.is_relative_to(folder) for folder in config.getini("spte_ignore"))
    return not ignored and (config.getini("spte") or _named(config))


def _named(config: pytest.Config) -> bool:
    """Whether it was the user who said where to look."""
    told: dict[str, Any] = getattr(config, "workerinput", {})
    return bool(told.get(_NAMED, config.args_source is pytest.Config.ArgsSource.ARGS))


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError(text)
    return value


def _natural(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or not len(text) < 10:
        raise ValueError(text)
    return int(text)
