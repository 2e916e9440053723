"""From the text of a formula to tokens with positions; every complaint shows the place with a caret."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobchance.errors import FormulaError

MAX_LENGTH = 10_000
_SHOWN = 60

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      |(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      |(?P<name>[^\W\d]\w*)
      |(?P<quoted>`[^`\n]+`)
      |(?P<text>"[^"\n]*"|'[^'\n]*')
      |(?P<operator>\*\*|\|\||[-+*/:^()|~,=\[\]])""",
    re.VERBOSE,
)
_REASONS = {
    ".": "a dot has no meaning here; a column name that holds a dot stands in backticks, `my.column`",
    "`": "a backtick is not closed",
    '"': "a quotation mark is not closed",
    "'": "a quotation mark is not closed",
    "\x00": "a NUL character",
}


@dataclass(frozen=True)
class Token:
    """One symbol: `kind` is number, name, text, operator or end; `at` its position in the formula."""

    kind: str
    value: str
    at: int


def tokenise(text: object) -> list[Token]:
    """Symbols of a formula, ending with an `end` token.

    Raises
    ------
    FormulaError
        `text` is not a string, is empty or longer than 10,000 characters, or holds a symbol outside the
        grammar.
    """
    if not isinstance(text, str):
        raise FormulaError(f'A formula is a text such as "outcome ~ belief", not a {type(text).__name__}.')
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"The formula has {len(text)} characters; at most {MAX_LENGTH} are read.")
    if not text.strip():
        raise FormulaError('The formula is empty; write for example "outcome ~ belief".')
    tokens = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise complaint(
                text, at, _REASONS.get(text[at], f"the character {text[at]!r} has no meaning here")
            )
        kind = str(match.lastgroup)
        if kind in ("quoted", "text"):
            tokens.append(Token("name" if kind == "quoted" else "text", match.group()[1:-1], at))
        elif kind != "space":
            tokens.append(Token(kind, match.group(), at))
        at = match.end()
    return [*tokens, Token("end", "", len(text))]


def complaint(text: str, at: int, reason: str) -> FormulaError:
    """The error that says what is wrong at position `at`, with the place marked by a caret."""
    start = max(0, at - _SHOWN)
    shown = "".join(c if c.isprintable() else " " for c in text[start : at + _SHOWN])
    before, after = "..." if start else "", "..." if at + _SHOWN < len(text) else ""
    caret = " " * (len(before) + at - start) + "^"
    where = f"position {at + 1}" if at < len(text) else "the end"
    return FormulaError(
        f"The formula cannot be read at {where}: {reason}.\n  {before}{shown}{after}\n  {caret}"
    )
