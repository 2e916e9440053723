"""`delta_adjustment`: how different the missing would have to be for a result to fall."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from jobchance.design.columns import counted
from jobchance.errors import DesignError, SpecError
from jobchance.formatting import Formatter
from jobchance.models.glm import fit_glm
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel
from jobchance.results.fit import Fit
from jobchance.results.summary import table
from jobchance.results.vcov import Vcov
from jobchance.sensitivity.imputation_plan import formula_columns, own_labels
from jobchance.sensitivity.imputation_pool import pool_fits
from jobchance.sensitivity.imputation_shift import filled_exposures, filled_outcomes

SHIFTS = ("outcome", "exposure")
DEFAULT = {
    "outcome": (-20.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0),
    "exposure": (-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0),
}


@dataclass(frozen=True, eq=False, repr=False)
class DeltaAdjustment:
    """Estimates by delta, and where they turn.

    Parameters
    ----------
    frame : DataFrame
        One row per delta: `delta estimate std_error conf_low conf_high p_value n_rows n_shifted
        mean_shifted`.
    tipping : DataFrame
        `what delta`: the delta nearest to 0 at which the estimate is zero, and at which the interval begins
        (or ceases) to hold zero; missing where it does not happen on the grid.
    settings : mapping
        Formula, term, what was shifted, unit of delta, imputations, seed, level.
    """

    frame: pd.DataFrame
    tipping: pd.DataFrame
    settings: Mapping[str, Any]

    def summary(self) -> str:
        """Both tables as text."""
        text = Formatter("en")
        title = (
            f"Delta adjustment: missing {self.settings['shift']} shifted, delta in {self.settings['unit']}; "
            f"term {self.settings['term']}"
        )
        blocks = []
        for frame in (self.frame, self.tipping):
            words = [c for c in frame if not pd.api.types.is_numeric_dtype(frame[c].dtype)]
            body = [
                [_cell(text, str(c), v) if c not in words else str(v) for c, v in row.items()]
                for row in frame.to_dict("records")
            ]
            blocks.append(table([str(c) for c in frame], body, text_columns=max(len(words), 1)))
        return "\n\n".join([title, *blocks]) + "\n"

    def __repr__(self) -> str:
        return f"DeltaAdjustment({self.settings['shift']}, {len(self.frame)} values of delta)"


def delta_adjustment(
    data: pd.DataFrame | AnalysisPanel,
    formula: str,
    *,
    term: str,
    seed: int,
    shift: str = "outcome",
    deltas: Sequence[float] | None = None,
    only: pd.Series | None = None,
    using: Iterable[str] = (),
    imputations: int = 20,
    family: str = "gaussian",
    link: str | None = None,
    vcov: Vcov | None = None,
    level: float = 0.95,
) -> DeltaAdjustment:
    r"""Fill in what is missing as if at random, shift it by delta, fit again; for a grid of deltas.

    - `shift="outcome"`: a missing 0/1 outcome is drawn with probability :math:`\hat p(x) + \delta/100`,
      delta in percentage points, held within 0 and 1; :math:`\hat p` from a logit on the formula's right
      side and `using`, its parameters drawn. Other numeric outcomes: normal draws plus delta in
      standard deviations.
    - `shift="exposure"`: a missing value of `term` is imputed (`multiple_imputation`) and moved by delta
      standard deviations of the known values.

    The same draws serve every delta, so the curve is smooth and moves with delta alone.

    Parameters
    ----------
    data : DataFrame or AnalysisPanel
        One row per observation.
    formula : str
        For `fit_glm`, with `family`, `link` and `vcov`.
    term : str
        The coefficient of interest; for `shift="exposure"` the name of a numeric column.
    seed : int
        Of all draws.
    shift : {"outcome", "exposure"}
        What was missing: outcomes (censored windows) or beliefs ("don't know", unanswered).
    deltas : sequence of float or None
        Grid, in pp (0/1 outcome) or sd; 0 is always added. `None`: a default grid.
    only : Series of bool or None
        Rows, by the index of the data, to which the shift applies (such as the high beliefs); missing
        values elsewhere are filled in without shift. `None`: all.
    using : iterable of str
        Further predictors of what is missing.
    imputations : int
        Draws, at least 2.
    family, link, vcov
        As in `fit_glm`.
    level : float
        Coverage of the intervals.

    Returns
    -------
    DeltaAdjustment
        `.frame`, `.tipping`, `.summary()`; values only, no rows.

    Raises
    ------
    SpecError
        The term is not in the fit; nothing is missing; a grid, `only` or `level` that makes no sense.
    DesignError
        Rows of known outcomes cannot carry the imputation model.
    Others
        As `fit_glm` and `multiple_imputation`.

    Notes
    -----
    Delta is a statement about what is not seen: at 0 the missing are like the seen given x, and no data can
    say which delta is right. The question is whether a delta that turns the result is believable. Rows
    with other missing values are left out.

    References
    ----------
    Rubin (1977), J. Am. Stat. Assoc. 72, 538-543; Leacy, Floyd, Yates & White (2017), Am. J. Epidemiol.
    185, 304-315; Yan, Lee & Li (2009), J. Biopharm. Stat. 19, 1085-1098.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(n_citizens=600, seed=4))
    >>> made = delta_adjustment(
    ...     panel, "outcome ~ expectation", term="expectation", deltas=[-5, 5], imputations=2, seed=1
    ... )
    >>> made.frame["delta"].tolist(), made.tipping["what"].tolist()
    ([-5.0, 0.0, 5.0], ['estimate is zero', 'interval reaches zero'])
    """
    check_option("shift", shift, SHIFTS)
    given = data.frame if isinstance(data, AnalysisPanel) else data
    frame = own_labels(given)
    grid = _grid(deltas, shift)
    _check_level(level, imputations)
    mask = _only(only, given).set_axis(frame.index)
    outcome = _outcome_of(formula)
    if shift == "outcome":
        sets, unit = filled_outcomes(frame, formula, outcome, using=using, imputations=imputations, seed=seed)
    else:
        sets, unit = filled_exposures(frame, formula, term, using=using, imputations=imputations, seed=seed)
    column = outcome if shift == "outcome" else term
    records = []
    for delta in grid:
        completed = [one.shifted(delta, mask) for one in sets]
        fit = pool_fits([fit_glm(formula, rows, family=family, link=link, vcov=vcov) for rows in completed])
        missing = frame.loc[completed[0].index, column].isna()
        moved = missing & mask.loc[missing.index]
        mean = (
            float(np.mean([rows.loc[moved, column].mean() for rows in completed])) if moved.any() else np.nan
        )
        records.append(
            _record(fit, term, delta, level) | {"n_shifted": int(moved.sum()), "mean_shifted": mean}
        )
    made = pd.DataFrame(records)
    settings = {"formula": formula, "term": term, "shift": column, "unit": unit, "seed": seed}
    return DeltaAdjustment(
        made, _tipping(made), settings | {"imputations": imputations, "level": level, "exposure": term}
    )


def _record(fit: Fit, term: str, delta: float, level: float) -> dict[str, float]:
    """One row of the frame."""
    if term not in fit.terms:
        raise SpecError(
            f"delta_adjustment: term={term!r} is not in the fit. Its terms: {', '.join(fit.terms)}."
        )
    interval = fit.conf_int(level).loc[[term]].to_dict("records")[0]
    return {
        "delta": delta,
        "estimate": float(fit.params[term]),
        "std_error": float(fit.std_errors[term]),
        "conf_low": float(interval["conf_low"]),
        "conf_high": float(interval["conf_high"]),
        "p_value": float(fit.pvalues[term]),
        "n_rows": fit.nobs,
    }


def _tipping(frame: pd.DataFrame) -> pd.DataFrame:
    """Deltas nearest to 0 at which estimate and interval turn, by straight lines between grid points."""
    delta = frame["delta"].to_numpy()
    estimate, low, high = (frame[c].to_numpy() for c in ("estimate", "conf_low", "conf_high"))
    here = int(np.flatnonzero(delta == 0)[0])
    holds = bool(low[here] <= 0 <= high[here])
    if holds:
        turn = _nearest(_crossing(delta, low), _crossing(delta, high))
    else:
        turn = _crossing(delta, low if estimate[here] > 0 else high)
    what = ["estimate is zero", "interval leaves zero" if holds else "interval reaches zero"]
    return pd.DataFrame({"what": what, "delta": [_crossing(delta, estimate), turn]})


def _crossing(delta: np.ndarray, values: np.ndarray) -> float:
    """Where a curve is zero, nearest to delta 0; NaN where it is not on the grid."""
    found = [float(d) for d, v in zip(delta, values, strict=True) if v == 0]
    for place in np.flatnonzero(values[:-1] * values[1:] < 0):
        share = values[place] / (values[place] - values[place + 1])
        found.append(float(delta[place] + share * (delta[place + 1] - delta[place])))
    return min(found, key=abs) if found else float("nan")


def _nearest(first: float, second: float) -> float:
    """The one nearer to 0; NaN only if both are."""
    known = [value for value in (first, second) if value == value]
    return min(known, key=abs) if known else float("nan")


def _cell(text: Formatter, column: str, value: float) -> str:
    """One number as text."""
    if column == "p_value":
        return text.p_value(value)
    return text.count(value) if column.startswith("n_") else text.significant(value, 4)


def _grid(deltas: Sequence[float] | None, shift: str) -> list[float]:
    """The grid in order, with 0."""
    try:
        values = sorted({0.0, *(float(d) for d in (DEFAULT[shift] if deltas is None else deltas))})
    except (TypeError, ValueError):
        values = []
    if len(values) < 2 or not np.isfinite(values).all():
        raise SpecError("delta_adjustment: deltas= takes finite numbers, at least one other than 0.")
    return values


def _only(only: pd.Series | None, frame: pd.DataFrame) -> pd.Series:
    """Which rows are shifted, by the index of the data."""
    if only is None:
        return pd.Series(True, index=frame.index)
    if not isinstance(only, pd.Series) or not only.index.equals(frame.index) or only.isna().any():
        raise SpecError("delta_adjustment: only= is a Series of true/false with the index of the data.")
    return only.astype(bool)


def _outcome_of(formula: str) -> str:
    """The one column on the left side."""
    left, _ = formula_columns(formula)
    if len(left) != 1:
        raise DesignError(
            f"delta_adjustment: the left side must be one column, not {counted(len(left), 'column')}."
        )
    return left[0]


def _check_level(level: float, imputations: int) -> None:
    if not 0 < level < 1:
        raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    if not isinstance(imputations, int) or imputations < 2:
        raise SpecError(f"imputations={imputations!r} must be a whole number of at least 2.")
