"""Whether citizens whose caseworker changes differ, before the change, from those whose caseworker stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jobchance.identification.switch_checks import (
    bonferroni,
    covariate_columns,
    joint_line,
    joint_score,
    regression_line,
)
from jobchance.identification.switch_moves import BEFORE, LINE
from jobchance.identification.switch_rows import History
from jobchance.identification.switch_stack import FORMER, NEW, Stacks
from jobchance.results.vcov import Vcov

TREND = "belief_trend"


def compare_before(
    history: History, stacks: Stacks, covariates: Sequence[str], *, vcov: Vcov
) -> pd.DataFrame:
    """Levels and trends before the change, those who change less those who stay, in standard deviations.

    Columns `term estimate std_error conf_low conf_high statistic df p_value n_shifts`. Beliefs and the former
    caseworker's optimism are those of the wave before; `belief_trend` is the belief of that wave less that of
    the wave before it. The row `joint` tests covariates and beliefs together; the former caseworker's
    optimism and the trend, which few citizens have, have rows of their own.
    """
    anchors = stacks.anchors
    base = anchors[["citizen_id", "caseworker_id", FORMER, NEW]].assign(
        cell=anchors["stack"], shifted=anchors["group"].notna().astype(float)
    )
    columns, terms = covariate_columns(history, anchors, covariates)
    together = base.join(columns)
    records = [_record(name, together, term, vcov) for term, name in terms.items()]
    found = joint_score(together, "shifted", list(terms), cluster=FORMER)
    found = bonferroni(found, pd.Series([float(str(record["p_value"])) for record in records]))
    apart = {BEFORE: history.before(anchors, ["optimism"])["optimism"], TREND: _trend(history)[anchors.index]}
    for name, values in apart.items():
        records.append(_record(name, base.assign(x=(values - values.mean()) / values.std()), "x", vcov))
    joint = {"term": "joint", **dict.fromkeys(LINE, np.nan), **joint_line(found)}
    records.append(joint | {"n_shifts": int(base["shifted"].sum())})
    return pd.DataFrame(records)


def _record(name: str, data: pd.DataFrame, column: str, vcov: Vcov) -> dict[str, object]:
    """One line of the comparison within stacks."""
    line = regression_line(f"{column} ~ shifted", data, "shifted", vcov)
    known = data[column].notna()
    return {"term": name, **line, "n_shifts": int(data.loc[known, "shifted"].sum())}


def _trend(history: History) -> pd.Series:
    """The belief one wave before a row less that two waves before it, with one caseworker in both."""
    frame = history.frame
    lagged = frame.groupby("citizen_id", sort=False)
    steady = lagged["follows"].shift(1, fill_value=False) & ~lagged["change"].shift(1, fill_value=False)
    trend: pd.Series = (lagged["belief"].shift(1) - lagged["belief"].shift(2)).where(steady)
    return trend
