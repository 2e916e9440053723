"""One choice on one dimension, as a file writes it, turned into its canonical value.

Every reader raises `SpecError` or `FormulaError` with what is wrong; the caller adds the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from numbers import Integral
from types import MappingProxyType
from typing import Any

from jobchance.errors import SpecError
from jobchance.panel.build import AT_RISK
from jobchance.results.vcov import CLUSTER_KINDS
from jobchance.sensitivity.multiverse.choices import ESTIMATORS
from jobchance.sensitivity.multiverse.spec_terms import AFTER, IDS, read_random
from jobchance.sensitivity.multiverse.spec_text import column_fault, hidden_fault, kind, not_known, shown
from jobchance.sensitivity.multiverse.specification import CR1, MISSING

LONGEST_WEEKS = 5200
MAX_WAVE = 1000
MAX_FACTORS = 6
_WAVES = re.compile("([0-9]{0,4})(-?)([0-9]{0,4})")
_VCOV = ("model", "robust", "cluster:<column>", "cluster:<column>:<kind>")


def read_value(dimension: str, value: object) -> Any:
    """Canonical value of one choice on a dimension other than covariates and sample.

    Raises
    ------
    SpecError, FormulaError
        The value is of another type, outside the closed list, or names a column that cannot stand there.
    """
    return _READERS[dimension](value)


def is_list(value: object) -> bool:
    """Whether a value is a list of the file (or a list or tuple of a mapping)."""
    return isinstance(value, list | tuple)


def one_of(allowed: tuple[str, ...]) -> Callable[[object], str]:
    """Reader of a closed list."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return str(value)
        raise SpecError(not_known(value, allowed))

    return read


def whole_number(value: object, low: int, high: int) -> int:
    """A whole number in a range; true and false are no numbers."""
    if not isinstance(value, Integral) or isinstance(value, bool) or not low <= int(value) <= high:
        raise SpecError(f"a whole number from {low} to {high} is needed, not {shown(value)}")
    return int(value)


def column(value: object, *, refused: Mapping[str, str]) -> str:
    """A column's name that is not refused in this place."""
    fault = column_fault(value)
    if not fault and value in refused:
        fault = f"{value} cannot stand here: {refused[str(value)]}"
    if fault:
        raise SpecError(fault)
    return str(value)


def _outcome(value: object) -> str:
    fault = column_fault(value)
    if fault:
        raise SpecError(fault.replace("column name", "name of an outcome rule"))
    return str(value)


def _horizon(value: object) -> int:
    return whole_number(value, 1, LONGEST_WEEKS)


_NO_EXPOSURE = AFTER | dict.fromkeys(IDS, "it is an identifier") | {"date": "it is a date"}
_NO_FACTOR = AFTER | {
    "measurement_id": "each row has its own",
    "citizen_id": "the estimator 'within' removes the citizen's own level",
}
_NO_GROUP = AFTER | {"measurement_id": "each row has its own"}


def _exposure(value: object) -> str:
    return column(value, refused=_NO_EXPOSURE)


def _waves(value: object) -> tuple[int | None, int | None]:
    example = "write 'all', '2', '1-3', '2-' or '-3'"
    if isinstance(value, Integral) and not isinstance(value, bool):
        one = whole_number(value, 0, MAX_WAVE)
        return one, one
    if isinstance(value, str) and value == "all":
        return None, None
    match = _WAVES.fullmatch(value.replace(" ", "")) if isinstance(value, str) and len(value) < 20 else None
    if match is None or not (match[1] or match[3]):
        raise SpecError(f"{shown(value)} is no wave window; {example}")
    first = int(match[1]) if match[1] else None
    last = (int(match[3]) if match[3] else None) if match[2] else first
    if max(first or 0, last or 0) > MAX_WAVE:
        raise SpecError(f"a wave lies between 0 and {MAX_WAVE}")
    if first is not None and last is not None and first > last:
        raise SpecError(f"the window {shown(value)} ends before it begins")
    return first, last


def _absorb(value: object) -> tuple[str, ...]:
    if isinstance(value, str) and value == "none":
        return ()
    factors: Any = value if isinstance(value, list | tuple) else [value]
    if not 0 < len(factors) <= MAX_FACTORS:
        raise SpecError(f"a choice names 1 to {MAX_FACTORS} factors; write 'none' for no factor")
    names = [column(factor, refused=_NO_FACTOR) for factor in factors]
    if len(set(names)) < len(names):
        raise SpecError("a factor is named twice")
    return tuple(sorted(names))


def _random(value: object) -> tuple[str, ...]:
    terms, effects, groups = read_random(value)
    for name in effects:
        column(name, refused=_NO_EXPOSURE)
    for name in groups:
        column(name, refused=_NO_GROUP)
    return terms


def _vcov(value: object) -> str:
    if isinstance(value, str) and value in ("model", "robust"):
        return str(value)
    if not isinstance(value, str) or not value.startswith("cluster:"):
        raise SpecError(not_known(value, _VCOV) + " For example 'cluster:caseworker_id'.")
    listed, colon, kind_of = value.removeprefix("cluster:").partition(":")
    names = [part.strip(" ") for part in listed.split("+")]
    if colon and kind_of not in CLUSTER_KINDS:
        raise SpecError(f"kind {not_known(kind_of, CLUSTER_KINDS)} For example 'cluster:jobcentre_id:CR2'.")
    if len(names) > MAX_FACTORS:
        raise SpecError(f"at most {MAX_FACTORS} columns of clusters")
    checked = [column(name, refused=AFTER) for name in names]
    if len(set(checked)) < len(checked):
        raise SpecError("a column of clusters is named twice")
    if len(checked) > 1 and kind_of in ("CR2", "CR3"):
        raise SpecError(f"{kind_of} is defined for one column of clusters, not {len(checked)}")
    return "cluster:" + "+".join(sorted(checked)) + (f":{kind_of}" if kind_of not in ("", CR1) else "")


def text_value(value: object) -> str:
    """A text that a row is compared with; the message never shows it, since it may come from data."""
    if not isinstance(value, str):
        raise SpecError(f"a text is needed here, not {kind(value)}")
    fault = hidden_fault(value) or ("" if 0 < len(value) <= 100 else "it has no or more than 100 characters")
    if fault:
        raise SpecError(f"the text to compare with cannot be used: {fault}")
    return str(value)


_READERS: Mapping[str, Callable[[object], Any]] = MappingProxyType(
    {
        "outcome": _outcome,
        "horizon_weeks": _horizon,
        "at_risk": one_of(AT_RISK),
        "exposure": _exposure,
        "waves": _waves,
        "estimator": one_of(ESTIMATORS),
        "absorb": _absorb,
        "random": _random,
        "vcov": _vcov,
        "missing": one_of(MISSING),
    }
)
