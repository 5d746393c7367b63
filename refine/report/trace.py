"""A counterexample as text: a column for each thread, as commit messages draw races, and why it matters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from refine.core.system import Kind, Property
from refine.core.trace import NO_EFFECT, Trace
from refine.report.cells import WIDTH, command, pad, tidy, width, wrap
from refine.report.story import Move, Story, place_name, tell, where_threads_stand
from refine.text.diag import escape

_GUTTER = 5  # `  1  `
_BAR = " | "
_SLIMMEST = 9  # a column is never narrower: `guest[0]`
_LAST = 20  # nor is the last one, to whose right nothing can run over

# One line to be laid out: text, what goes to the next line if it does not fit, and the indentation.
_Line: TypeAlias = tuple[str, str, str]


def render(trace: Trace, reproduce: Sequence[str] = (), cells: int = WIDTH, *, supposed: bool = False) -> str:
    """The whole story; `reproduce` is the command, word by word, that finds it again.

    `supposed`: a counterexample to induction, which begins in a state that need not be reachable.
    """
    story = tell(trace)
    lines = [*(_supposed(story, cells) if supposed else _title(story, cells)), ""]
    initial = [*story.at_start, *story.initial] if supposed else story.initial
    if not initial:
        lines += ["initially: everything is false, zero, none, empty or the first of its enum", ""]
    else:
        lines += [
            *wrap(f"{'suppose' if supposed else 'initially'}: {', '.join(initial)}", cells, "", "  "),
            "",
        ]
    if story.moves:
        lines += [*_table(story, cells), ""]
    lines += _ending(story, cells)
    if reproduce:
        lines += ["", "to see it again:", *command(reproduce, cells)]
    return tidy(lines)


def steps(n: int) -> str:
    """`1 step`, `7 steps`."""
    return "1 step" if n == 1 else f"{n} steps"


def label(p: Property) -> str:
    """`claim no_stale_use`, `free claim stuck`."""
    return f"{'free claim' if p.role == 'free' else p.role} {p.name}"


def _title(story: Story, cells: int) -> list[str]:
    p, system = story.property, story.trace.system
    fate = "reached" if p.kind is Kind.REACH else "violated"
    when = f"in {steps(len(story.moves))}" if story.moves else "in the initial state"
    sizes = ", ".join(f"{name} {n}" for name, n in system.sizes)
    lines = wrap(f"{label(p)} is {fate} {when}" + (f" ({sizes})" if sizes else ""), cells)
    if p.doc:
        lines += wrap(f'"{p.doc}"', cells, "  ")
    return lines


def _supposed(story: Story, cells: int) -> list[str]:
    sizes = ", ".join(f"{name} {n}" for name, n in story.trace.system.sizes)
    what = f"{label(story.property)}: where induction fails" + (f" ({sizes})" if sizes else "")
    more = "the first state need not be reachable; if it is not, a lemma that excludes it is missing"
    return [*wrap(what, cells), *wrap(more, cells, "  ")]


def _ending(story: Story, cells: int) -> list[str]:
    p, lines = story.property, []
    last = story.moves[-1] if story.moves else None
    if last is not None and last.fault is not None:
        at = f" ({place_name(last.fault.span)})" if last.fault.span else ""
        lines += wrap(f"step {last.number} is undefined: {last.fault.what}{at}", cells, "", "  ")
    elif story.trace.why:
        state = "after the last step:" if last else "in the initial state:"
        if story.trace.loop is not None:
            state = "if this goes on for ever:"
        if p.kind is not Kind.REACH:
            lines += wrap(f"{label(p)} fails {state}", cells)
        lines += [line for why in story.trace.why for line in wrap(why, cells, "  ", "    ")]
    if where_threads_stand(story):
        lines += wrap(f"at the end: {', '.join(story.at_end)}", cells, "", "  ")
    if p.text:
        at = f"{place_name(p.span)}: " if p.span else ""
        lines += wrap(f"{at}{p.role} {p.name}: {p.text}", cells, "", "  ")
    return lines


def _cell(move: Move) -> Iterator[_Line]:
    name = move.name + (f"({', '.join(f'{k} = {v}' for k, v in move.params)})" if move.params else "")
    name = name if move.thread is not None else f"rule {name}"
    yield name, f"({place_name(move.span)})" if move.span else "", ""
    for choice, value in move.choices:
        if choice.endswith(NO_EFFECT) and value == "true":
            yield choice, "", "  "
    for change in move.changes:
        yield *change.told(move.column), "  "
    if move.fault is not None:
        yield "undefined:", move.fault.what, "  "


def _lay(line: _Line, cells: int) -> list[str]:
    text, more, indent = line
    whole = escape(f"{text} {more}" if more else text)
    if width(indent + whole) <= cells:
        return [indent + whole]
    deeper = indent + "  "
    return [*wrap(text, cells, indent, deeper), *(wrap(more, cells, deeper) if more else [])]


def _table(story: Story, cells: int) -> list[str]:
    """The steps below their threads' names. Only one acts in a row, so its text may run over to the right."""
    widths = _widths(story, cells - _GUTTER)
    if widths is None:
        return _list(story, cells)
    starts = [sum(widths[:n]) + len(_BAR) * n for n in range(len(widths))]
    names = zip(story.columns, widths, strict=True)
    lines = [" " * _GUTTER + _BAR.join(pad(wrap(name, w)[0], w) for name, w in names)]
    lines.append(" " * _GUTTER + "-+-".join("-" * w for w in widths))
    for move in story.moves:
        if move.number - 1 == story.trace.loop:
            lines.append(_mark("from here on it repeats"))
        at = starts[story.columns.index(move.column)]
        block = [text for line in _cell(move) for text in _lay(line, cells - _GUTTER - at)]
        for k, text in enumerate(block):
            head = f"{move.number:>3}  " if k == 0 else " " * _GUTTER
            lines.append(head + _across(text, at, starts))
    return [*lines, *_repeats(story)]


def _across(text: str, at: int, starts: Sequence[int]) -> str:
    """A row with `text` in the column that starts at `at`, and the bars that it leaves free."""
    before = "".join(_BAR.rjust(b - a) for a, b in pairwise(starts) if b <= at)
    line = before + text
    for _, b in pairwise(starts):
        if b > at and width(line) <= b - len(_BAR):
            line = pad(line, b - len(_BAR)) + _BAR
    return line


def _widths(story: Story, cells: int) -> list[int] | None:
    """What each column needs if there is room, else less for all but the last; None: they are too many."""
    natural = []
    for name in story.columns:
        lines = [line for move in story.moves if move.column == name for line in _cell(move)]
        needs = [width(escape(f"{i}{text} {more}")) for text, more, i in lines]
        natural.append(max([width(escape(name)), _SLIMMEST, *needs]))
    room = cells - len(_BAR) * (len(natural) - 1)
    if sum(natural) <= room:
        return natural
    *others, last = natural
    if not others:
        return [room]
    shares = ((room - min(last, wish)) // len(others) for wish in (room // 2 + _SLIMMEST, room // 2, _LAST))
    share = next((share for share in shares if share >= _SLIMMEST), 0)
    if not share:
        return None
    slim = [min(n, share) for n in others]
    return [*slim, room - sum(slim)]


def _list(story: Story, cells: int) -> list[str]:
    """The steps one below the other, each with its thread."""
    lines = []
    for move in story.moves:
        if move.number - 1 == story.trace.loop:
            lines.append(_mark("from here on it repeats"))
        (name, where, _), *rest = _cell(move)
        block = _lay((f"{move.column}: {name}", where, ""), cells - _GUTTER)
        block += [text for line in rest for text in _lay(line, cells - _GUTTER)]
        lines += [(f"{move.number:>3}  " if k == 0 else " " * _GUTTER) + text for k, text in enumerate(block)]
    return [*lines, *_repeats(story)]


def _repeats(story: Story) -> list[str]:
    if story.trace.loop is None:
        return []
    if story.trace.loop == len(story.moves):
        return [_mark("here it may stay for ever")]
    back = f"back to after step {story.trace.loop}" if story.trace.loop else "back to the initial state"
    return [_mark(back)]


def _mark(text: str) -> str:
    return f"     ~~~ {text} ~~~"
