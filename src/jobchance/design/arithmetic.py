"""Arithmetic on numeric columns inside `I()`, `log()`, `poly()` and `spline()`: checked, then computed.

The nodes are walked by our own code; no text reaches an evaluator.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.design.columns import numeric_values
from jobchance.design.nodes import Call, Name, Node, Number, Power, Product, Sum, Text, columns_of
from jobchance.design.syntax import complaint

Floats = NDArray[np.float64]

MAX_DEGREE = 9
MAX_DF = 20
_OPTIONS = {"C": ("ref",), "I": (), "log": (), "poly": ("degree",), "spline": ("df",)}
_PLACES = {
    "cbind": "cbind() stands alone on the left side: cbind(successes, failures) ~ x",
    "offset": "offset() stands alone between plus signs on the right side: y ~ x + offset(z)",
}


def check_factor(node: Node, text: str) -> None:
    """Raise a `FormulaError` unless `node` is a column or a well-formed call of the grammar."""
    if isinstance(node, Name):
        return
    assert isinstance(node, Call), "factors are columns and calls"
    if node.function in _PLACES:
        raise complaint(text, node.at, _PLACES[node.function])
    for key, value in node.options:
        if key not in _OPTIONS[node.function]:
            allowed = ", ".join(f"{o}=" for o in _OPTIONS[node.function]) or "no options"
            raise complaint(text, value.at, f"{node.function}() takes {allowed}, not {key}=")
    if len(dict(node.options)) < len(node.options):
        raise complaint(text, node.at, "an option is given twice")
    if not node.arguments:
        raise complaint(text, node.at, f"{node.function}() needs a column")
    if node.function == "C":
        _check_categorical(node, text)
        return
    if len(node.arguments) > (2 if node.function in ("poly", "spline") else 1):
        raise complaint(text, node.arguments[-1].at, f"{node.function}() has too many arguments")
    _check_arithmetic(node.arguments[0], text)
    if next(columns_of(node.arguments[0]), None) is None:
        raise complaint(text, node.at, f"{node.function}() names no column")
    if node.function in ("poly", "spline"):
        basis_size(node, text)


def check_placed(node: Call, text: str) -> None:
    """Raise unless `cbind()` has two, or `offset()` one, argument of arithmetic that names a column."""
    wanted, example = (2, "cbind(successes, failures)") if node.function == "cbind" else (1, "offset(z)")
    if len(node.arguments) != wanted or node.options:
        raise complaint(text, node.at, f"write {example}, with columns or arithmetic")
    for argument in node.arguments:
        _check_arithmetic(argument, text)
        if next(columns_of(argument), None) is None:
            raise complaint(text, argument.at, f"this part of {node.function}() names no column")


def basis_size(node: Call, text: str = "") -> int:
    """Degree of `poly(x, degree)` or number of columns of `spline(x, df=)`."""
    key, low, high = ("degree", 1, MAX_DEGREE) if node.function == "poly" else ("df", 2, MAX_DF)
    values = [*node.arguments[1:], *(value for name, value in node.options if name == key)]
    example = "poly(x, 2)" if node.function == "poly" else "spline(x, df=4)"
    size = values[0] if len(values) == 1 else node
    if not isinstance(size, Number) or size.value not in range(low, high + 1):
        raise complaint(text, size.at, f"{key} is one whole number from {low} to {high}: {example}")
    return int(size.value)


def evaluate(node: Node, data: pd.DataFrame) -> Floats:
    """Value of an arithmetic node by row; NaN where a column is missing, inf where undefined."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(_value(node, data), (len(data),)).astype(float)


def _value(node: Node, data: pd.DataFrame) -> Floats:
    """Recursive part of `evaluate`; nesting is limited by the parser."""
    match node:
        case Name():
            return numeric_values(data, node.name)
        case Number():
            return np.array(node.value)
        case Call():
            inside = _value(node.arguments[0], data)
            return np.log(inside) if node.function == "log" else inside
        case Sum():
            total = np.zeros(())
            for sign, item in node.items:
                total = total + sign * _value(item, data)
            return total
        case Product():
            result = _value(node.first, data)
            for operator, item in node.rest:
                other = _value(item, data)
                result = result * other if operator == "*" else result / other
            return result
        case Power():
            return np.power(_value(node.base, data), _value(node.exponent, data))
        case _:
            raise AssertionError("checked when the formula was read")


def _check_categorical(node: Call, text: str) -> None:
    """`C(column)` or `C(column, ref="level")`."""
    if len(node.arguments) != 1 or not isinstance(node.arguments[0], Name):
        raise complaint(text, node.at, 'C() takes one column: C(x) or C(x, ref="level")')
    for _, value in node.options:
        if not isinstance(value, Text | Number):
            raise complaint(text, value.at, 'ref= is a quoted level or a number: C(x, ref="level")')


def _check_arithmetic(node: Node, text: str) -> None:
    """Raise unless a node is made of columns, numbers, `+ - * / **`, `log()` and `I()`."""
    match node:
        case Name() | Number():
            return
        case Call():
            if node.function not in ("I", "log") or len(node.arguments) != 1 or node.options:
                raise complaint(text, node.at, f"{node.function}() cannot stand in arithmetic")
            _check_arithmetic(node.arguments[0], text)
        case Sum():
            for _, item in node.items:
                _check_arithmetic(item, text)
        case Product():
            for item in (node.first, *(item for _, item in node.rest)):
                _check_arithmetic(item, text)
        case Power():
            _check_arithmetic(node.base, text)
            _check_arithmetic(node.exponent, text)
        case Text():
            raise complaint(text, node.at, "a quoted text cannot stand in arithmetic")
        case _:
            raise complaint(text, node.at, "only + - * / ** and parentheses can stand in arithmetic")
