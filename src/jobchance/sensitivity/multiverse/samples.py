"""Which measurement rows a specification rests on, what they count, and a hash that names the set of them.

A sample is decided by conditions and waves, by the columns that must be known, and by the absorbed factors in
whose levels a row must not be alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.design.columns import counted
from jobchance.design.formula import Formula, parse_formula
from jobchance.errors import DesignError, SpecError
from jobchance.numerics.demean import singletons
from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.multiverse.rows import Counts
from jobchance.sensitivity.multiverse.specification import Condition, Specification

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

ENTITY, TIME = "citizen_id", "wave"
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda column, value: column == value,
    "!=": lambda column, value: column != value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
    "in": lambda column, value: column.isin(list(value)),
}


@dataclass(frozen=True)
class RowQuestion:
    """What decides the rows of a sample; equal questions have equal samples.

    Parameters
    ----------
    conditions : tuple of Condition
        All must hold; a row with a missing value in such a column does not fulfil it.
    waves : tuple of int or None, twice
        First and last wave.
    known : tuple of str
        Columns that must not be missing, sorted; columns that never are do not stand here.
    factors : tuple of str
        Absorbed factors: rows alone in one of their levels are left out, again and again.
    """

    conditions: tuple[Condition, ...]
    waves: tuple[int | None, int | None]
    known: tuple[str, ...]
    factors: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Drawn:
    """Positions of the rows in the panel, what they count, and their hash (microdata: memory only)."""

    positions: Codes
    counts: Counts
    hash: str

    @property
    def size(self) -> int:
        """Bytes held."""
        return int(self.positions.nbytes)


@dataclass(eq=False, repr=False)
class SamplePanel:
    """A panel with what its samples need, computed once."""

    panel: AnalysisPanel
    common: tuple[str, ...] = ()
    _missing: dict[str, Mask] = field(default_factory=dict, init=False)
    _gaps: dict[str, bool] = field(default_factory=dict, init=False)

    @property
    def frame(self) -> pd.DataFrame:
        """Rows of the panel."""
        return self.panel.frame

    @cached_property
    def row_ids(self) -> NDArray[np.uint64]:
        """A number per measurement, from its id (or from citizen and wave)."""
        columns = ["measurement_id"] if "measurement_id" in self.frame else [ENTITY, TIME]
        return _hashed(self.frame[columns])

    @cached_property
    def fingerprint(self) -> bytes:
        """Hash of the panel's content; the order of its rows does not count."""
        columns = sorted(map(str, self.frame.columns))
        content = np.sort(_hashed(self.frame[columns]))
        return hashlib.sha256(" ".join(columns).encode() + content.tobytes()).digest()

    def missing(self, column: str) -> Mask:
        """Rows where a column is missing."""
        if column not in self._missing:
            if column not in self.frame.columns:
                raise SpecError(f"The panel has no column {column}.")
            self._missing[column] = self.frame[column].isna().to_numpy(dtype=bool)
        return self._missing[column]

    def has_gaps(self, column: str) -> bool:
        """Whether a column is missing anywhere."""
        if column not in self._gaps:
            self._gaps[column] = bool(self.missing(column).any())
        return self._gaps[column]

    def question(self, spec: Specification) -> RowQuestion:
        """What decides the rows of a specification."""
        covariates = self.common if spec.missing == "common" else columns_of(spec.covariates)
        known = set() if spec.missing == "indicator" else set(covariates)
        known |= {"outcome"}
        if spec.rung is None:
            known |= {spec.exposure, *spec.clusters, *spec.absorb, *_random_columns(spec.random)}
        if spec.estimator == "within":
            known |= {ENTITY, TIME} & set(self.frame.columns)
        return RowQuestion(
            spec.conditions,
            spec.waves,
            tuple(sorted(column for column in known if self.has_gaps(column))),
            absorbed_factors(spec),
        )

    def draw(self, question: RowQuestion) -> Drawn:
        """The sample.

        Raises
        ------
        SpecError
            A condition names a column that the panel lacks, or compares what cannot be compared.
        DesignError
            No row is left.
        """
        keep = np.ones(len(self.frame), dtype=bool)
        for condition in question.conditions:
            keep &= _fulfilled(self.frame, condition)
        first, last = question.waves
        if first is not None:
            keep &= (self.frame[TIME] >= first).to_numpy(dtype=bool)
        if last is not None:
            keep &= (self.frame[TIME] <= last).to_numpy(dtype=bool)
        _require_rows(keep, f"The sample's conditions leave none of {counted(len(keep), 'row')}.")
        ruled = int(keep.sum())
        for column in question.known:
            keep &= ~self.missing(column)
        lacking = ", ".join(question.known)
        _require_rows(keep, f"No complete row among {ruled}: values are missing in {lacking}.")
        positions = np.flatnonzero(keep)
        if question.factors:
            codes = [codes_of(self.frame[name].iloc[positions]) for name in question.factors]
            positions = positions[~singletons(codes)]
            names = " or ".join(question.factors)
            if not len(positions):
                raise DesignError(f"Every row is alone in a level of {names}: no variation is left.")
        return Drawn(positions, self.counts(positions), self.set_hash(positions))

    def counts(self, positions: Codes) -> Counts:
        """Rows, citizens, events, caseworkers and jobcentres."""
        rows = self.frame.take(positions)
        units = {
            f"n_{name}s": int(rows[f"{name}_id"].nunique())
            for name in ("citizen", "caseworker", "jobcentre")
            if f"{name}_id" in rows
        }
        return Counts(len(rows), n_events=int(rows["outcome"].sum()), **units)

    def set_hash(self, positions: Codes) -> str:
        """Sixteen hexadecimal digits for a set of rows, of no use to who does not have the panel."""
        ids = np.sort(self.row_ids[positions])
        return hashlib.sha256(self.fingerprint + ids.tobytes()).hexdigest()[:16]


def absorbed_factors(spec: Specification) -> tuple[str, ...]:
    """Factors whose effects a linear estimator removes, the entity of `within` first."""
    if spec.estimator == "within":
        return tuple(dict.fromkeys((ENTITY, *spec.absorb)))
    return spec.absorb if spec.estimator == "pooled" else ()


def needed_columns(spec: Specification) -> tuple[str, ...]:
    """Columns that a specification reads, each once."""
    conditions = (name for name, _, _ in spec.conditions)
    named = (*columns_of(spec.covariates), *conditions)
    if spec.rung is None:
        named = (spec.exposure, *named, *spec.clusters, *spec.absorb, *_random_columns(spec.random))
    return tuple(dict.fromkeys(named))


def columns_of(terms: Sequence[str]) -> tuple[str, ...]:
    """Columns that terms of a formula read, each once."""
    return tuple(dict.fromkeys(column for term in terms for column in _term_columns(term)))


@lru_cache(maxsize=4096)
def one_term(term: str) -> Formula:
    """The formula with this term alone."""
    return parse_formula(f"outcome ~ {term}")


@lru_cache(maxsize=4096)
def _term_columns(term: str) -> tuple[str, ...]:
    """Columns of one term."""
    return tuple(one_term(term).columns[1:])


def codes_of(column: pd.Series) -> Codes:
    """Levels 0, 1, ... in order of appearance; -1 where missing."""
    return pd.factorize(column)[0].astype(np.int64)


def _random_columns(random: Sequence[str]) -> tuple[str, ...]:
    """Columns of random-effects terms."""
    return columns_of([f"1 + {term}" for term in random])


def _hashed(columns: pd.DataFrame) -> NDArray[np.uint64]:
    """Hash of every row."""
    hashed = pd.util.hash_pandas_object(columns, index=False, categorize=True)
    return np.asarray(hashed, dtype=np.uint64)


def _fulfilled(frame: pd.DataFrame, condition: Condition) -> Mask:
    """Rows that fulfil a condition."""
    name, comparison, value = condition
    if name not in frame.columns:
        raise SpecError(f"The sample asks for column {name}, which the panel does not have.")
    if comparison not in _COMPARE:
        raise SpecError(f"Comparison {comparison!r} is not known. Allowed: {' '.join(_COMPARE)}.")
    column = frame[name]
    wanted = value if isinstance(value, tuple) else (value,)
    _check_kinds(column, wanted, name=name, ordered=comparison in ("<", "<=", ">", ">="))
    if comparison != "in" and isinstance(value, tuple):
        raise SpecError(f"The condition on {name} compares with several values; use 'in'.")
    met = _COMPARE[comparison](column, wanted if comparison == "in" else value)
    return np.asarray(met.fillna(False), dtype=bool) & column.notna().to_numpy()


def _check_kinds(column: pd.Series, wanted: Sequence[object], *, name: str, ordered: bool) -> None:
    """Refuse to compare numbers with text, and the order of texts."""
    numeric = pd.api.types.is_numeric_dtype(column.dtype)  # true/false counts as 0/1
    dates = pd.api.types.is_datetime64_any_dtype(column.dtype)
    texts = [isinstance(value, str) for value in wanted]
    if numeric and any(texts):
        raise SpecError(f"Column {name} holds numbers, but the sample's condition compares it with text.")
    if not numeric and not all(texts) and not all(isinstance(value, bool) for value in column.dropna()):
        raise SpecError(f"Column {name} holds text, but the sample's condition compares it with a number.")
    if ordered and not numeric and not dates:
        raise SpecError(f"Column {name} holds text, which has no order: use ==, != or in.")


def _require_rows(keep: Mask, message: str) -> None:
    if not keep.any():
        raise DesignError(message)
