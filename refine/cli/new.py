"""`spte new`: a small commented specification to start from, which checks as it is."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from refine.cli.files import SUFFIX
from refine.cli.status import OK, USAGE
from refine.text.diag import Reporter, escape, render

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

TEMPLATE = """\
// Check this file with 'spte check {path}'; 'spte show {path}' prints the rules it stands for.
protocol {name} "a page is freed only once no vCPU can reach it";

// What it models: the file in the kernel tree, and functions in it.
source "arch/x86/kvm/mmu/mmu.c" zap, fault;

import lib.lock;

// 'spte check' takes the default, 'spte prove' every value.
param VCPUS = 2 in 1..3;
index vcpu[VCPUS];

// The only ways in which the value may change.
machine Page {{ FREE -> MAPPED : map; MAPPED -> FREE : zap; }}

shared Page page = FREE guarded by mmu_lock;
spinlock mmu_lock;

// One thread for each vCPU. A step is indivisible; anything may happen between two steps.
thread guest[v in vcpu] {{
    loop {{
        idle step fault {{ spin_lock(mmu_lock); }}
        step fix {{
            recheck: if (page == FREE) page = MAPPED;
            spin_unlock(mmu_lock);
        }}
    }}
}}

thread zapper {{
    step enter {{ spin_lock(mmu_lock); }}
    step zap {{ if (page == MAPPED) page = FREE; }}
    step leave {{ spin_unlock(mmu_lock); }}
}}

// What must hold in every state, at every size, and why: 'spte prove' drops each reason and looks for what breaks.
claim unmapped "while the zapper is about to leave, nothing is mapped":
    always zapper at leave -> page == FREE
    because mmu_lock.held;

// What must be possible: a claim about what never happens says nothing.
reach zaps "there is something to zap": zapper at zap && page == MAPPED;

// A tempting mistake, which must be caught; 'spte ask FILE --mutant NAME' shows the run.
mutant no_lock "the zapper does without the lock" breaks unmapped {{ drop zapper.enter; }}
"""


def new(args: argparse.Namespace) -> int:
    """Write the file; one that exists is left alone."""
    path = Path(args.name)
    if path.suffix != SUFFIX:
        path = path.with_name(path.name + SUFFIX) if path.name else path
    name = path.name.removesuffix(SUFFIX)
    reporter = Reporter()
    if not _NAME.fullmatch(name) or args.name.endswith("/"):
        help_ = "letters, digits and '_', not beginning with a digit"
        reporter.error("E0614", f"'{name}' cannot name a specification", None, help_)
    else:
        _write(path, TEMPLATE.format(name=name, path=path), reporter)
    for diagnostic in reporter.sorted():
        sys.stderr.write(render(diagnostic, colour=sys.stderr.isatty()) + "\n")
    if reporter.has_errors:
        return USAGE
    sys.stdout.write(f"wrote {escape(str(path))}; next: spte check {escape(str(path))}\n")
    return OK


def _write(path: Path, text: str, reporter: Reporter) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        reporter.error("E0615", f"'{path}' exists already", None, "choose another name, or remove it first")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reporter.error("E0613", f"cannot write '{path}': {why}", None)
