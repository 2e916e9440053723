"""F89 and T14: the evidence ladder as a frame that may leave, and the ladder without what may not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from jobchance.disclosure.check import export_frame, protect
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.rules import unsafe_rows
from jobchance.errors import SpecError
from jobchance.findings.context import add_context, counts
from jobchance.identification.cards import Card
from jobchance.identification.ladder_result import EvidenceLadder
from jobchance.identification.rungs.model import Rung
from jobchance.panel.model import AnalysisPanel
from jobchance.study.model import Study

NAME = "grade_of_evidence"
COLUMNS = (
    "rung", "rung_estimand", "rung_population", "estimate", "std_error", "conf_low", "conf_high", "unit",
    "relative", "relative_low", "relative_high", "base_rate", "p_value", "assumption_status", "verdict",
    "missing", "open_points", "rests_on", "N_citizens", "N_events", "N_rows", "N_caseworkers",
)  # fmt: skip
LEVEL = 0.95
_COUNTS = ["N_citizens", "N_events", "N_rows", "N_caseworkers"]


def ladder_frame(
    ladder: EvidenceLadder, study: Study, panel: AnalysisPanel, *, policy: DisclosurePolicy
) -> pd.DataFrame:
    """The ladder with the context of its study, after disclosure control: what is drawn and saved.

    A rung with too few citizens, caseworkers or events is hidden (`suppressed`, its numbers missing), and so
    is the raw gradient where the cell of the lowest or the highest answer is too small, since the gradient
    and one share give back the other.

    Parameters
    ----------
    ladder : EvidenceLadder
        Of the panel.
    study, panel
        Where it comes from.
    policy : DisclosurePolicy
        What may be shown, and how it is rounded.

    Returns
    -------
    DataFrame
        One row per rung: `COLUMNS`, the constants of the context, `suppressed`. `estimand` and `population`
        belong to the context; those of a rung are `rung_estimand` and `rung_population`. `N_events` counts
        citizens with the outcome, or with an activity where the rung is about those.

    Raises
    ------
    SpecError
        The ladder's intervals are not the 95 per cent ones that figure and table speak of.

    Notes
    -----
    The rung `value_added` keeps no rows; its events are bounded from below by the events among citizens'
    first rows less the citizens that the design left out.
    """
    if ladder.level != LEVEL:
        raise SpecError(
            f"Figure and table of the ladder say {LEVEL:.0%} intervals; this one has {ladder.level:.0%} ones."
        )
    frame = ladder.frame.rename(columns={"estimand": "rung_estimand", "population": "rung_population"})
    frame["N_events"] = [_events(rung, panel) for rung in ladder.rungs]
    refused = np.array([rung.line is None for rung in ladder.rungs], dtype=bool)
    # nobody stands behind a rung without a number: its counts are absent, not zero
    frame[_COUNTS] = frame[_COUNTS].astype(float).mask(np.repeat(refused[:, None], len(_COUNTS), axis=1))
    frame = frame[list(COLUMNS)].assign(suppressed=[_small_ends(rung, policy) for rung in ladder.rungs])
    known = panel.frame[panel.frame["outcome"].notna()]
    framed = add_context(
        frame,
        study,
        panel,
        rows=known,
        estimand="predictive",  # the least that every rung is; the verdicts say which are more
        population="first_with_caseworker",
        interval="cluster_caseworker",
    )
    return export_frame(protect(framed, policy, output=f"F89 {NAME}"), policy)


def hide_rungs(ladder: EvidenceLadder, frame: pd.DataFrame) -> EvidenceLadder:
    """The ladder without the numbers that `ladder_frame` has hidden, for its text and its assumptions."""
    hidden = set(frame.loc[frame["suppressed"].astype(bool), "rung"])
    kept = [_hidden(rung) if rung.card.rung in hidden else rung for rung in ladder.rungs]
    return replace(ladder, rungs=tuple(kept))


def _hidden(rung: Rung) -> Rung:
    """The rung without number and tests."""
    return Rung(Card(rung.card.rung, rung.card.estimand, missing=("disclosure",)))


def _events(rung: Rung, panel: AnalysisPanel) -> float:
    """Citizens with the event that the rung is about."""
    if rung.line is None:
        return np.nan
    if rung.card.rung == "direction":
        known = panel.frame.dropna(subset=["belief", "action"])
        return float(counts(known, outcome="action")["N_events"])
    fit = next(iter(rung.fits.values()), None)
    if fit is not None and fit.rows is not None and fit.rows.frame is not None:
        behind = fit.rows.frame.iloc[np.asarray(fit.rows.used)]
        event = next((c for c in ("outcome", "event") if c in behind), None)
        if event is not None:
            return float(counts(behind, outcome=event)["N_events"])
    first = panel.frame.dropna(subset=["outcome", "caseworker_id"])
    first = first.sort_values(["citizen_id", "wave", "date"], kind="stable").drop_duplicates("citizen_id")
    left_out = len(first) - rung.line.n_citizens
    return max(float(first["outcome"].sum()) - max(left_out, 0), 0.0)


def _small_ends(rung: Rung, policy: DisclosurePolicy) -> bool:
    """Whether the cell of the lowest or the highest answer may not be shown."""
    fit = rung.fits.get("cell_means")
    if rung.line is None or fit is None or fit.rows is None or fit.rows.frame is None:
        return False
    behind = fit.rows.frame.iloc[np.asarray(fit.rows.used)]
    answers = sorted(behind["answer"].unique())
    ends = [behind[behind["answer"] == answer] for answer in (answers[0], answers[-1])]
    cells = pd.DataFrame([counts(cell, outcome="outcome") for cell in ends])
    return any(bool(mask.any()) for mask in unsafe_rows(cells, policy).values())
