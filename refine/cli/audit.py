"""`spte audit`: prove, and map what each flush, kick, lock, guard and assumption is good for."""

from __future__ import annotations

import argparse

from refine.cli.agenda import Audit, Proof
from refine.cli.check import Run, proofs


def audit(args: argparse.Namespace) -> int:
    """Prove at every size that counts, and map what carries the load."""
    agenda = Audit(
        Proof(frozenset(args.claim), proofs(args)),
        args.all_sizes,
        args.systematic,
        args.triples,
    )
    return Run(args, every=True, agenda=agenda).run()
