"""Tests around a change of caseworker: who gets whom, beliefs before it, ups against downs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.design.columns import numeric_values
from jobchance.errors import DesignError
from jobchance.identification.leniency_strength import Strength, measure_strength
from jobchance.identification.leniency_tables import numbers
from jobchance.identification.switch_moves import AFTER, BEFORE, CHANGE, LINE, fit_moves, term_line
from jobchance.identification.switch_rows import History
from jobchance.models.panel import fit_panel
from jobchance.numerics.demean import demean
from jobchance.numerics.leave_out_tests import score_test
from jobchance.numerics.linalg import independent_columns
from jobchance.results.fit import Fit
from jobchance.results.vcov import Vcov

LEADS = (-4, -3, -2)
TEST = ("statistic", "df", "p_value")


@dataclass(frozen=True)
class Joint:
    """A Wald test of several terms: F, its numerator degrees of freedom, p-value; NaN where it has none."""

    statistic: float = np.nan
    df: float = np.nan
    p_value: float = np.nan


@dataclass(frozen=True, eq=False)
class Balance:
    """The new caseworker's optimism against what was known before the change.

    `table` has one row per covariate, `term role estimate std_error ...`: standard deviations of the
    covariate per standard deviation of the new caseworker's optimism, given the former one's. `joint` tests
    all rows of role `tested` (`joint_score`); the other role is `held_fixed`. `strength` is what the tested
    say about the outcome.
    """

    table: pd.DataFrame
    joint: Joint
    strength: Strength

    @property
    def largest(self) -> float:
        """Largest imbalance in absolute value among the tested; NaN without any."""
        sizes = self.table.loc[self.table["role"] == "tested", "estimate"].abs()
        return float(sizes.max()) if len(sizes) else np.nan


def wald(fit: Fit, terms: Sequence[str]) -> Joint:
    """F test that these terms are all zero; its denominator has the degrees of freedom of the fit."""
    names = [name for name in terms if name in fit.terms]
    if not names:
        return Joint()
    b, v = fit.params[names].to_numpy(), fit.cov.loc[names, names].to_numpy()
    rank = int(np.linalg.matrix_rank(v, hermitian=True))
    if rank == 0 or not np.isfinite(v).all():
        return Joint()
    f = float(b @ np.linalg.pinv(v, hermitian=True) @ b) / rank
    return Joint(f, float(rank), float(stats.f.sf(f, rank, float(fit.df[names].min()))))


def balance_new_caseworker(
    history: History, rows: pd.DataFrame, covariates: Sequence[str], *, vcov: Vcov
) -> Balance:
    """Whether the new caseworker's optimism depends on the citizen, within cells and given the former one's.

    Covariates, and the former caseworker's belief, are those of the row before the change. The former
    caseworker's optimism has a row of its own, outside the joint test: it is held fixed in the contrast, and
    drawing anyone but the former caseworker from J colleagues gives it a slope of about -1 / (J - 1).
    """
    columns, terms = covariate_columns(history, rows, covariates)
    data = rows[["cell", "citizen_id", "caseworker_id", AFTER, BEFORE]].join(columns)
    records = []
    for term in [*terms, BEFORE]:
        other, role = ("", "held_fixed") if term == BEFORE else (f" + {BEFORE}", "tested")
        line = regression_line(f"{term} ~ {AFTER}{other}", data, AFTER, vcov)
        records.append({"term": terms.get(term, term), "role": role} | line)
    table = pd.DataFrame(records)
    joint = joint_score(data, AFTER, list(terms), fixed=(BEFORE,), cluster="caseworker_id")
    joint = bonferroni(joint, table.loc[table["role"] == "tested", "p_value"])
    return Balance(table, joint, _strength(rows, columns))


def _strength(rows: pd.DataFrame, columns: pd.DataFrame) -> Strength:
    """What the columns say about the outcome after the change, beside the new caseworker's answer."""
    return measure_strength(
        numeric_values(rows, "outcome"),
        columns.to_numpy(dtype=float),
        numeric_values(rows, "belief"),
        cell=pd.factorize(rows["cell"])[0].astype(np.int64),
        cluster=pd.factorize(rows["caseworker_id"])[0].astype(np.int64),
    )


def loss_after_change(rows: pd.DataFrame, *, vcov: Vcov) -> tuple[float, Joint]:
    """Share of changes whose outcome is unknown, and the test that it goes with the change of optimism."""
    lost = rows["outcome"].isna()
    if not lost.any():
        return 0.0, Joint()
    line = regression_line(f"lost ~ {CHANGE} + {BEFORE}", rows.assign(lost=lost.astype(float)), CHANGE, vcov)
    return float(lost.mean()), Joint(*(line[name] for name in TEST))


def covariate_columns(
    history: History, rows: pd.DataFrame, covariates: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Standardised columns `x0 x1 ...` of covariates and beliefs one row earlier, and their names."""
    names = list(dict.fromkeys([*covariates, *repeated_measures(history.frame)]))
    earlier = history.before(rows, names)
    made = pd.DataFrame(index=rows.index)
    terms: dict[str, str] = {}
    for name, values in numbers(earlier, names).items():
        spread = float(np.nanstd(values)) if np.isfinite(values).any() else 0.0
        if spread > 0:
            short = f"x{len(terms)}"
            terms[short] = name
            made[short] = (values - np.nanmean(values)) / spread
    return made, terms


def bonferroni(joint: Joint, p_values: pd.Series) -> Joint:
    """The joint test, and where there are too many columns for it the smallest p-value times their number."""
    if not np.isnan(joint.p_value) or not p_values.notna().any():
        return joint
    return Joint(np.nan, joint.df, min(1.0, float(p_values.min()) * len(p_values)))


def joint_score(
    data: pd.DataFrame, exposure: str, columns: Sequence[str], *, cluster: str, fixed: Sequence[str] = ()
) -> Joint:
    """Score test that no column goes with the exposure within cells, given the fixed columns.

    A missing value stands at its column's mean, where it says nothing. With too many columns for the test
    (`score_test`), the joint p-value is missing.
    """
    if not columns:
        return Joint()
    values = data[[*columns, *fixed, exposure]].astype(float)
    values = values.fillna(values.mean())
    cell = pd.factorize(data["cell"])[0].astype(np.int64)
    cleaned = demean(values.to_numpy(), [cell])
    k = len(columns)
    held, rest = cleaned[:, k:-1], np.delete(cleaned, np.s_[k:-1], axis=1)
    if len(fixed):
        rest = rest - held @ np.linalg.lstsq(held, rest, rcond=None)[0]
    Z = rest[:, :-1]
    Z = Z[:, independent_columns(Z)]
    return Joint(*score_test(Z * rest[:, -1:], pd.factorize(data[cluster])[0].astype(np.int64)))


def repeated_measures(frame: pd.DataFrame) -> list[str]:
    """Belief, and expectation where it is another variable."""
    other = "expectation" in frame.columns and not frame["expectation"].equals(frame["belief"])
    return ["belief", "expectation"] if other else ["belief"]


def mover_pre_trend(history: History, movers: pd.DataFrame, *, vcov: Vcov) -> pd.DataFrame:
    """Whether beliefs before a change move with the optimism that the change will bring.

    Rows of the former caseworker up to four waves before the change, less the mean of the citizen's change
    and of the cell x wave; a slope on the coming change of optimism for every wave but the last. Columns
    `outcome statistic df p_value n_shifts`.
    """
    frame = history.frame
    pieces = movers[["citizen_id", "wave", "breaks", CHANGE, "cell"]].rename(columns={"wave": "at"})
    pieces = pieces.assign(move=np.arange(len(pieces)), breaks=pieces["breaks"] - 1)
    outcomes = repeated_measures(frame)
    rows = frame[["citizen_id", "caseworker_id", "wave", "breaks", *outcomes]].merge(
        pieces, on=["citizen_id", "breaks"]
    )
    rows = rows.assign(event_time=rows["wave"] - rows["at"])
    rows = rows[rows["event_time"].between(min(LEADS), -1) & rows["caseworker_id"].notna()]
    rows = rows.assign(when=rows.groupby(["cell", "event_time"], sort=False).ngroup())
    leads = {f"lead{-e}": rows[CHANGE].where(rows["event_time"] == e, 0.0) for e in LEADS}
    rows = rows.assign(**leads)
    records = []
    for outcome in outcomes:
        formula = f"{outcome} ~ {' + '.join(leads)}"
        found = joint_test(formula, rows, list(leads), vcov, entity="move", absorb=("when",))
        size = {"n_shifts": int(rows.loc[rows["event_time"] < -1, "move"].nunique())}
        records.append({"outcome": outcome} | joint_line(found) | size)
    return pd.DataFrame(records, columns=["outcome", *TEST, "n_shifts"])


def symmetry(rows: pd.DataFrame, *, vcov: Vcov) -> pd.DataFrame:
    """Slopes of changes up and of changes down, and their difference with its test.

    Rows `up`, `down`, `difference`; columns `term estimate std_error conf_low conf_high statistic df
    p_value`. Equal slopes mean that a change down loses what the same change up gains.
    """
    data = rows.assign(up=rows[CHANGE].clip(lower=0), down=rows[CHANGE].clip(upper=0))
    formulas = {
        "down": f"outcome ~ up + down + {BEFORE}",
        "difference": f"outcome ~ up + {CHANGE} + {BEFORE}",
    }
    by_term = {
        "up": regression_line(formulas["down"], data, "up", vcov),
        "down": regression_line(formulas["down"], data, "down", vcov),
    }
    # given the whole change, the coefficient of `up` is the slope up less the slope down
    by_term["difference"] = regression_line(formulas["difference"], data, "up", vcov)
    return pd.DataFrame([{"term": term} | line for term, line in by_term.items()])


def regression_line(formula: str, data: pd.DataFrame, term: str, vcov: Vcov) -> dict[str, float]:
    """One coefficient of a regression within cells; missing where the rows cannot carry it."""
    numbers = np.full(len(LINE), np.nan)
    test = Joint()
    with suppress(DesignError):
        fit = fit_moves(data, vcov, formula)
        if term in fit.terms:
            numbers, test = term_line(fit, term), wald(fit, [term])
    return dict(zip(LINE, map(float, numbers), strict=True)) | joint_line(test)


def joint_test(
    formula: str,
    data: pd.DataFrame,
    terms: Sequence[str],
    vcov: Vcov,
    *,
    entity: str = "cell",
    absorb: Sequence[str] = (),
) -> Joint:
    """Joint test of terms of a regression with absorbed factors; empty where the rows cannot carry it."""
    if not terms:
        return Joint()
    try:
        fit = fit_panel(formula, data, estimator="within", entity=entity, time=None, absorb=absorb, vcov=vcov)
    except DesignError:
        return Joint()
    return wald(fit, terms)


def joint_line(found: Joint) -> dict[str, float]:
    """The test as columns of a table."""
    return {"statistic": found.statistic, "df": found.df, "p_value": found.p_value}
