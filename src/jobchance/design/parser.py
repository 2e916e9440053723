"""From tokens to nodes by recursive descent, with a limit on nesting.

The grammar is in docs/explanation/formulas.md. Nothing here looks at data or runs anything.
"""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import NoReturn

from jobchance.design.nodes import (
    Bar,
    Bracket,
    Call,
    Interaction,
    Name,
    Node,
    Number,
    Power,
    Product,
    Sum,
    Text,
)
from jobchance.design.syntax import Token, complaint, tokenise

MAX_DEPTH = 40
FUNCTIONS = ("C", "I", "log", "poly", "spline")
PLACED = ("cbind", "offset")  # each has one place where it may stand
_INSTEAD = {
    "factor": "C",
    "ns": "spline",
    "bs": "spline",
    "cr": "spline",
    "np": "log(x) and I() without a module name",
    "Q": "backticks around the name, `my column`",
}


def parse_sides(text: str) -> tuple[Node | None, Node]:
    """Left and right side of a formula as nodes; the left side is `None` in `"~ x"`.

    Raises
    ------
    FormulaError
        The text is outside the grammar; the message shows the place.
    """
    return _Parser(text).sides()


class _Parser:
    """Reads one formula from left to right; `depth` counts open nestings."""

    def __init__(self, text: str) -> None:
        self.tokens = tokenise(text)
        self.text = text
        self.next = 0
        self.depth = 0

    def sides(self) -> tuple[Node | None, Node]:
        left = None if self.peek("~") else self.sum()
        if not self.peek("~"):
            if self.token.kind == "end":
                self.fail('there is no "~"; write the outcome, then ~, then the covariates')
            self.unexpected()
        self.take()
        right = self.sum()
        if self.peek("~"):
            self.fail('a second "~"')
        if self.token.kind != "end":
            self.unexpected()
        return left, right

    def sum(self) -> Node:
        at = self.token.at
        items = [(self.sign() if self.peek("+", "-") else 1, self.product())]
        while self.peek("+", "-"):
            items.append((self.sign(), self.product()))
        return items[0][1] if len(items) == 1 and items[0][0] > 0 else Sum(tuple(items), at)

    def product(self) -> Node:
        at = self.token.at
        first, rest = self.interaction(), []
        while self.peek("*", "/"):
            rest.append((self.take().value, self.interaction()))
        return Product(first, tuple(rest), at) if rest else first

    def interaction(self) -> Node:
        at = self.token.at
        items = [self.signed()]
        while self.peek(":"):
            self.take()
            items.append(self.signed())
        return Interaction(tuple(items), at) if len(items) > 1 else items[0]

    def signed(self) -> Node:
        if not self.peek("+", "-"):
            return self.power()
        self.deeper()
        at = self.token.at
        node: Node = Sum(((self.sign(), self.signed()),), at)
        self.depth -= 1
        return node

    def power(self) -> Node:
        at = self.token.at
        base = self.primary()
        if not self.peek("**", "^"):
            return base
        self.take()
        self.deeper()
        node = Power(base, self.signed(), at)
        self.depth -= 1
        return node

    def primary(self) -> Node:
        token = self.token
        if token.kind == "number":
            return self.number()
        if token.kind == "text":
            self.take()
            return Text(token.value, token.at)
        if token.kind == "name":
            self.take()
            quoted = self.text[token.at] == "`"
            return self.call(token) if self.peek("(") and not quoted else Name(token.value, token.at)
        if self.peek("("):
            return self.parentheses()
        if self.peek("["):
            return self.bracket()
        return self.unexpected()

    def number(self) -> Node:
        token = self.take()
        value = float(token.value)
        if not math.isfinite(value):
            raise complaint(self.text, token.at, "the number is too large")
        return Number(value, token.at)

    def parentheses(self) -> Node:
        opening = self.take()
        self.deeper()
        node = self.sum()
        if self.peek("|", "||"):
            correlated = self.take().value == "|"
            node = Bar(node, self.product(), correlated, opening.at)
        self.close(opening)
        return node

    def bracket(self) -> Node:
        opening = self.take()
        self.deeper()
        if self.peek("~"):
            self.fail("no endogenous variable stands before the ~: [belief ~ optimism]")
        endogenous = self.sum()
        if not self.peek("~"):
            self.fail(
                "the bracket holds the endogenous variables, ~, and their instruments: [belief ~ optimism]"
            )
        self.take()
        node = Bracket(endogenous, self.sum(), opening.at)
        if not self.peek("]"):
            if self.token.kind == "end":
                raise complaint(self.text, opening.at, "this square bracket is not closed")
            self.unexpected()
        self.take()
        self.depth -= 1
        return node

    def call(self, name: Token) -> Node:
        if name.value not in (*FUNCTIONS, *PLACED):
            raise complaint(self.text, name.at, _unknown_function(name.value))
        opening = self.take()
        self.deeper()
        arguments: list[Node] = []
        options: list[tuple[str, Node]] = []
        while not self.peek(")"):
            if self.token.kind == "name" and self.tokens[self.next + 1].value == "=":
                key = self.take().value
                self.take()
                options.append((key, self.sum()))
            elif options:
                self.fail("an argument without a name cannot follow one with a name")
            else:
                arguments.append(self.sum())
            if not self.peek(","):
                break
            self.take()
        self.close(opening)
        return Call(name.value, tuple(arguments), tuple(options), name.at)

    # ---- moving through the tokens -------------------------------------------------------------------

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def peek(self, *operators: str) -> bool:
        return self.token.kind == "operator" and self.token.value in operators

    def take(self) -> Token:
        token = self.token
        self.next += 1
        return token

    def sign(self) -> int:
        return 1 if self.take().value == "+" else -1

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"the nesting is deeper than {MAX_DEPTH}")

    def close(self, opening: Token) -> None:
        if self.peek("|", "||"):
            self.fail("a random-effects term has one bar and one grouping: (1 + x | group)")
        if not self.peek(")"):
            if self.token.kind == "end":
                raise complaint(self.text, opening.at, "this parenthesis is not closed")
            self.unexpected()
        self.take()
        self.depth -= 1

    def unexpected(self) -> NoReturn:
        token = self.token
        if token.kind == "end":
            self.fail("something is missing at the end")
        if self.peek("|", "||"):
            self.fail("a random-effects term stands in parentheses: (1 + x | group)")
        if self.peek(")"):
            self.fail("this closing parenthesis has no partner, or something is missing before it")
        if self.peek("[", "]"):
            self.fail("square brackets hold instruments and stand alone: y ~ x + [belief ~ optimism]")
        self.fail(f"{token.value[:40]!r} cannot stand here")

    def fail(self, reason: str) -> NoReturn:
        raise complaint(self.text, self.token.at, reason)


def _unknown_function(name: str) -> str:
    """What to say about a function outside the grammar."""
    known = f"known are {', '.join(f + '()' for f in FUNCTIONS)}"
    if name in _INSTEAD:
        return f"{name}() is not a function here; use {_INSTEAD[name]} ({known})"
    near = get_close_matches(name[:40], (*FUNCTIONS, *PLACED), n=1)
    return f"{name[:40]}() is not a function here; {known}" + (f". Did you mean {near[0]}()?" if near else "")
