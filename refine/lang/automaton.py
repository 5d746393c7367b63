"""The parser's automaton, driven token by token: what would fit, and how to go on after an error."""

from __future__ import annotations

from refine.lang.tokens import END, grammar
from refine.lang.tree import Token, Tree, Value, reduced

# A list of any of these can lose an element and still be read to its end.
_ELEMENTS = ("item", "type_member", "stmt", "edit", "edge", "field", "size", "binding")

_CLOSERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}


class Automaton:
    """The state of one parse."""

    def __init__(self) -> None:
        """Stand before the first token."""
        self.tree: Tree | None = None
        made = grammar().tables
        self._table, self._rules, self._end = made.rows, made.rules, made.end
        self._states = [0]
        self._values: list[Value | None] = []

    def feed(self, token: Token) -> bool:
        """Take a token, if it fits."""
        table, states, values = self._table, self._states, self._values
        while (target := table[states[-1]].get(token.type)) is not None:
            if target >= 0:
                states.append(target)
                values.append(token)
                return True
            rule = self._rules[~target]
            at = len(values) - rule.length
            made = reduced(rule, values[at:])
            del states[at + 1 :], values[at:]
            states.append(table[states[-1]][rule.origin])
            values.append(made)
            if token.type == END and states[-1] == self._end:
                assert isinstance(made, Tree), "a whole text is a tree"
                self.tree = made
                return True
        return False

    def accepts(self, *terminals: str) -> bool:
        """Tell whether these terminals would fit, one after the other."""
        stack: list[int] | None = self._states
        for terminal in terminals:
            assert stack is not None, "it was left below"
            stack = self._after(stack, terminal)
            if stack is None:
                return False
        return True

    def acceptable(self) -> frozenset[str]:
        """Return all terminals that would fit."""
        candidates = self._table[self._states[-1]]
        terminals = [name for name in candidates if name.isupper() or name == END]
        return frozenset(name for name in terminals if self.accepts(name))

    def open_brackets(self) -> list[Token]:
        """Return the brackets that have been opened and not closed, outermost first."""
        opened: list[Token] = []
        for value in self._values:  # what is finished is a tree, and no token
            if not isinstance(value, Token):
                continue
            if value.type in _CLOSERS:
                opened.append(value)
            elif opened and value.type == _CLOSERS[opened[-1].type]:
                opened.pop()
        return opened

    def leave_element(self) -> int | None:
        """Forget the unfinished element of the innermost list; return how many of its braces were open.

        None if no list has been begun, which is so only before the end of the header.
        """
        states, values = self._states, self._values
        for level in range(len(states) - 1, -1, -1):
            if any(element in self._table[states[level]] for element in _ELEMENTS):
                kinds = [getattr(value, "type", None) for value in values[level:]]
                del states[level + 1 :], values[level:]
                return kinds.count("LBRACE") - kinds.count("RBRACE")
        return None

    def leave_list(self) -> bool:
        """Forget the innermost list too; False if it is that of all items."""
        states, values = self._states, self._values
        if "item" in self._table[states[-1]]:
            return False
        while getattr(values[-1], "type", None) != "LBRACE":
            del states[-1], values[-1]
        del states[-1], values[-1]
        return True

    def begin_items(self) -> int:
        """Stand before the first declaration, as after a header; return the number of open braces, none."""
        del self._states[1:], self._values[:]
        for terminal in ("PROTOCOL", "NAME", "SEMICOLON", "UNCOVERED"):
            fits = self.feed(Token(terminal, ""))
            assert fits, "that is a header and the first word of a declaration"
        self.leave_element()
        return 0

    def begins_item(self, terminal: str) -> bool:
        """Tell whether a terminal may begin a declaration."""
        return any("item" in row and terminal in row for row in self._table)

    def _after(self, stack: list[int], terminal: str) -> list[int] | None:
        stack = stack.copy()
        while (target := self._table[stack[-1]].get(terminal)) is not None:
            if target >= 0:
                stack.append(target)
                return stack
            rule = self._rules[~target]
            del stack[len(stack) - rule.length :]
            stack.append(self._table[stack[-1]][rule.origin])
            if terminal == END and stack[-1] == self._end:
                return stack
        return None
