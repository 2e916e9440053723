"""`leave_one_out`: an estimate without each caseworker, jobcentre, wave or citizen in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.compute.base import Compute
from jobchance.compute.in_process import choose_compute
from jobchance.compute.tasks import TaskFailure
from jobchance.design.columns import counted, require_columns
from jobchance.errors import DesignError, SpecError
from jobchance.inference.again import Refit, fit_again, has_record, require_record, shown_terms
from jobchance.numerics.leave_out_groups import without_each_group
from jobchance.options import check_option
from jobchance.results.fit import Fit
from jobchance.results.parts import Rows
from jobchance.sensitivity.confounding_rows import check_linear, linear_rows

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

METHODS = ("auto", "refit", "update")
MOST_REFITS = 60
_COLUMNS = (
    "left_out", "estimate", "std_error", "conf_low", "conf_high", "change", "change_in_se", "n_rows",
    "n_rows_left_out", "flips_sign", "status",
)  # fmt: skip
_PERSONS = ("citizen_id", "caseworker_id", "measurement_id")
_FEW_ROWS = 5


@dataclass(frozen=True, eq=False, repr=False)
class LeaveOneOut:
    """What an estimate becomes without each level of a group.

    Parameters
    ----------
    frame : DataFrame
        One row per level, by change: `left_out estimate std_error conf_low conf_high change change_in_se
        n_rows n_rows_left_out flips_sign status`. `left_out` is a running number, since levels are persons or
        offices; `status` is `"ok"`, `"did not converge"` (the numbers are those of the last step) or why
        there is no number. Where levels are persons, or hold fewer than 5 rows, it is in memory only and
        empty after pickling: an estimate without a person tells about that person.
    estimate, std_error : float
        With everybody.
    term, group : str
        Coefficient, and what was left out.
    method : str
        `"refit"` or `"update"`.
    exact : bool
        Whether the estimates are those of a new fit.
    conventions : mapping of str to str
        How they were made, in words.
    levels : Series or None
        Level by running number; in memory only, absent after pickling.
    """

    frame: pd.DataFrame
    estimate: float
    std_error: float
    term: str
    group: str
    method: str
    exact: bool
    conventions: Mapping[str, str] = field(default_factory=dict)
    levels: pd.Series | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "conventions", MappingProxyType(dict(self.conventions)))

    def __repr__(self) -> str:
        return f"LeaveOneOut({self.term!r} without each {self.group}, {len(self.frame)} levels)"

    def __reduce__(self) -> tuple[object, ...]:
        persons = any(name in _PERSONS for name in self.group.split(" x "))
        few = bool(self.frame["n_rows_left_out"].lt(_FEW_ROWS).any())
        frame = self.frame.iloc[:0] if persons or few else self.frame
        given = (frame, self.estimate, self.std_error, self.term, self.group, self.method, self.exact)
        return (LeaveOneOut, (*given, dict(self.conventions)))

    def summary(self) -> str:
        """The range, the most influential levels, and how often the sign changes, as text."""
        if self.frame.empty:
            return (
                f"{self.term} without each {self.group}: levels are persons or hold few rows and are not "
                "stored; make the result again"
            )
        known = self.frame.dropna(subset=["estimate"])
        flips = int(known["flips_sign"].sum())
        lines = [
            f"{self.term} without each {self.group}: {counted(len(self.frame), 'level')}",
            f"with everybody {self.estimate:.6g} (standard error {self.std_error:.4g})",
        ]
        if len(known):
            ends = known["estimate"].to_numpy(dtype=float)
            moved = float(known["change_in_se"].abs().to_numpy(dtype=float).max())
            lines += [
                f"between {ends.min():.6g} and {ends.max():.6g}; largest change {moved:.3g} standard errors",
                f"the sign changes without {flips} of {len(known)} levels",
            ]
        rough = int(known["status"].ne("ok").sum())
        if rough:
            lines.append(f"the fit did not converge without {counted(rough, 'level')}")
        lost = len(self.frame) - len(known)
        if lost:
            lines.append(f"no estimate without {counted(lost, 'level')}; see the column status")
        return "\n".join([*lines, *(f"{name}: {text}" for name, text in self.conventions.items())])


def leave_one_out(
    fit: Fit,
    group: str | Sequence[str],
    *,
    term: str | None = None,
    method: str = "auto",
    refit: Refit | None = None,
    level: float = 0.95,
    compute: Compute | None = None,
) -> LeaveOneOut:
    r"""Estimate without each caseworker, jobcentre, wave or citizen in turn.

    `"refit"` fits the model again without the level, with the same kind of standard error. `"update"` needs
    no new fit. For least squares it is

    .. math:: \hat\beta_{(g)} = (X'X - X_g'X_g)^{-1}(X'y - X_g'y_g),

    which is exact unless absorbed effects are shared between levels (then the means that were absorbed are
    those of all rows). For other models it is the first-order step
    :math:`\hat\beta - A \sum_{i \in g} s_i`, with A the bread and s the scores.

    Parameters
    ----------
    fit : Fit
        With its rows.
    group : str or sequence of str
        Column, or columns whose combinations are left out.
    term : str or None
        Coefficient; may be left out where the fit has one beside the intercept.
    method : {"auto", "refit", "update"}
        `"auto"`: refit up to 60 levels, else (and for models that cannot be fitted again) update.
    refit : callable or None
        Data -> Fit, for models that cannot be fitted again from their record; defined at the top of a module
        if `compute` is given.
    level : float
        Of the intervals (refits only).
    compute : LocalCompute, DaskCompute or None
        Where refits run.

    Returns
    -------
    LeaveOneOut

    Raises
    ------
    SpecError
        Unknown term or method; no rows; a level outside (0, 1); `"refit"` of a model that cannot be fitted
        again from its record, without `refit`.
    FormulaError
        The group is not a column.
    DesignError
        Fewer than two levels; rows without a level.

    References
    ----------
    Belsley, Kuh & Welsch (1980), Regression Diagnostics; MacKinnon, Nielsen & Webb (2023), Stata J. 23,
    942-982 (by cluster).

    Examples
    --------
    >>> from jobchance import fit_glm
    >>> data = pd.DataFrame({"x": [0.0, 1, 2, 3, 0, 1], "y": [0.0, 1, 2, 9, 1, 0], "g": list("aabbcc")})
    >>> made = leave_one_out(fit_glm("y ~ x", data, family="gaussian"), "g")
    >>> made.frame["estimate"].round(2).tolist()
    [0.0, 2.6, 2.8]
    """
    name = chosen_term(fit, term)
    check_option("method", method, METHODS)
    if not 0 < level < 1:
        raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    rows = fit.need_rows("leave_one_out")
    columns = [group] if isinstance(group, str) else list(group)
    codes, levels = levels_of(rows, columns)
    few = len(levels) <= MOST_REFITS and (refit is not None or has_record(fit))
    chosen = method if method != "auto" else "refit" if few else "update"
    if chosen == "refit" and refit is None:
        require_record(fit)
    if chosen == "refit":
        found, exact = _refits(fit, name, codes, len(levels), refit, level=level, compute=compute), True
    else:
        found, exact = _updates(fit, rows, name, codes)
    label = " x ".join(columns)
    frame, order = _frame(found, fit, name, np.bincount(codes), len(codes))
    return LeaveOneOut(
        frame=frame,
        estimate=float(fit.params[name]),
        std_error=float(fit.std_errors[name]),
        term=name,
        group=label,
        method=chosen,
        exact=exact,
        conventions=_conventions(chosen, exact=exact),
        levels=pd.Series(levels[order], index=frame["left_out"], name=label),
    )


def chosen_term(fit: Fit, term: str | None) -> str:
    """The term asked for, or the only one beside the intercept."""
    others = [name for name in fit.terms if name != "(Intercept)"]
    if term is None and len(others) == 1:
        return others[0]
    if term is None or term not in fit.terms:
        given = "" if term is None else f" {term!r} is not among them."
        raise SpecError(f"term= names the coefficient to look at: one of {shown_terms(others)}.{given}")
    return term


def levels_of(rows: Rows, columns: list[str]) -> tuple[Codes, NDArray[np.object_]]:
    """Level of every row used, and the levels."""
    require_columns(columns, rows.frame)
    used = rows.frame[columns].iloc[rows.used]
    missing = int(used.isna().any(axis=1).sum())
    if missing:
        raise DesignError(
            f"{counted(missing, 'row')} of {len(used)} used have no {' x '.join(columns)}: leave them out of "
            "the fit first."
        )
    single = (
        used[columns[0]] if len(columns) == 1 else pd.Series(list(zip(*map(used.get, columns), strict=True)))
    )
    codes, levels = pd.factorize(single)
    if len(levels) < 2:
        name = " x ".join(columns)
        raise DesignError(f"{name} has one level in the rows used; leaving it out leaves nothing.")
    return codes.astype(np.int64), np.asarray(levels, dtype=object)


def _updates(fit: Fit, rows: Rows, name: str, codes: Codes) -> tuple[pd.DataFrame, bool]:
    """Estimates without each level from sums over the levels, and whether they are exact."""
    place = fit.terms.index(name)
    if _is_least_squares(fit):
        made = linear_rows(fit, "leave_one_out")
        root = _root_weights(fit, rows)
        found = without_each_group(made.X * root[:, None], made.y * root, codes, place=place)
        exact = all(_within(factor, codes) for factor in rows.absorbed.values())
    else:
        by_row = rows.row_scores @ rows.bread[:, place]
        found = np.asarray(float(fit.params[name]) - np.bincount(codes, weights=by_row), dtype=np.float64)
        exact = False
    status = np.where(np.isnan(found), "without it the rows do not determine the coefficient", "ok")
    return pd.DataFrame({"estimate": found, "std_error": np.nan, "status": status}), exact


def _is_least_squares(fit: Fit) -> bool:
    """Whether the fit is least squares."""
    try:
        check_linear(fit, "leave_one_out")
    except SpecError:
        return False
    return True


def _root_weights(fit: Fit, rows: Rows) -> Floats:
    """Square roots of the weights of the rows (n,), ones without."""
    weights = fit.spec.get("weights")
    if weights is None:
        return np.ones(len(rows.outcome))
    return np.asarray(np.sqrt(rows.column(str(weights)).to_numpy(dtype=np.float64)), dtype=np.float64)


def _within(factor: Codes, codes: Codes) -> bool:
    """Whether every level of an absorbed factor lies within one level left out."""
    return not pd.DataFrame({"f": factor, "g": codes}).drop_duplicates()["f"].duplicated().any()


def _refits(
    fit: Fit,
    name: str,
    codes: Codes,
    n_levels: int,
    refit: Refit | None,
    *,
    level: float,
    compute: Compute | None,
) -> pd.DataFrame:
    """Estimate, standard error and interval of a new fit without each level."""
    rows = fit.need_rows("leave_one_out")
    data = rows.frame.iloc[rows.used]
    again = refit or partial(fit_again, Fit.from_dict(fit.to_dict()))
    work = partial(_without, again, data, codes, name, level)
    made = choose_compute(compute).map(work, range(n_levels), keep_going=True)
    return pd.DataFrame([_line(outcome) for outcome in made])


def _without(
    again: Refit, data: pd.DataFrame, codes: Codes, name: str, level: float, g: int
) -> tuple[float, ...]:
    """One refit; NaN where the coefficient is not in the model any more."""
    made = again(data[codes != g])
    if name not in made.terms:
        raise DesignError("the coefficient is not in the model without this level")
    low, high = made.conf_int(level).loc[name].to_numpy(dtype=float)
    numbers = (float(made.params[name]), float(made.std_errors[name]), float(low), float(high))
    return (*numbers, float(made.nobs), float(made.converged))


def _line(outcome: object) -> dict[str, object]:
    """A refit as a row of the table."""
    columns = ("estimate", "std_error", "conf_low", "conf_high", "n_rows")
    if isinstance(outcome, TaskFailure):
        return dict.fromkeys(columns, np.nan) | {"status": f"{outcome.kind}: {outcome.message}"}
    assert isinstance(outcome, tuple), "a refit gives six numbers"
    *numbers, converged = outcome
    status = "ok" if converged else "did not converge"
    return dict(zip(columns, numbers, strict=True)) | {"status": status}


def _frame(found: pd.DataFrame, fit: Fit, name: str, sizes: Codes, n_rows: int) -> tuple[pd.DataFrame, Codes]:
    """The table by change, and the level of each of its rows."""
    whole, error = float(fit.params[name]), float(fit.std_errors[name])
    frame = found.reindex(columns=["estimate", "std_error", "conf_low", "conf_high", "n_rows", "status"])
    frame["change"] = frame["estimate"] - whole
    frame["change_in_se"] = frame["change"] / error
    frame["n_rows_left_out"] = sizes
    frame["n_rows"] = frame["n_rows"].fillna(pd.Series(n_rows - sizes)).astype(int)
    frame["flips_sign"] = (frame["estimate"] * whole < 0) & frame["estimate"].notna()
    order = np.argsort(frame["change"].to_numpy(dtype=float), kind="stable").astype(np.int64)
    frame = frame.iloc[order].reset_index(drop=True)
    frame.insert(0, "left_out", range(1, len(frame) + 1))
    return frame[list(_COLUMNS)], order


def _conventions(method: str, *, exact: bool) -> dict[str, str]:
    if method == "refit":
        return {"without a level": "the model is fitted again on the other rows"}
    if exact:
        return {"without a level": "exact, from cross-products; standard errors are not computed again"}
    return {
        "without a level": "first-order: exact only as far as influence is linear; method='refit' is exact"
    }
