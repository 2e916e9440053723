"""Columns beside the belief: assignment, the citizen's own answers, activities going on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jobchance.panel.build import build_panel
from jobchance.panel.companions import companion_columns
from jobchance.simulate.bip import simulate_study


@pytest.fixture(scope="module")
def study():
    return simulate_study(seed=5, n_citizens=300)


def rows_of(study):
    return build_panel(study, covariates=[]).frame


def test_the_spell_in_force_gives_rule_reason_and_weeks(study):
    """Against a slow search through the spells of each row's citizen."""
    rows = rows_of(study)
    made = companion_columns(study, rows)
    spells = study.tables["assignment"].sort_values("start")
    before = None
    n_reasons = 0
    for place, row in enumerate(rows.itertuples()):
        own = spells[(spells["citizen_id"] == row.citizen_id) & (spells["start"] <= row.date)]
        now = own.iloc[-1]
        assert now["caseworker_id"] == row.caseworker_id
        assert made["assignment_rule"].iloc[place] == now["assignment_rule"]
        assert made["relation_weeks"].iloc[place] == (row.date - now["start"]).days / 7
        shifted = (
            before is not None
            and before.citizen_id == row.citizen_id
            and before.caseworker_id != row.caseworker_id
        )
        reason = made["shift_reason"].iloc[place]
        assert (reason == own.iloc[-2]["end_reason"]) if shifted else pd.isna(reason)
        n_reasons += shifted
        before = row
    assert n_reasons > 20


def test_without_the_tables_the_columns_are_missing_not_wrong(study):
    tables = {k: v for k, v in study.tables.items() if k not in ("assignment", "activity")}
    made = companion_columns(replace(study, tables=tables), rows_of(study))
    assert made[["assignment_rule", "shift_reason", "relation_weeks", "action"]].isna().all().all()
    assert made["citizen_score"].notna().mean() > 0.9


def test_action_is_an_activity_that_covers_the_date(study):
    rows = rows_of(study).drop_duplicates("citizen_id").iloc[:4]
    day = rows["date"].to_numpy()
    week = np.timedelta64(7, "D")
    activity = pd.DataFrame(
        {
            "citizen_id": rows["citizen_id"].to_numpy(),
            "start": [day[0], day[1] - week, day[2] - week, day[3] - week],
            "end": [day[0] + week, day[1], np.datetime64("NaT"), day[3] + week],
            "status": ["completed", "completed", "ongoing", "not_started"],
        }
    )
    made = companion_columns(replace(study, tables={**study.tables, "activity": activity}), rows)
    # the first day counts, the end does not, open spells last, what never started is none
    assert made["action"].tolist() == [1.0, 0.0, 1.0, 0.0]


def test_the_citizens_answers_are_those_of_the_same_wave(study):
    rows = rows_of(study)
    made = companion_columns(study, rows)
    forms = study.tables["measurement"].query("respondent == 'citizen'")
    rating = study.tables["rating"].query("item_id == 'self_efficacy_ci'")
    answers = forms.merge(rating, on="measurement_id").set_index(["citizen_id", "wave"])["value"]
    index = pd.MultiIndex.from_frame(rows[["citizen_id", "wave"]])
    np.testing.assert_array_equal(made["citizen_belief"], answers.reindex(index).to_numpy(dtype=float))
