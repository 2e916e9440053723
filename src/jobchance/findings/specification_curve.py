"""F83: a multiverse as a frame that may leave, with counts that cannot be subtracted from one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from jobchance.disclosure.check import export_frame, protect
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import SpecError
from jobchance.findings.context import add_context
from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.multiverse.agreement import ALL, agreement
from jobchance.sensitivity.multiverse.importance import importance
from jobchance.sensitivity.multiverse.result import Multiverse
from jobchance.sensitivity.multiverse.result_frame import DIMENSIONS, known, same_question, unit_of
from jobchance.sensitivity.multiverse.workbench_panels import panel_key
from jobchance.study.model import Study

if TYPE_CHECKING:
    from jobchance.sensitivity.multiverse.joint_result import JointTest

NAME = "specification_curve"
CHOICE = "choice_"
SHARE = "explained_"
COLUMNS = (
    "rank", "is_main", "estimate", "std_error", "conf_low", "conf_high", "p_value", "status", "verdict",
    "N_citizens", "N_events", "N_rows", "N_caseworkers", *(f"{CHOICE}{name}" for name in DIMENSIONS),
)  # fmt: skip
CONSTANTS = (
    "unit", "conf_level", "specifications", "failed", "in_other_unit", "typical_estimate", "reference",
    "same_sign", "same_both", "p_typical", "p_significant", "p_average", "joint_method", "joint_clusters",
    "joint_cluster", "joint_specifications", *(f"{SHARE}{name}" for name in DIMENSIONS),
)  # fmt: skip
_COUNTS = {
    "N_citizens": "n_citizens",
    "N_events": "n_events",
    "N_rows": "n_rows",
    "N_caseworkers": "n_caseworkers",
}


def specification_frame(
    multiverse: Multiverse,
    study: Study,
    panel: AnalysisPanel,
    *,
    policy: DisclosurePolicy,
    joint: JointTest | None = None,
) -> pd.DataFrame:
    """The curve with the context of its study, after disclosure control: what is drawn and saved.

    Three things keep a person from being worked out by subtracting one row from another. A specification with
    too few persons, events or caseworkers is hidden. Specifications whose samples differ by fewer than
    `policy.min_persons` persons (or whose difference is itself an unsafe cell) form a group, and so do those
    that are joined by a chain of such pairs; all rows of a group show the same counts, the smallest of the
    group. And every count is rounded down to a multiple of `max(min_persons, min_events)`, caseworkers to one
    of their own threshold, so that sums and differences of several rows say nothing about single persons
    either. A multiverse without its rows (read from disk, copied) is taken to be one group. Keys, sample
    hashes, reasons and notes do not leave. `N_events`
    counts citizens with the outcome.

    Parameters
    ----------
    multiverse : Multiverse
        As `run_multiverse` returned it.
    study, panel
        Where it comes from; the panel is that of the main specification.
    policy : DisclosurePolicy
        What may be shown, and how it is rounded.
    joint : JointTest, optional
        Of `multiverse.joint_test`; its p-values go into the figure's note.

    Returns
    -------
    DataFrame
        One row per specification with an estimate in the main one's unit, sorted by estimate: `COLUMNS` (the
        choices as texts in `choice_<dimension>`), then `CONSTANTS` and the context. `specifications` were run
        and `failed` of them gave no number. `typical_estimate`, `same_sign` and `same_both` (against
        `reference`: the main or the median specification) and `explained_<dimension>` are of the rows shown.

    Raises
    ------
    SpecError
        No specification has an estimate that may be shown.

    Notes
    -----
    What is not done: the estimates themselves are not blurred. Two estimates on samples that differ by one
    person differ by what that person adds to an average over all; without the regressors of everybody this
    cannot be solved for a value, and the counts that would help are withheld.
    """
    frame = multiverse.frame
    rows = same_question(known(frame), frame).sort_values(["estimate", "key"], kind="stable")
    if rows.empty:
        raise SpecError(f"specification_curve: none of the {len(frame)} specifications has an estimate.")
    curve = _curve(rows).assign(N_events=_citizens_with_outcome(multiverse, rows))
    shown = protect(curve, policy, output=f"F83 {NAME}")
    kept = rows[~shown["suppressed"].to_numpy(dtype=bool)]
    if kept.empty:
        raise SpecError(
            f"specification_curve: all {len(rows)} specifications rest on too few persons or events."
        )
    coarse = _coarsened(shown, _groups(multiverse, rows, policy), policy)
    framed = coarse.copy()
    for column, value in _constants(multiverse, rows, kept, joint).items():
        framed[column] = value
    framed = add_context(
        framed,
        study,
        panel,
        rows=panel.frame[panel.frame["outcome"].notna()],
        estimand="predictive",  # the least that every specification is; verdicts say which are more
        population="all_at_risk",
        interval="none",  # each specification has its own, as the grid shows
    )
    return export_frame(framed, policy)


def _curve(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as `COLUMNS`, counts still exact."""
    texts = {f"{CHOICE}{name}": rows[name].astype(str).to_numpy(dtype=object) for name in DIMENSIONS}
    counts = {to: rows[column].astype(float).to_numpy() for to, column in _COUNTS.items()}
    names = ("estimate", "std_error", "conf_low", "conf_high", "p_value", "status", "verdict")
    plain = {name: rows[name].to_numpy() for name in names}
    curve = pd.DataFrame(
        {"rank": np.arange(1, len(rows) + 1), "is_main": rows["main"].to_numpy(bool)} | plain
    )
    return curve.assign(**counts, **texts)[list(COLUMNS)]


def _citizens_with_outcome(multiverse: Multiverse, rows: pd.DataFrame) -> np.ndarray:
    """Citizens with the outcome behind each row; the frame of a multiverse counts measurements with it.

    Without the rows it is the same share of the citizens as of the measurements.
    """
    bench = multiverse.workbench
    if bench is None:
        share = rows["n_events"].astype(float) / rows["n_rows"].astype(float)
        return np.floor((share * rows["n_citizens"].astype(float)).to_numpy(dtype=float))
    by_key = {spec.key: spec for spec in multiverse.expansion.specifications}
    panels = bench.panels
    found: dict[object, float] = {}
    counts = []
    for key in rows["key"]:
        where, drawn = panel_key(by_key[key]), bench.sample(by_key[key])
        if (where, drawn.hash) not in found:
            behind = panels[where].frame.iloc[drawn.positions]
            found[where, drawn.hash] = float(behind.loc[behind["outcome"] == 1, "citizen_id"].nunique())
        counts.append(found[where, drawn.hash])
    return np.array(counts)


def _groups(multiverse: Multiverse, rows: pd.DataFrame, policy: DisclosurePolicy) -> np.ndarray:
    """Group of near-equal samples of each row; one for all where the samples cannot be looked at."""
    if multiverse.workbench is None:
        return np.zeros(len(rows), dtype=np.int64)
    found = multiverse.sample_differences(policy).specifications.set_index("key")["group"]
    return np.asarray(rows["key"].map(found).fillna(0), dtype=np.int64)


def _coarsened(curve: pd.DataFrame, groups: np.ndarray, policy: DisclosurePolicy) -> pd.DataFrame:
    """Counts of the group's smallest sample, rounded down; hidden rows stay without."""
    persons = _base(max(policy.min_persons, policy.min_events), policy)
    caseworkers = _base(policy.min_entities.get("caseworker", 1), policy)
    out = curve.copy()
    for column in _COUNTS:
        base = caseworkers if column == "N_caseworkers" else persons
        least = curve[column].groupby(groups).transform("min")
        out[column] = (least // base * base).where(curve[column].notna())
    return out


def _base(least: int, policy: DisclosurePolicy) -> int:
    """`least`, or the next multiple of the policy's own rounding."""
    step = policy.round_base or 1
    return max(-(-least // step) * step, 1)


def _constants(
    multiverse: Multiverse, rows: pd.DataFrame, kept: pd.DataFrame, joint: JointTest | None
) -> dict[str, str | float]:
    """What headline and note say of all rows together."""
    frame = multiverse.frame
    failed = int((frame["status"] == "failed").sum())
    shares = agreement(kept, level=multiverse.spec.level)
    whole = shares[shares["dimension"] == ALL].iloc[0]  # the main specification, else the median one
    whole_curve: dict[str, str | float] = {
        "unit": unit_of(rows),
        "conf_level": float(multiverse.spec.level),
        "specifications": len(frame),
        "failed": failed,
        "in_other_unit": len(frame) - failed - len(rows),
        "typical_estimate": float(kept["estimate"].median()),
        "reference": str(whole["reference"]),
        "same_sign": float(whole["same_sign"]),
        "same_both": float(whole["same_both"]),
    }
    return whole_curve | _joint(joint) | _explained(kept)


def _joint(joint: JointTest | None) -> dict[str, str | float]:
    if joint is None:
        empty: dict[str, str | float] = dict.fromkeys(("p_typical", "p_significant", "p_average"), np.nan)
        texts = {"joint_method": "", "joint_cluster": ""}
        return empty | texts | {"joint_clusters": 0, "joint_specifications": 0}
    p = joint.frame["p_value"].tolist()
    return dict(zip(("p_typical", "p_significant", "p_average"), p, strict=True)) | {
        "joint_method": joint.method,
        "joint_cluster": joint.cluster,
        "joint_clusters": joint.n_clusters,
        "joint_specifications": joint.n_specifications,
    }


def _explained(kept: pd.DataFrame) -> dict[str, str | float]:
    """Share of the variance by dimension; missing where a choice was not varied, or nothing varies."""
    nothing: dict[str, str | float] = {f"{SHARE}{name}": np.nan for name in DIMENSIONS}
    try:
        found = importance(kept).shares
    except SpecError:
        return nothing
    known_shares = dict(zip(found["dimension"], found["share"], strict=True))
    return {f"{SHARE}{name}": known_shares.get(name, np.nan) for name in DIMENSIONS}
