"""F23: spread of caseworkers' rates, beside pure chance with the same caseloads and after shrinkage."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import UserError
from jobchance.findings.company import hidden_with_company
from jobchance.findings.context import add_context, counts
from jobchance.findings.contrasts import may_show
from jobchance.findings.model import Finding
from jobchance.numerics.shrinkage import (
    group_starts,
    noise_benchmark,
    noise_share_of_variance,
    pooled_rates,
    rank_order,
    shrink_rates,
)
from jobchance.panel.build import build_panel
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

NAME = "caseworker_spread"
PREFERRED_OUTCOME = "job_or_education"  # the outcome of the published spread
MIN_CASES = 10
MIN_CASEWORKERS = 12  # three in each quarter
SEED = 20170301
DRAWS = 2000
_GROUPS = (20, 16, 12, 8, 4)  # multiples of four, so that quarters are unions of ranked groups


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """Outcomes, and at least twelve caseworkers with ten citizens each."""
    if panel is None or not panel.frame["outcome"].notna().any():
        return ("need.outcome",)
    return () if len(_caseloads(_cases(panel))) >= MIN_CASEWORKERS else ("need.twelve_caseworkers",)


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    r"""Ranked groups of caseworkers: raw rates, the pure-noise benchmark, and shrunken rates.

    A case is a citizen's first at-risk measurement with a caseworker, so that every case counts once.
    Caseworkers with at least ten cases are ranked by their raw rate `y_j / n_j` and cut into groups; quarters
    are unions of groups. Beside each group's rate stands (a) its expectation when all true rates are equal,
    simulated with the same caseloads, and (b) the mean of its caseworkers' empirical-Bayes rates, which is
    the expected true rate of these same caseworkers.

    Where the study has the outcome job or education, that is the outcome here (the published spread is of
    it); `outcome` says which was used.

    Parameters
    ----------
    study, panel
        See `needs`.
    policy : DisclosurePolicy
        Groups hold at least three caseworkers and enough citizens with and without the outcome.

    Returns
    -------
    Finding
        Frame: `mark kind level rank estimate conf_low conf_high N_citizens N_events N_caseworkers`; `mark`
        is `quarter` (`level` lowest or highest), `group` (`rank` from 1), `true_sd` (standard deviation of
        the true rates, profile limits), `noise_variance` (share of the raw variance that chance gives) or
        `gap` (highest minus lowest quarter by kind, hidden with either of them; `p_value` for raw: share of
        noise draws at least as wide). `kind` is `raw`, `noise` or `shrunken`; limits of `noise` hold 95 per
        cent of the draws. Then `mean_rate N_omitted_caseworkers draws seed groups` and the context.
    """
    if panel is None:
        raise ValueError("caseworker_spread needs a panel; ask needs() first")
    panel = _preferred(study, panel)
    cases = _cases(panel)
    loads = _ranked(_caseloads(cases))
    counted = cases[cases["caseworker_id"].isin(loads.index)]
    groups = _number_of_groups(loads, policy=policy)
    starts = group_starts(len(loads), groups)
    quarters, gaps = _group_rows(loads, counted, starts[:: groups // 4], mark="quarter")
    ranked, _ = _group_rows(loads, counted, starts, mark="group")
    outer = quarters[quarters["rank"].isin([1, 4])]
    outer = outer.assign(level=outer["rank"].map({1: "lowest", 4: "highest"}))
    frame = pd.concat([outer, ranked, _summary(loads, quarters, gaps, counted)], ignore_index=True)
    frame = frame.assign(
        suppressed=_hidden(frame, quarters, policy=policy),
        mean_rate=_mean_rate(loads) if may_show(counted, policy=policy) else np.nan,
        N_omitted_caseworkers=int(cases["caseworker_id"].nunique()) - len(loads),
        least_cases=MIN_CASES,
        draws=DRAWS,
        seed=str(SEED),
        groups=groups,
    )
    frame = add_context(
        frame,
        study,
        panel,
        rows=counted,
        estimand="descriptive",
        population="first_with_caseworker",
        interval="none",
    )
    return Finding("F23", NAME, frame, "Frequencies")


def _preferred(study: Study, panel: AnalysisPanel) -> AnalysisPanel:
    """The panel with job or education as outcome where the study can have it, else the panel given."""
    table = study.tables.get("outcome")
    if table is None or PREFERRED_OUTCOME not in set(table["outcome"]):
        return panel
    if panel.meta["outcome"] == PREFERRED_OUTCOME:
        return panel
    try:
        other = build_panel(
            study,
            outcome=PREFERRED_OUTCOME,
            horizon_weeks=int(str(panel.meta["horizon_weeks"])),
            at_risk=str(panel.meta["at_risk"]),
        )
    except UserError:  # this outcome does not reach the horizon: the panel's own does
        return panel
    return other if len(_caseloads(_cases(other))) >= MIN_CASEWORKERS else panel


def _cases(panel: AnalysisPanel) -> pd.DataFrame:
    """First at-risk row with an outcome of each citizen with each caseworker."""
    rows = panel.frame.dropna(subset=["outcome", "caseworker_id"])
    ordered = rows.sort_values(["citizen_id", "caseworker_id", "wave", "date"], kind="stable")
    return ordered.drop_duplicates(["citizen_id", "caseworker_id"])


def _caseloads(cases: pd.DataFrame) -> pd.DataFrame:
    """`events` and `cases` of each caseworker with enough cases."""
    by_caseworker = cases.groupby("caseworker_id")["outcome"]
    found = pd.DataFrame({"events": by_caseworker.sum(), "cases": by_caseworker.size()})
    return found[found["cases"] >= MIN_CASES]


def _ranked(loads: pd.DataFrame) -> pd.DataFrame:
    """Caseworkers by raw rate, lowest first, with their shrunken rates."""
    shrunken = shrink_rates(loads["events"], loads["cases"]).rates
    ranked = loads.assign(shrunken=shrunken)
    return ranked.iloc[rank_order(loads["events"], loads["cases"])]


def _mean_rate(loads: pd.DataFrame) -> float:
    return float(loads["events"].sum() / loads["cases"].sum())


def _number_of_groups(loads: pd.DataFrame, *, policy: DisclosurePolicy) -> int:
    """Most groups that all hold enough caseworkers, citizens, events and non-events; at least four."""
    least = max(policy.min_entities.get("caseworker", 3), 3)
    for groups in _GROUPS:
        if len(loads) < groups * least:
            continue
        starts = group_starts(len(loads), groups)
        sums = np.add.reduceat(loads[["cases", "events"]].to_numpy(dtype=float), starts, axis=0)
        # A citizen with two of a group's caseworkers is two cases: one more than the least is asked for.
        enough = np.minimum(sums[:, 1], sums[:, 0] - sums[:, 1]) > policy.min_events
        if (enough & (sums[:, 0] > policy.min_persons)).all():
            return groups
    return _GROUPS[-1]


def _group_rows(
    loads: pd.DataFrame, cases: pd.DataFrame, starts: NDArray[np.int64], *, mark: str
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Raw, noise and shrunken rate of each ranked group with its counts; and the noise gaps per draw."""
    n = loads["cases"].to_numpy(dtype=float)
    as_ranked = np.arange(len(loads), dtype=np.int64)
    noise = noise_benchmark(loads["cases"], _mean_rate(loads), starts=starts, draws=DRAWS, seed=SEED)
    raw = pooled_rates(loads["events"], n, order=as_ranked, starts=starts)
    shrunken = pooled_rates(loads["shrunken"] * n, n, order=as_ranked, starts=starts)
    members = np.split(loads.index.to_numpy(), starts[1:])
    sizes = pd.DataFrame([_counts(cases, part, rank) for rank, part in enumerate(members, start=1)])
    kinds = [
        sizes.assign(kind="raw", estimate=raw),
        sizes.assign(kind="noise", estimate=noise.rates, conf_low=noise.low, conf_high=noise.high),
        sizes.assign(kind="shrunken", estimate=shrunken),
    ]
    return pd.concat(kinds, ignore_index=True).assign(mark=mark), noise.gaps


def _hidden(frame: pd.DataFrame, quarters: pd.DataFrame, *, policy: DisclosurePolicy) -> pd.Series[bool]:
    """Quarters that may not be shown, with company, and the gap that would give an outer one back.

    More groups than quarters are only made where every group may be shown. With both outer quarters gone
    the figure says nothing, and everything is hidden.
    """
    cells = quarters[quarters["kind"] == "raw"].sort_values("rank")
    ranks = cells.loc[hidden_with_company(cells, policy), "rank"]
    cut = frame["mark"].isin(["quarter", "group"]) & frame["rank"].isin(ranks)
    outer = int(ranks.isin([1, 4]).sum())
    return cut | ((frame["mark"] == "gap") & (outer > 0)) | (outer == 2)


def _counts(cases: pd.DataFrame, members: NDArray[np.object_], rank: int) -> dict[str, int]:
    """What is behind one group."""
    rows = cases[cases["caseworker_id"].isin(members)]
    return {"rank": rank, **counts(rows, outcome="outcome")}


def _summary(
    loads: pd.DataFrame, quarters: pd.DataFrame, gaps: NDArray[np.float64], cases: pd.DataFrame
) -> pd.DataFrame:
    """Gap between the outer quarters by kind, true standard deviation, and chance's share of the variance."""
    lowest, highest = (quarters[quarters["rank"] == rank].set_index("kind")["estimate"] for rank in (1, 4))
    gap = (highest - lowest).to_dict()
    fit = shrink_rates(loads["events"], loads["cases"])
    as_wide = float((1 + (gaps >= gap["raw"] - 1e-12).sum()) / (1 + len(gaps)))
    rows = pd.DataFrame(
        [
            {"mark": "gap", "kind": "raw", "estimate": gap["raw"], "p_value": as_wide},
            {"mark": "gap", "kind": "noise", "estimate": gap["noise"]},
            {"mark": "gap", "kind": "shrunken", "estimate": gap["shrunken"]},
            {"mark": "true_sd", "estimate": fit.sd, "conf_low": fit.sd_low, "conf_high": fit.sd_high},
            {
                "mark": "noise_variance",
                "estimate": noise_share_of_variance(loads["events"], loads["cases"]),
            },
        ]
    )
    return rows.assign(**counts(cases, outcome="outcome"))
