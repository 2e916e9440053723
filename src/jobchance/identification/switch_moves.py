"""Changes of caseworker as rows of a mover contrast, its slope, and the slope by group of changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.errors import DesignError
from jobchance.identification.leniency_source import require_one_optimism
from jobchance.identification.switch_rows import History, chosen_changes
from jobchance.identification.switch_scale import OptimismScale, scale_optimism
from jobchance.models.panel import fit_panel
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats
from jobchance.results.vcov import Cluster, Vcov

VCOV = Cluster("caseworker_id", "citizen_id")
CHANGE, BEFORE, AFTER = "optimism_change", "optimism_before", "optimism_after"
CELL = ("jobcentre_id", "period")
LINE = ("estimate", "std_error", "conf_low", "conf_high")


@dataclass(frozen=True, eq=False)
class Moves:
    """Changes with both optimisms and the outcome known: `all` of them, and whether each is `wanted`.

    `asked` are the wanted changes with both optimisms known, whether or not the outcome is.

    Columns beside those of the history: `optimism_after`, `optimism_before`, `optimism_change` (disposition
    scale), `cell`, `first` (the citizen's first change).
    """

    all: pd.DataFrame
    asked: pd.DataFrame
    wanted: pd.Series
    scale: OptimismScale
    has_reasons: bool

    def __repr__(self) -> str:
        return f"Moves({len(self.all)} changes, {int(self.wanted.sum())} chosen)"

    @property
    def chosen(self) -> pd.DataFrame:
        """The changes whose reasons count."""
        return self.all[self.wanted]


def read_moves(history: History, chosen: Sequence[str] | None, *, reliability: float | None = None) -> Moves:
    """Changes of caseworker that a mover contrast can use."""
    rows, scale = optimism_columns(history, reliability=reliability)
    made = rows.assign(
        cell=pd.factorize(pd.MultiIndex.from_frame(rows[list(CELL)].astype(object)))[0],
        first=rows["change"] & rows["change"].groupby(rows["citizen_id"], sort=False).cumsum().eq(1),
    )
    moved = made["change"] & made[[CHANGE, *CELL]].notna().all(axis=1)
    usable = moved & made["outcome"].notna()
    wanted = chosen_changes(history, chosen)
    return Moves(made[usable], made[moved & wanted], wanted[usable], scale, history.has_reasons)


def optimism_columns(
    history: History, *, reliability: float | None = None
) -> tuple[pd.DataFrame, OptimismScale]:
    """The rows of a history with optimism after, before and its change on the scale of the disposition."""
    rows = history.frame
    absent = [name for name in ("optimism", "belief", "outcome") if name not in rows.columns]
    if absent:
        raise DesignError(f"The panel lacks columns: {', '.join(absent)}.")
    require_one_optimism(rows)
    scale = scale_optimism(rows, reliability=reliability)
    after = scale.disposition
    before = after.groupby(rows["citizen_id"], sort=False).shift(1)
    return rows.assign(**{AFTER: after, BEFORE: before, CHANGE: after - before}), scale


def fit_moves(rows: pd.DataFrame, vcov: Vcov, formula: str = f"outcome ~ {CHANGE} + {BEFORE}") -> Fit:
    """Least squares within jobcentre x period on rows of changes."""
    return fit_panel(formula, rows, estimator="within", entity="cell", time=None, vcov=vcov)


def movers_table(
    moves: Moves, exogenous: Sequence[str], *, vcov: Vcov, directions: pd.DataFrame
) -> pd.DataFrame:
    """The contrast for all, exogenous and first changes, then of the chosen ones up and down.

    Columns `group direction estimate std_error conf_low conf_high n_shifts n_citizens n_caseworkers`.
    """
    groups: Mapping[str, pd.DataFrame] = {
        "all": moves.all,
        "exogenous": moves.all[moves.all["reason"].isin(list(exogenous))],
        "first": moves.chosen[moves.chosen["first"]],
    }
    records = [("both", name, _slope(rows, vcov), rows) for name, rows in groups.items()]
    up = moves.chosen[CHANGE] > 0
    for direction, rows in (("up", moves.chosen[up]), ("down", moves.chosen[~up])):
        line = directions.loc[directions["term"] == direction, list(LINE)].to_numpy(dtype=float)[0]
        records.append((direction, "chosen", line, rows))
    return pd.DataFrame(
        [
            {"group": group, "direction": direction, **dict(zip(LINE, line, strict=True)), **_counts(rows)}
            for direction, group, line, rows in records
        ]
    )


def of_citizens(fit: Fit, vcov: Vcov) -> Fit:
    """The same fit with the citizen as the unit observed repeatedly, where notes on clusters look for it."""
    rows = fit.need_rows("of_citizens")
    codes = pd.factorize(rows.column("citizen_id"))[0].astype(np.int64)
    return replace(fit, rows=replace(rows, unit=("citizen_id", codes))).with_vcov(vcov)


def term_line(fit: Fit, term: str) -> Floats:
    """The numbers `LINE` of one term."""
    at = list(fit.terms).index(term)
    estimate, se = float(fit.estimates[at]), float(np.sqrt(fit.covariance[at, at]))
    reach = float(stats.t.ppf(0.975, fit.df.to_numpy()[at])) * se
    return np.array([estimate, se, estimate - reach, estimate + reach])


def _slope(rows: pd.DataFrame, vcov: Vcov) -> Floats:
    """The numbers `LINE` of the mover slope in these rows; missing where they cannot carry it."""
    try:
        fit = fit_moves(rows, vcov)
    except DesignError:
        return np.full(len(LINE), np.nan)
    if CHANGE not in fit.terms:
        return np.full(len(LINE), np.nan)
    return term_line(fit, CHANGE)


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    return {
        "n_shifts": len(rows),
        "n_citizens": int(rows["citizen_id"].nunique()),
        "n_caseworkers": int(rows["caseworker_id"].nunique()),
    }
