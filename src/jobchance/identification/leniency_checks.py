"""Assumptions of the leniency design and what the data say of each; thresholds are those of `Thresholds`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jobchance.identification.cards import NOT_IDENTIFIED, Assumption, judge_p
from jobchance.identification.leniency_regression import CellRegression, default_vcov, regress_within
from jobchance.identification.leniency_rows import CASEWORKER, CITIZEN, LeniencyRows
from jobchance.identification.leniency_tables import TRAIT, dense
from jobchance.identification.thresholds import Thresholds
from jobchance.numerics.leave_out_tests import ChiOrF
from jobchance.numerics.leave_out_time import Timed, before_and_after

Floats = NDArray[np.float64]

CHANCE_RULES = ("day_of_birth", "next_free", "geography")
_EACH_SIDE = 3  # ratings of others before and after a row that a change of optimism rests on


def assignment_rule(rows: LeniencyRows, thresholds: Thresholds) -> Assumption:
    """Share of rows whose caseworker is documented to be left to chance.

    `by_design` where a share `chance_share` of the rows has a rule of `CHANCE_RULES`; `fails` where most rows
    are documented to be chosen (specialised teams, requests, discretion); `untested` without the column.
    """
    name, test = "random_assignment", "assignment_rule"
    if "assignment_rule" not in rows.frame.columns or rows.frame["assignment_rule"].isna().all():
        return Assumption(name, "untested", test, threshold=thresholds.chance_share)
    rule = rows.frame["assignment_rule"]
    chance, chosen = rule.isin(CHANCE_RULES).mean(), (rule.notna() & ~rule.isin(CHANCE_RULES)).mean()
    status = "doubtful"
    if chance >= thresholds.chance_share:
        status = "by_design"
    elif chosen > 0.5:
        status = "fails"
    return Assumption(name, status, test, value=float(chance), threshold=thresholds.chance_share)


def balance(table: pd.DataFrame, joint: ChiOrF, thresholds: Thresholds) -> list[Assumption]:
    """Whether recorded traits go with optimism: together beyond chance, and any of them in size.

    In size (traits only, which all have; few have an answer of a former caseworker): `fails` where the whole
    interval of some trait (Bonferroni) lies beyond `balance_sd`, `doubtful` where an estimate does. The
    p-value is that of the joint test, so that no analyst can vouch it away.
    """
    traits = table[table["role"] == TRAIT]
    size = traits["estimate"].abs()
    reach = stats.norm.ppf(1 - 0.025 / max(len(traits), 1)) * traits["std_error"]
    status = "holds" if len(traits) else "untested"
    if (size > thresholds.balance_sd).any():
        beyond = (size - reach > thresholds.balance_sd).any()
        status = "fails" if beyond else "doubtful"
    single = np.isnan(joint.statistic) and len(table)
    test = "balance_bonferroni" if single else "balance_joint"
    return [
        Assumption(
            "balance",
            judge_p(joint.p_value, thresholds),
            test,
            statistic=joint.statistic,
            df=joint.df,
            p_value=joint.p_value,
        ),
        Assumption(
            "balance_size",
            status,
            "balance_largest",
            value=float(size.max()),
            threshold=thresholds.balance_sd,
            p_value=joint.p_value if len(traits) else np.nan,
        ),
    ]


def relevance(first: CellRegression | None, thresholds: Thresholds) -> Assumption:
    """Effective F: with one instrument it is the squared robust t of the first stage."""
    if first is None:
        return Assumption("relevance", "untested", "effective_f", threshold=thresholds.first_stage_f)
    F = effective_f(first)
    p = first.p_value()
    positive = first.beta[0] > 0 and p < thresholds.doubt_p
    status = "holds" if positive and thresholds.first_stage_f < F else "doubtful" if positive else "fails"
    return Assumption(
        "relevance",
        status,
        "effective_f",
        df=1.0,
        p_value=p,
        value=F,
        threshold=thresholds.first_stage_f,
        breaks=NOT_IDENTIFIED,
    )


def effective_f(first: CellRegression) -> float:
    """Squared t of the first stage, with the clusters of the design."""
    return float(first.beta[0] ** 2 / first.cov[0, 0])


def reliability(share: float, thresholds: Thresholds) -> Assumption:
    """Share of the variance of measured optimism that is disposition."""
    status = "fails" if share <= 0 else "doubtful" if share < thresholds.reliability else "holds"
    return Assumption(
        "reliability_of_optimism",
        status,
        "variance_between_caseworkers",
        value=share,
        threshold=thresholds.reliability,
    )


def sizes(rows: LeniencyRows, thresholds: Thresholds) -> list[Assumption]:
    """Enough caseworkers, enough events, and few rows lost for want of a comparison."""
    G = rows.n(CASEWORKER)
    made = [
        Assumption(
            "enough_clusters",
            "holds" if thresholds.few_clusters <= G else "doubtful",
            "n_caseworkers",
            value=float(G),
            threshold=thresholds.few_clusters,
        )
    ]
    if rows.binary:
        made.append(
            Assumption(
                "enough_events",
                "holds",
                "n_events",
                value=float(rows.events),
                threshold=thresholds.min_events,
            )
        )
    kept = rows.share_kept
    made.append(
        Assumption(
            "variation_within_cells",
            "holds" if kept >= thresholds.connected_share else "doubtful",
            "share_compared",
            value=kept,
            threshold=thresholds.connected_share,
        )
    )
    return made


def selective_loss(rows: LeniencyRows, thresholds: Thresholds) -> Assumption:
    """Whether a missing outcome is more common with optimists; holds where none is missing."""
    name, test = "no_selective_loss", "loss_on_optimism"
    asked = rows.candidates.dropna(subset=["optimism"])
    lost = asked["outcome"].isna().to_numpy().astype(np.float64)
    if not lost.any():
        return Assumption(name, "holds", test, value=0.0)
    made = _on_optimism(lost, asked)
    if made is None:
        return Assumption(name, "untested", test, value=float(lost.mean()))
    p = made.p_value()
    return Assumption(
        name,
        judge_p(p, thresholds),
        test,
        statistic=float(made.beta[0]) / made.std_error,
        df=made.df,
        p_value=p,
        value=float(lost.mean()),
    )


def feedback(rows: LeniencyRows, thresholds: Thresholds) -> Assumption:
    """Whether a citizen's outcome goes with how the caseworker then changes in rating others.

    Optimism is measured over the whole study. Were it raised by success, outcomes would cause optimism.
    The change from the ratings of others before a row's date to those after it (each less the other
    caseworkers' mean in the cell) then goes with the outcome; a lasting disposition has no such change.
    """
    name, test = "no_feedback", "change_of_optimism"
    change = _change(rows)
    known = ~np.isnan(change)
    made = None
    if known.any():
        part = rows.frame[known]
        made = regress_within(
            rows.y[known],
            change[known, None],
            cell=dense(rows.cell[known]),
            frame=part,
            vcov=default_vcov(part),
        )
    if made is None:
        return Assumption(name, "untested", test)
    p = made.p_value()
    t = float(made.beta[0]) / made.std_error
    return Assumption(name, judge_p(p, thresholds), test, statistic=t, df=made.df, p_value=p)


def by_argument(rows_kind: str) -> list[Assumption]:
    """Assumptions that no data can test, with the status that the argument for them supports.

    `no_interference` is `stated`: the estimand is the effect of one citizen's caseworker, averaged over how
    the others were allocated, which random allocation identifies although citizens may affect each other
    (Sävje, Aronow & Hudgens 2021). `no_selection_into_rows` is `doubtful` for `rows="all"`, since only
    citizens still without the outcome have later measurements; a first measurement has no such past with
    its caseworker.
    """
    selected = "doubtful" if rows_kind == "all" else "stated"
    return [Assumption("no_interference", "stated"), Assumption("no_selection_into_rows", selected)]


def _on_optimism(y: Floats, frame: pd.DataFrame) -> CellRegression | None:
    """Regression on measured optimism within cells."""
    x = frame["optimism"].to_numpy(dtype=float)
    cell = dense(frame["cell"].to_numpy())
    return regress_within(y, x[:, None], cell=cell, frame=frame, vcov=default_vcov(frame))


def _change(rows: LeniencyRows) -> Floats:
    """Mean rating of others after less before each row's date; NaN without dates or with too few ratings."""
    if "date" not in rows.frame.columns:
        return np.full(len(rows.y), np.nan)
    given = rows.ratings[["cell", CASEWORKER, CITIZEN, "date", "exposure"]]
    own = (
        given.groupby(["cell", CASEWORKER])["exposure"].transform("sum"),
        given.groupby(["cell", CASEWORKER])["exposure"].transform("size"),
    )
    cell = given.groupby("cell")["exposure"]
    others = cell.transform("size") - own[1]
    level = (cell.transform("sum") - own[0]) / others.where(others > 0)
    values = (given["exposure"] - level).to_numpy(dtype=float)
    use = ~np.isnan(values)
    of, at = _timed(given[use], rows.frame)
    before, after = before_and_after(values[use], of, at, at_least=_EACH_SIDE)
    return after - before


def _timed(given: pd.DataFrame, wanted: pd.DataFrame) -> tuple[Timed, Timed]:
    """Caseworker, citizen and day of the ratings and of the rows wanted, with common codes."""
    both = pd.concat([given[[CASEWORKER, CITIZEN, "date"]], wanted[[CASEWORKER, CITIZEN, "date"]]])
    day = pd.to_datetime(both["date"]).to_numpy().astype("datetime64[D]").astype(np.int64)
    codes = [pd.factorize(both[column])[0].astype(np.int64) for column in (CASEWORKER, CITIZEN)]
    n = len(given)
    return Timed(codes[0][:n], codes[1][:n], day[:n]), Timed(codes[0][n:], codes[1][n:], day[n:])
