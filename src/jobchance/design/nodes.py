"""The parts of a parsed formula, and their canonical text. Positions do not count when nodes are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Text:
    """A quoted text, only as a value such as `ref="level"`."""

    value: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Name:
    """A column."""

    name: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Call:
    """A named function with arguments and named options."""

    function: str
    arguments: tuple[Node, ...]
    options: tuple[tuple[str, Node], ...] = ()
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Sum:
    """Signed items: `+1` or `-1` with each."""

    items: tuple[tuple[int, Node], ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Product:
    """A first item, and others after `*` or `/`, read from left to right."""

    first: Node
    rest: tuple[tuple[str, Node], ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Interaction:
    """Items joined by `:`."""

    items: tuple[Node, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Power:
    """`base ** exponent`."""

    base: Node
    exponent: Node
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Bar:
    """A random-effects term `(effects | group)`, or `||` for uncorrelated effects."""

    effects: Node
    group: Node
    correlated: bool
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Bracket:
    """Instruments `[endogenous ~ excluded]`."""

    endogenous: Node
    excluded: Node
    at: int = field(default=0, compare=False)


Node: TypeAlias = Number | Text | Name | Call | Sum | Product | Interaction | Power | Bar | Bracket


def quoted(name: str) -> str:
    """A column name as a formula writes it: in backticks where it is no plain name."""
    return name if name.isidentifier() else f"`{name}`"


def render(node: Node) -> str:
    """Canonical text of a node, which reads back as the same node; spaces do not matter."""
    match node:
        case Number():
            return number_text(node.value)
        case Text():
            return f"'{node.value}'" if '"' in node.value else f'"{node.value}"'
        case Name():
            return quoted(node.name)
        case Call():
            options = [f"{key}={render(value)}" for key, value in node.options]
            return f"{node.function}({', '.join([*map(render, node.arguments), *options])})"
        case Sum():
            (sign, first), *others = node.items
            text = ("-" if sign < 0 else "") + _inner(first, 1)
            return text + "".join(f" {'+' if s > 0 else '-'} {_inner(item, 1)}" for s, item in others)
        case Product():
            return _inner(node.first, 2) + "".join(f" {sign} {_inner(item, 2)}" for sign, item in node.rest)
        case Interaction():
            return ":".join(_inner(item, 3) for item in node.items)
        case Power():
            return f"{_inner(node.base, 4)} ** {_inner(node.exponent, 4)}"
        case Bar():
            return f"({render(node.effects)} {'|' if node.correlated else '||'} {render(node.group)})"
        case Bracket():
            return f"[{render(node.endogenous)} ~ {render(node.excluded)}]"


def columns_of(node: Node) -> Iterator[Name]:
    """All columns named in a node, in order of writing."""
    match node:
        case Name():
            yield node
        case Call():
            for argument in node.arguments:
                yield from columns_of(argument)
        case Sum() | Product() | Interaction() | Power() | Bar() | Bracket():
            for child in _children(node):
                yield from columns_of(child)


def number_text(value: float) -> str:
    """A number without a needless `.0`."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


_BINDING = {Sum: 1, Product: 2, Interaction: 3, Power: 4}


def _inner(node: Node, binding: int) -> str:
    """Text of a part, in parentheses unless it binds tighter than what it stands in."""
    text = render(node)
    return f"({text})" if _BINDING.get(type(node), 5) <= binding else text


def _children(node: Sum | Product | Interaction | Power | Bar | Bracket) -> tuple[Node, ...]:
    """The parts of a compound node."""
    match node:
        case Sum():
            return tuple(item for _, item in node.items)
        case Product():
            return (node.first, *(item for _, item in node.rest))
        case Interaction():
            return node.items
        case Power():
            return (node.base, node.exponent)
        case Bar():
            return (node.effects, node.group)
        case Bracket():
            return (node.endogenous, node.excluded)
