"""F1: how many citizens and forms each wave has, as a number and in per cent of the first wave."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.context import add_context
from jobchance.findings.model import Finding
from jobchance.panel.answers import forms, one_decimal
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

NAME = "wave_flow"
AT_LEAST = (2, 3, 4, 5)
MOST_WAVES = 10  # more do not fit beside one another on a page


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """`need.two_waves` where every measurement belongs to the same wave."""
    waves = study.tables["measurement"]["wave"]
    return () if waves.min() < waves.max() else ("need.two_waves",)


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Citizens per wave, in all and by who filled in a form, and the share with at least k waves.

    Two neighbouring waves differ by those who dropped out, so the last waves are pooled ("8+" = citizens
    with a form in wave 8 or later) until every step down is nobody or at least `min_persons`, and no
    more than ten waves remain. A respondent's
    count that differs by fewer from the wave's total, or from that respondent's count before, is hidden.

    Parameters
    ----------
    study : Study
        Needs `measurement`.
    panel : AnalysisPanel or None
        Only names outcome and horizon in the context.
    policy : DisclosurePolicy
        `min_persons`.

    Returns
    -------
    Finding
        Frame: `quantity series level share value N_citizens suppressed` and the context. `quantity` is
        `wave` (`level` = wave, `series` = `any`, `caseworker` or `citizen`, `share` of all in the first
        wave), `at_least` (`level` = k, `share` of all measured) or `mean_waves` (`value`, one
        decimal: more would give the number of forms in the pooled tail).
    """
    table = forms(study)
    least = policy.min_persons
    citizens = table.drop_duplicates(["citizen_id", "wave"])
    pooled_from = _pooled_from(citizens, least=least)
    records = _wave_records(table, pooled_from, least=least)
    per_citizen = citizens.groupby("citizen_id").size()
    records += _at_least_records(per_citizen, least=least)
    records.append(
        {
            "quantity": "mean_waves",
            "series": "any",
            "level": "all",
            "value": one_decimal(per_citizen.mean()),
        }
        | {"N_citizens": len(per_citizen)}
    )
    columns = ["quantity", "series", "level", "share", "value", "N_citizens", "suppressed"]
    frame = pd.DataFrame(records, columns=columns)
    frame["suppressed"] = frame["suppressed"].eq(True)
    frame = add_context(
        frame,
        study,
        panel,
        rows=table,
        estimand="descriptive",
        population="all_measurements",
        interval="none",
    )
    return Finding("F1", NAME, frame, "Frequencies")


def _pooled_from(citizens: pd.DataFrame, *, least: int) -> int:
    """First wave of the pooled tail; the last wave itself where nothing needs pooling."""
    waves = sorted(int(wave) for wave in citizens["wave"].unique())
    for first in reversed(waves[:MOST_WAVES]):
        sizes = [int((citizens["wave"] == wave).sum()) for wave in waves if wave < first]
        sizes.append(int(citizens.loc[citizens["wave"] >= first, "citizen_id"].nunique()))
        steps = [abs(a - b) for a, b in pairwise(sizes)]
        if min(sizes) >= least and all(step == 0 or step >= least for step in steps):
            return first
    return waves[0]


def _wave_records(table: pd.DataFrame, pooled_from: int, *, least: int) -> list[dict[str, object]]:
    """One record per wave (tail pooled) and series."""
    last = int(table["wave"].max())
    pooled = table.assign(wave=table["wave"].clip(upper=pooled_from))
    baseline = int(table.loc[table["wave"] == table["wave"].min(), "citizen_id"].nunique())
    records: list[dict[str, object]] = []
    shown: dict[object, int] = {}  # a respondent's latest count that is not hidden
    for wave in sorted(int(number) for number in pooled["wave"].unique()):
        part = pooled[pooled["wave"] == wave]
        level = f"{wave}+" if wave == pooled_from and last > pooled_from else f"{wave}"
        total = int(part["citizen_id"].nunique())
        records.append(_wave_record("any", level, total, baseline))
        for respondent, own in part.groupby("respondent", sort=True):
            n = int(own["citizen_id"].nunique())
            step = abs(shown.get(respondent, n) - n)
            hidden = 0 < n < least or 0 < total - n < least or 0 < step < least
            if not hidden:
                shown[respondent] = n
            record = _wave_record(str(respondent), level, n, baseline)
            records.append(
                record | ({"N_citizens": None, "share": None, "suppressed": True} if hidden else {})
            )
    return records


def _wave_record(series: str, level: str, n: int, baseline: int) -> dict[str, object]:
    return {"quantity": "wave", "series": series, "level": level, "share": n / baseline, "N_citizens": n}


def _at_least_records(per_citizen: pd.Series[int], *, least: int) -> list[dict[str, object]]:
    """Share of all measured citizens with at least k waves, as long as each step down is big enough."""
    records: list[dict[str, object]] = []
    previous = total = len(per_citizen)
    for k in AT_LEAST:
        n = int((per_citizen >= k).sum())
        if n < least or 0 < previous - n < least:
            break
        records.append(
            {"quantity": "at_least", "series": "any", "level": f"{k}", "share": n / total, "N_citizens": n}
        )
        previous = n
    return records
