"""F18: the examiner plot: outcome against the caseworker's optimism, both within jobcentre and period."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.context import add_context, cluster_labels, counts, interval_key
from jobchance.findings.contrasts import may_show
from jobchance.findings.model import Finding
from jobchance.findings.optimism_rows import cell_slope, optimism_needs, optimism_rows
from jobchance.numerics.local_linear import smooth_local_linear
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

NAME = "optimism_reduced_form"
_WIDTHS = (0.25, 0.5, 1.0)
_REACH = 2.5  # standard deviations drawn on each side; what lies further out is pooled into the end bins
_DRAWN = 2.0  # the curve ends here: further out a few caseworkers carry it
_POINTS = 33
_COLUMNS = ("mark", "x", "x_low", "x_high", "estimate", "conf_low", "conf_high")


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """Outcomes, leave-one-out optimism and at least nine caseworkers."""
    return optimism_needs(panel)


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Histogram of optimism, local linear fit of the outcome, and the slope of a linear regression.

    Optimism is in standard deviations over the rows. For the curve, both optimism and outcome have their
    jobcentre x period means taken out and their overall means put back. The slope is that of the linear
    probability model with an indicator for each cell, clustered by caseworker.

    Parameters
    ----------
    study, panel
        See `needs`.
    policy : DisclosurePolicy
        Bins are widened and pooled, and curve points left out, until each holds enough citizens, citizens
        with the outcome (curve only) and caseworkers.

    Returns
    -------
    Finding
        Frame: `mark x x_low x_high estimate conf_low conf_high N_rows N_citizens N_events N_caseworkers`;
        `mark` is `bin` (`x_low` to `x_high`; the end bins are open), `curve` (share at optimism `x`; counts
        inside the kernel) or `slope` (change in the share per standard deviation of optimism); then
        `mean_outcome bandwidth cells` and the context.
    """
    if panel is None:
        raise ValueError("optimism_reduced_form needs a panel; ask needs() first")
    rows = _within_cells(optimism_rows(panel))
    edges = _bin_edges(rows, policy=policy)
    curve, bandwidth = _curve(rows, edges, policy=policy)
    frame = pd.DataFrame([*_bins(rows, edges), *curve, _slope(rows)])
    shown = may_show(rows, policy=policy)
    frame = frame.reindex(columns=[*_COLUMNS, *(column for column in frame if column not in _COLUMNS)])
    frame = frame.assign(
        mean_outcome=float(rows["outcome"].mean()) if shown else np.nan,
        suppressed=not shown,  # a histogram without a curve would say nothing
        bandwidth=bandwidth,
        cells=int(rows["cell"].nunique()),
    )
    frame = add_context(
        frame,
        study,
        panel,
        rows=rows,
        estimand="dispositional",
        population="all_at_risk",
        interval=interval_key(rows),
    )
    return Finding("F18", NAME, frame, "LinearAggregations")


def _within_cells(rows: pd.DataFrame) -> pd.DataFrame:
    """`x` and `y`: optimism and outcome without their cell means, with their overall means."""
    by_cell = rows.groupby("cell")
    x = rows["optimism_sd"] - by_cell["optimism_sd"].transform("mean")
    y = rows["outcome"] - by_cell["outcome"].transform("mean") + rows["outcome"].mean()
    return rows.assign(x=x.astype(float), y=y.astype(float))


def _bin_edges(rows: pd.DataFrame, *, policy: DisclosurePolicy) -> NDArray[np.float64]:
    """Edges of the narrowest bins that, with pooled tails, all hold enough citizens and caseworkers."""
    for width in _WIDTHS:
        whole = np.arange(-_REACH, _REACH + width / 2, width)
        edges = _pooled_edges(rows, whole, policy=policy)
        if len(edges) > 3 and all(_enough(part, policy=policy) for part in _parts(rows, edges)):
            break
    return edges


def _bins(rows: pd.DataFrame, edges: NDArray[np.float64]) -> list[dict[str, object]]:
    """The histogram."""
    return [
        {"mark": "bin", "x_low": low, "x_high": high, "N_rows": len(part), **counts(part)}
        for low, high, part in zip(edges[:-1], edges[1:], _parts(rows, edges), strict=True)
    ]


def _pooled_edges(
    rows: pd.DataFrame, edges: NDArray[np.float64], *, policy: DisclosurePolicy
) -> NDArray[np.float64]:
    """Edges without the outermost ones, as long as an end bin holds too little."""
    while len(edges) > 3 and not _enough(_parts(rows, edges)[0], policy=policy):
        edges = edges[1:]
    while len(edges) > 3 and not _enough(_parts(rows, edges)[-1], policy=policy):
        edges = edges[:-1]
    return edges


def _parts(rows: pd.DataFrame, edges: NDArray[np.float64]) -> list[pd.DataFrame]:
    """Rows of each bin; the end bins take everything beyond them."""
    place = np.clip(np.digitize(rows["x"], edges) - 1, 0, len(edges) - 2)
    return [rows[place == number] for number in range(len(edges) - 1)]


def _enough(part: pd.DataFrame, *, policy: DisclosurePolicy) -> bool:
    found = counts(part)
    few = found["N_caseworkers"] < policy.min_entities.get("caseworker", 1)
    return found["N_citizens"] >= policy.min_persons and not few


def _curve(
    rows: pd.DataFrame, edges: NDArray[np.float64], *, policy: DisclosurePolicy
) -> tuple[list[dict[str, object]], float]:
    """Points of the local linear fit between the end bins, and its bandwidth."""
    grid = np.linspace(max(edges[1], -_DRAWN), min(edges[-2], _DRAWN), _POINTS)
    fit = smooth_local_linear(rows["x"], rows["y"], grid=grid, cluster=cluster_labels(rows))
    points: list[dict[str, object]] = []
    for i, x in enumerate(grid):
        near = rows[(rows["x"] - x).abs() < fit.bandwidth]
        found = counts(near, outcome="outcome")
        if not _enough(near, policy=policy) or found["N_events"] < policy.min_events:
            continue
        points.append(
            {
                "mark": "curve",
                "x": x,
                "estimate": fit.fitted[i],
                "conf_low": fit.conf_low[i],
                "conf_high": fit.conf_high[i],
                "N_rows": len(near),
                **found,
            }
        )
    return points, fit.bandwidth


def _slope(rows: pd.DataFrame) -> dict[str, object]:
    """Slope of the linear probability model with cell indicators, per standard deviation of optimism."""
    slope = cell_slope("outcome", rows)
    return {
        "mark": "slope",
        "estimate": slope.estimate,
        "conf_low": slope.conf_low,
        "conf_high": slope.conf_high,
        "N_rows": len(rows),
        **counts(rows, outcome="outcome"),
    }
