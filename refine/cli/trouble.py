"""What a user is told of an error that is none of theirs; imports nothing that could be what is broken."""

from __future__ import annotations

import os
import traceback

from refine.text.diag import escape


def sentence(error: BaseException) -> str:
    """One sentence for it."""
    said = escape(str(error).partition("\n")[0])[:200]
    return f"internal error ({type(error).__name__}{f': {said}' if said else ''}), please report it"


def details(error: BaseException) -> str:
    """The traceback, for those who ask for it with SPTE_DEBUG=1."""
    if not os.environ.get("SPTE_DEBUG"):
        return ""
    return "".join(traceback.format_exception(error))
