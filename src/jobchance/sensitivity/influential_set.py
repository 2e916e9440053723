"""`most_influential_set`: how few persons or caseworkers carry an estimate's sign or significance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.design.columns import counted
from jobchance.errors import JobchanceError, SpecError
from jobchance.inference.again import Refit, fit_again, require_record
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.sensitivity.leave_one_out import chosen_term, levels_of

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

TARGETS = ("sign", "significance")


@dataclass(frozen=True, eq=False, repr=False)
class InfluentialSet:
    """The smallest set found whose removal changes a conclusion.

    Parameters
    ----------
    found : bool
        Whether a set of at most the stated share does it.
    n_units, n_rows : int
        Units in the set (if none was found, those left out last), and their rows.
    share : float
        Units in the set as a share of all.
    n_predicted : int or None
        Units that the first-order approximation asks for at the start; `None` if not even all would do.
    frame : DataFrame
        Every refit made: `n_left_out share estimate std_error conf_low conf_high changed`.
    estimate, std_error : float
        With everybody.
    term, unit, target : str
        Coefficient, what was left out, and which conclusion was to change.
    conventions : mapping of str to str
        How, in words.
    members : Series or None
        The levels of the set; in memory only, absent after pickling.
    """

    found: bool
    n_units: int
    n_rows: int
    share: float
    n_predicted: int | None
    frame: pd.DataFrame
    estimate: float
    std_error: float
    term: str
    unit: str
    target: str
    conventions: Mapping[str, str] = field(default_factory=dict)
    members: pd.Series | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "conventions", MappingProxyType(dict(self.conventions)))

    def __repr__(self) -> str:
        return f"InfluentialSet({self.term!r}, {self.n_units} of {self.unit}, found={self.found})"

    def __reduce__(self) -> tuple[object, ...]:
        given = (self.found, self.n_units, self.n_rows, self.share, self.n_predicted, self.frame)
        rest = (self.estimate, self.std_error, self.term, self.unit, self.target, dict(self.conventions))
        return (InfluentialSet, (*given, *rest))

    def summary(self) -> str:
        """The set in words."""
        what = {"sign": "changes sign", "significance": "is no longer significant"}[self.target]
        size = f"{self.n_units} of {self.unit} ({self.share:.2%}, {counted(self.n_rows, 'row')})"
        if self.found:
            head = f"{self.term}: the estimate {self.estimate:.6g} {what} without {size}"
        else:
            head = f"{self.term}: without the most influential {size} the estimate keeps its conclusion"
        return "\n".join([head, *(f"{name}: {text}" for name, text in self.conventions.items())])


def most_influential_set(
    fit: Fit,
    unit: str | Sequence[str],
    *,
    term: str | None = None,
    target: str = "sign",
    level: float = 0.95,
    largest_share: float = 0.2,
    refit: Refit | None = None,
) -> InfluentialSet:
    r"""Fewest units without which the estimate changes sign, or its interval no longer excludes zero.

    The first-order influence of a unit on the coefficient is :math:`\psi_u = [A \sum_{i \in u} s_i]_{term}`,
    A the bread and s the scores: without a set S the estimate is about
    :math:`\hat\beta - \sum_{u \in S} \psi_u` (Broderick, Giordano & Meager). The units that hold the estimate
    up most are left out, a part of the number predicted at a time; after each part the model is fitted again
    and influence computed anew, since it changes as units go. The set returned *does* change the conclusion,
    and one fewer in its order does not. It need not be the smallest that exists: finding that one is a search
    over all sets.

    Parameters
    ----------
    fit : Fit
        With its rows.
    unit : str or sequence of str
        What may be left out: `"citizen_id"`, `"caseworker_id"`, ...
    term : str or None
        Coefficient; may be left out where there is one beside the intercept.
    target : {"sign", "significance"}
        Which conclusion is to change; significance is that of the fit's own kind of standard error.
    level : float
        Of the interval.
    largest_share : float
        Share of the units beyond which the search stops.
    refit : callable or None
        Data -> Fit, for models that cannot be fitted again from their record.

    Returns
    -------
    InfluentialSet

    Raises
    ------
    SpecError
        Unknown term or target; no rows; shares outside (0, 1); an estimate that is not significant to begin
        with (`target="significance"`); a model that cannot be fitted again.
    FormulaError, DesignError
        As `leave_one_out`.

    References
    ----------
    Broderick, Giordano & Meager (2020), An automatic finite-sample robustness metric, arXiv 2011.14999;
    Kuschnig, Zens & Crespo Cuaresma (2021), Hidden in plain sight: influential sets in linear regression,
    on computing influence anew.

    Examples
    --------
    >>> from jobchance import fit_glm
    >>> data = pd.DataFrame({"x": [0.0, 1, 0, 1, 0, 1, 0, 1], "y": [1.0, 0, 1, 1, 0, 0, 0, 6]})
    >>> data["citizen_id"] = list("abcdefgh")
    >>> made = most_influential_set(fit_glm("y ~ x", data, family="gaussian"), "citizen_id")
    >>> made.n_units, made.found
    (1, True)
    """
    name = chosen_term(fit, term)
    check_option("target", target, TARGETS)
    wrong = [n for n, v in (("level", level), ("largest_share", largest_share)) if not 0 < v < 1]
    if wrong:
        raise SpecError(f"{' and '.join(wrong)} must lie between 0 and 1.")
    rows = fit.need_rows("most_influential_set")
    columns = [unit] if isinstance(unit, str) else list(unit)
    codes, levels = levels_of(rows, columns)
    if refit is None:
        require_record(fit)
    if target == "significance":
        _require_significant(fit, name, level)
    search = _Search(
        refit or partial(fit_again, fit), rows.frame.iloc[rows.used], codes, _Goal(fit, name, target, level)
    )
    most = max(1, int(largest_share * len(levels)))
    order, found = search.run(fit, most)
    label = " x ".join(columns)
    return InfluentialSet(
        found=found,
        n_units=len(order),
        n_rows=int(np.isin(codes, order).sum()),
        share=len(order) / len(levels),
        n_predicted=search.predicted,
        frame=search.frame(len(levels)),
        estimate=float(fit.params[name]),
        std_error=float(fit.std_errors[name]),
        term=name,
        unit=label,
        target=target,
        conventions={
            "order": "by first-order influence on the coefficient, computed anew as units are left out",
            "check": "fitted again without the set; one fewer in this order does not change the conclusion",
        },
        members=pd.Series(levels[order], name=label),
    )


def _require_significant(fit: Fit, name: str, level: float) -> None:
    """An interval that includes zero has no significance to lose."""
    low, high = fit.conf_int(level).loc[name].to_numpy(dtype=float)
    if np.isnan([low, high]).any():
        raise SpecError(f"{name} has no standard error in this fit, so no significance: use another vcov.")
    if low <= 0 <= high:
        raise SpecError(f"The {level:.0%} interval of {name} includes zero already: nothing is to be lost.")


class _Goal:
    """The conclusion that is to change."""

    def __init__(self, fit: Fit, name: str, target: str, level: float) -> None:
        self.name, self._target, self._level = name, target, level
        self.sign = float(np.sign(fit.params[name])) or 1.0

    def distance(self, fit: Fit) -> float:
        """How far the estimate still is from the change; below zero where the conclusion has changed."""
        if self._target == "sign":
            return self.sign * float(fit.params[self.name])
        low, high = fit.conf_int(self._level).loc[self.name].to_numpy(dtype=float)
        return float(low) if self.sign > 0 else -float(high)

    def influence(self, fit: Fit, codes: Codes, n_levels: int) -> Floats:
        """How much each unit holds the estimate up (n_levels,)."""
        rows = fit.need_rows("most_influential_set")
        by_row = rows.row_scores @ rows.bread[:, fit.terms.index(self.name)]
        held = np.bincount(codes[rows.used], weights=by_row, minlength=n_levels)
        return np.asarray(self.sign * held, dtype=np.float64)

    def line(self, fit: Fit) -> dict[str, object]:
        """What a refit found."""
        low, high = fit.conf_int(self._level).loc[self.name].to_numpy(dtype=float)
        return {
            "estimate": float(fit.params[self.name]),
            "std_error": float(fit.std_errors[self.name]),
            "conf_low": float(low),
            "conf_high": float(high),
            "changed": self.distance(fit) < 0,
        }


class _Search:
    """Leave out the most influential units part by part, until the conclusion changes."""

    def __init__(self, refit: Refit, data: pd.DataFrame, codes: Codes, goal: _Goal) -> None:
        self._refit, self._data, self._codes, self._goal = refit, data, codes, goal
        self._n_levels = int(codes.max()) + 1
        self._seen: dict[int, dict[str, object]] = {}
        self.predicted: int | None = None

    def run(self, fit: Fit, most: int) -> tuple[Codes, bool]:
        """Units left out in order, and whether that changes the conclusion."""
        order = np.empty(0, dtype=np.int64)
        inside = np.arange(len(self._data))
        now, codes = self._refit(self._data), self._codes
        while len(order) < most:
            held = self._goal.influence(now, codes, self._n_levels)
            held[order] = -np.inf
            ranked = np.argsort(-held, kind="stable").astype(np.int64)
            needed = self._needed(held[ranked], self._goal.distance(now))
            if not len(order):
                self.predicted = needed
            helpful = int((held > 0).sum())
            if not helpful:
                return order, False  # leaving out any unit would carry the estimate further from the change
            size = min(_part(needed, helpful), most - len(order), self._n_levels - 1 - len(order))
            part = ranked[:size]
            before, order = order, np.concatenate([order, part])
            inside = np.flatnonzero(~np.isin(self._codes, order))
            found = self._look(order)
            if found is None:
                return before, False
            now, codes = found, self._codes[inside]
            if self._goal.distance(now) < 0:
                return self._fewest(order, len(before)), True
        return order, False

    def frame(self, n_levels: int) -> pd.DataFrame:
        """Every refit made, by the number left out."""
        lines = [{"n_left_out": m, "share": m / n_levels} | line for m, line in sorted(self._seen.items())]
        return pd.DataFrame(lines)

    def _needed(self, held: Floats, distance: float) -> int | None:
        """Units that the first-order approximation asks for."""
        reached = np.flatnonzero(np.cumsum(np.where(held > 0, held, 0.0)) > distance)
        return int(reached[0]) + 1 if len(reached) else None

    def _fewest(self, order: Codes, below: int) -> Codes:
        """The shortest beginning of the last part that changes the conclusion, by halves."""
        above = len(order)
        while above - below > 1:
            middle = (below + above) // 2
            made = self._look(order[:middle])
            if made is not None and self._goal.distance(made) < 0:
                above = middle
            else:
                below = middle
        return order[:above]

    def _look(self, left_out: Codes) -> Fit | None:
        """The model without these units; `None` where nothing is left to estimate."""
        try:
            made = self._refit(self._data[~np.isin(self._codes, left_out)])
        except JobchanceError:
            return None
        if self._goal.name not in made.terms:
            return None
        self._seen[len(left_out)] = self._goal.line(made)
        return made


def _part(needed: int | None, helpful: int) -> int:
    """How many to leave out before influence is computed anew."""
    return max(1, helpful // 20 if needed is None else needed // 4)
