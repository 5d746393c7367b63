"""Small specifications for the command line's tests."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NoReturn

from refine.cli.new import TEMPLATE


def good(folder: Path, name: str = "toy") -> Path:
    """What `spte new` writes: all as declared."""
    file = folder / f"{name}.spte"
    file.write_text(TEMPLATE.format(name=name, path=file))
    return file


def broken(folder: Path, name: str = "broken") -> Path:
    """The zapper forgets the lock."""
    text = TEMPLATE.format(name=name, path=name)
    text = text.replace("step enter { spin_lock(mmu_lock); }", "step enter { }")
    text = text.replace("step leave { spin_unlock(mmu_lock); }", "step leave { }")
    text = text.partition("\n// A tempting mistake")[0].replace("\n    because mmu_lock.held;", ";")
    file = folder / f"{name}.spte"
    file.write_text(text)
    return file


def large(folder: Path, name: str = "large") -> Path:
    """Far too many states to be seen while a test waits."""
    text = f'protocol {name} "an odometer";\nparam TOP = 99 in 98..99;\n'
    for digit in "abcd":
        text += f"shared int(0..TOP) {digit} = 0;\nrule turn_{digit} when {digit} < TOP {{ {digit} += 1; }}\n"
    text += "claim bounded: a <= TOP;\nreach some: a == 2;\n"
    file = folder / f"{name}.spte"
    file.write_text(text)
    return file


def ill(folder: Path, name: str = "ill") -> Path:
    """Two errors in two lines."""
    file = folder / f"{name}.spte"
    file.write_text(f"protocol {name};\nshared bool x = y;\nshared bool z = 3;\n")
    return file


class Sleeper:
    """In the place of a loaded file: whoever looks into it is held up, whatever the clock says."""

    @property
    def file(self) -> NoReturn:
        """Never come back."""
        while True:
            time.sleep(1)
