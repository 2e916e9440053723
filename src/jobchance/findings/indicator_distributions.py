"""F4: how the answers to each indicator are distributed, caseworkers and citizens side by side."""

from __future__ import annotations

import pandas as pd

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.protect import protect
from jobchance.findings.context import add_context, cluster_labels, counts, interval_key
from jobchance.findings.model import Finding
from jobchance.numerics.proportions import share
from jobchance.panel.answers import (
    DONT_KNOW,
    construct_answers,
    construct_columns,
    constructs_of,
    items_of,
    steps,
)
from jobchance.panel.model import AnalysisPanel
from jobchance.study.instrument import Construct
from jobchance.study.model import Study

NAME = "indicator_distributions"
RESPONDENTS = ("caseworker", "citizen")


def needs(study: Study, panel: AnalysisPanel | None) -> tuple[str, ...]:
    """`need.answers` if no caseworker or citizen has answered a question of the instrument."""
    return () if len(_first_answers(study)) else ("need.answers",)


def build(study: Study, panel: AnalysisPanel | None, *, policy: DisclosurePolicy) -> Finding:
    """Share on each step of each indicator at the citizen's first measurement, by respondent.

    Steps are shares of the answers that chose a step, so that they add up to one; "don't know" stands apart
    as a share of all answers (`base` = `steps` or `answers`). The two highest steps together have a row of
    their own (`base` = `high`, `level` = `"4+5"`), unless one of them is hidden. So that these shares can be
    held against one another, only scales of the most frequent length have that row, and none of three steps
    or fewer, where the two highest hold the middle.

    Parameters
    ----------
    study : Study
        Needs ratings; everything else is optional.
    panel : AnalysisPanel or None
        Only names outcome and horizon in the context.
    policy : DisclosurePolicy
        Small answers are hidden together with a second one of the same bar.

    Returns
    -------
    Finding
        Frame: `construct number construct_da construct_en construct_status wording_status respondent level
        base share conf_low conf_high N_citizens N_caseworkers N_answers suppressed rounded` and the context.
    """
    answers = _first_answers(study)
    by_bar = dict(tuple(answers.groupby(["construct", "respondent"], sort=False)))
    bars = [
        _bar(study, by_bar[construct.construct_id, respondent], construct=construct, respondent=respondent)
        for construct in constructs_of(study)
        for respondent in RESPONDENTS
        if (construct.construct_id, respondent) in by_bar
    ]
    frame = pd.concat(bars, ignore_index=True)
    frame = _comparable(frame)
    cells = frame["base"] != "high"
    shown = _protected(frame[cells], policy)
    sums = _without_hidden(frame[~cells], shown).assign(suppressed=False)
    frame = pd.concat([shown, sums]).sort_index()
    frame = add_context(
        frame,
        study,
        panel,
        rows=answers,
        estimand="descriptive",
        population="first_measurement",
        interval=interval_key(answers.drop_duplicates("citizen_id")),
    )
    return Finding("F4", NAME, frame, "Frequencies")


def _first_answers(study: Study) -> pd.DataFrame:
    """Each citizen's first answer by construct and respondent: one row each."""
    answers = construct_answers(study)
    answers = answers[answers["respondent"].isin(RESPONDENTS)]
    first = answers.groupby("citizen_id")["wave"].transform("min")
    return answers[answers["wave"] == first]


def _bar(study: Study, answers: pd.DataFrame, *, construct: Construct, respondent: str) -> pd.DataFrame:
    """The steps of one construct for one respondent, and "don't know" where the question offers it."""
    items = items_of(study, construct.construct_id, respondent)
    stepped = answers[~answers["dont_know"]]
    records = [_cell(stepped, [level], base="steps") for level in steps(items[0])]
    if any(item.has_dont_know for item in items):
        records.append(_cell(answers, [DONT_KNOW], base="answers"))
    records.append(_cell(stepped, steps(items[0])[-2:], base="high"))
    described = construct_columns(study, construct, respondent)
    cells = pd.DataFrame([described | record for record in records])
    return cells.assign(N_answers=len(answers), rounded=bool(answers["rounded"].any()))


def _comparable(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the `high` rows of scales that are short or of another length than most."""
    length = (frame["base"] == "steps").groupby([frame["construct"], frame["respondent"]]).transform("sum")
    usual = length[frame["base"] == "high"].mode().max()
    kept = (frame["base"] != "high") | ((length == usual) & (length > 3))
    comparable: pd.DataFrame = frame.loc[kept].reset_index(drop=True)
    return comparable


def _protected(cells: pd.DataFrame, policy: DisclosurePolicy) -> pd.DataFrame:
    """Hide small answers so that neither the steps' 100 per cent nor all answers give one of them back.

    The steps add up to one, and steps and "don't know" to all answers: covering one total can lay the other
    bare, so the steps are gone over again.
    """
    bar = ["construct", "respondent"]
    for totals in ([*bar, "base"], bar, [*bar, "base"]):
        cells = protect(cells, policy, output=NAME, totals=totals)
    return cells


def _without_hidden(high: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The sums over the two highest steps, without those in which one of the two is hidden."""
    keys = ["construct", "respondent"]
    steps_hidden = cells[(cells["base"] == "steps") & cells["suppressed"]]
    lost = {
        (row["construct"], row["respondent"])
        for _, row in high.merge(steps_hidden, on=keys, suffixes=("", "_cell")).iterrows()
        if row["level_cell"] in row["level"].split("+")
    }
    return high[[pair not in lost for pair in zip(high["construct"], high["respondent"], strict=True)]]


def _cell(answers: pd.DataFrame, levels: list[str], *, base: str) -> dict[str, object]:
    chosen = answers["level"].isin(levels)
    result = share(chosen, cluster=cluster_labels(answers))
    return {
        "level": "+".join(levels),
        "base": base,
        "share": result.estimate,
        "conf_low": result.conf_low,
        "conf_high": result.conf_high,
    } | counts(answers[chosen])
