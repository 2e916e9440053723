"""Tables beside value added, by groups of caseworkers only: nothing here speaks of one caseworker."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobchance.identification.value_added_effects import PP, Effects, Spread
from jobchance.identification.value_added_rows import CASEWORKER, CITIZEN, ValueAddedRows
from jobchance.numerics.empirical_bayes import Ranking
from jobchance.numerics.shrinkage import group_starts, noise_benchmark, pooled_rates, rank_order

MIN_CASEWORKERS = 12  # three in each quarter
GROUPS = {"third": 3, "quarter": 4, "tenth": 10}
_LEAST = 3  # caseworkers in a group
_DRAWS = 2_000


def spread_table(rows: ValueAddedRows, effects: Effects, *, seed: int) -> pd.DataFrame:
    """Lowest and highest third, quarter and tenth by raw rate, beside pure noise and shrunken effects.

    Columns `group position raw noise noise_low noise_high shrunken n_caseworkers n_citizens`, rates in per
    cent. `noise` is what equal true rates with the same caseloads show; `shrunken` is the mean rate plus the
    shrunken effects of the same caseworkers. Empty for outcomes that are not 0/1 and with fewer than twelve
    caseworkers; groups hold at least three.
    """
    columns = ["group", "position", "raw", "noise", "noise_low", "noise_high", "shrunken"]
    empty = pd.DataFrame(columns=[*columns, "n_caseworkers", "n_citizens"])
    cases = rows.cases
    J = len(cases)
    if not rows.binary or J < MIN_CASEWORKERS:
        return empty
    events = np.bincount(rows.caseworker, weights=rows.y, minlength=J)
    order, rate = rank_order(events, cases), float(rows.y.mean())
    as_ranked = np.arange(J, dtype=np.int64)
    records = []
    for name, number in GROUPS.items():
        if number * _LEAST > J:
            continue
        starts = group_starts(J, number)
        noise = noise_benchmark(cases[order], rate, starts=starts, draws=_DRAWS, seed=seed)
        raw = pooled_rates(events, cases, order=order, starts=starts)
        shrunken = rate + pooled_rates(
            (effects.shrunken * cases)[order], cases[order], order=as_ranked, starts=starts
        )
        members = np.split(order, starts[1:])
        for position, k in (("lowest", 0), ("highest", -1)):
            inside = np.isin(rows.caseworker, members[k])
            records.append(
                {"group": name, "position": position, "raw": PP * raw[k], "noise": PP * noise.rates[k]}
                | {"noise_low": PP * noise.low[k], "noise_high": PP * noise.high[k]}
                | {"shrunken": PP * shrunken[k], "n_caseworkers": len(members[k])}
                | {"n_citizens": int(rows.frame[CITIZEN][inside].nunique())}
            )
    return pd.DataFrame(records, columns=list(empty.columns))


def caseload_table(rows: ValueAddedRows) -> pd.DataFrame:
    """Rows per caseworker: mean, quartiles and harmonic mean."""
    n = rows.cases.astype(float)
    low, middle, high = np.quantile(n, [0.25, 0.5, 0.75])
    return pd.DataFrame(
        [
            {"n_caseworkers": len(n), "mean": n.mean(), "lower_quartile": low, "median": middle}
            | {"upper_quartile": high, "harmonic_mean": len(n) / np.sum(1 / n)}
        ]
    )


def ranking_table(ranking: Ranking, n_caseworkers: int) -> pd.DataFrame:
    """What the order of caseworkers allows to say: counts and shares, in one row."""
    return pd.DataFrame(
        [
            {
                "n_caseworkers": n_caseworkers,
                "told_above_median": ranking.above_median,
                "told_below_median": ranking.below_median,
                "share_of_pairs_ordered": ranking.pairs_ordered,
                "median_rank_interval": ranking.median_width,
                "critical_value": ranking.critical,
            }
        ]
    )


def interval_table(effects: Effects, spread: Spread, reach: np.ndarray | None) -> pd.DataFrame:
    """Reliability of caseworkers' raw deviations, and half-widths of intervals, medians over caseworkers."""
    v = max(spread.variance, 0.0)
    weight = v / (v + effects.s2) if v > 0 else np.zeros_like(effects.s2)
    return pd.DataFrame(
        [
            {
                "median_reliability": float(np.median(weight)),
                "median_noise_sd_pp": PP * float(np.median(np.sqrt(effects.s2))),
                "median_shrunken_sd_pp": PP * float(np.median(effects.sd)),
                "sd_of_raw_deviations_pp": PP * float(np.std(effects.d)),
                "sd_of_shrunken_effects_pp": PP * float(np.std(effects.shrunken)),
                "median_robust_half_width_pp": PP * float(np.median(reach)) if reach is not None else np.nan,
            }
        ]
    )


def counted_groups(rows: ValueAddedRows) -> dict[str, int]:
    """Citizens, caseworkers and cells."""
    return {
        CITIZEN: int(rows.frame[CITIZEN].nunique()),
        CASEWORKER: len(rows.levels),
        "cell": int(rows.cell.max()) + 1,
    }
