from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from small_study import OPEN, START, make_panel, make_study

from jobchance.findings import job_by_indicator_level

RNG = np.random.default_rng(11)
VALUES = RNG.integers(1, 6, 200)
OUTCOMES = (RNG.random(200) < 0.08 * VALUES).astype(float)


def study_and_panel():
    forms = [
        (f"c{k}", 1, "caseworker", f"s{k % 20}", {"job_search_cw": value}) for k, value in enumerate(VALUES)
    ]
    rows = [(f"c{k}", f"s{k % 20}", 1, 3, outcome) for k, outcome in enumerate(OUTCOMES)]
    return make_study(forms, caseworkers=[f"s{k}" for k in range(20)]), make_panel(rows)


def test_shares_are_means_by_step_and_the_trend_is_least_squares_clustered_by_caseworker():
    study, panel = study_and_panel()
    frame = job_by_indicator_level.build(study, panel, policy=OPEN).frame
    levels = frame[frame["quantity"] == "level"].set_index("level")["estimate"]
    for step in range(1, 6):
        assert levels[str(step)] == pytest.approx(OUTCOMES[step == VALUES].mean())
    fit = sm.OLS(OUTCOMES, sm.add_constant(VALUES)).fit(
        cov_type="cluster", cov_kwds={"groups": np.arange(200) % 20}, use_t=True
    )
    trend = frame[frame["quantity"] == "trend"].iloc[0]
    assert trend["estimate"] == pytest.approx(fit.params[1])
    assert (trend["conf_low"], trend["conf_high"]) == pytest.approx(tuple(fit.conf_int()[1]), rel=1e-6)
    assert trend["conf_level"] == pytest.approx(0.95)


def test_trend_intervals_are_joint_over_all_trends():
    study, panel = study_and_panel()
    rating = study.tables["rating"]
    again = rating.assign(item_id="cooperation_cw")
    tables = dict(study.tables) | {"rating": pd.concat([rating, again], ignore_index=True)}
    frame = job_by_indicator_level.build(replace(study, tables=tables), panel, policy=OPEN).frame
    one = job_by_indicator_level.build(study, panel, policy=OPEN).frame
    assert set(frame.loc[frame["quantity"] == "trend", "conf_level"]) == {0.975}
    width = (
        frame.loc[frame["quantity"] == "trend", "conf_high"]
        - frame.loc[frame["quantity"] == "trend", "conf_low"]
    )
    single = (
        one.loc[one["quantity"] == "trend", "conf_high"] - one.loc[one["quantity"] == "trend", "conf_low"]
    )
    assert width.iloc[0] > single.iloc[0]


def test_answers_after_the_window_has_started_and_unknown_outcomes_are_left_out():
    study, panel = study_and_panel()
    table = study.tables["measurement"]
    table.loc[table["citizen_id"] == "c0", "date"] = START + np.timedelta64(7, "D")
    panel.frame.loc[panel.frame["citizen_id"] == "c1", "outcome"] = np.nan
    frame = job_by_indicator_level.build(study, panel, policy=OPEN).frame
    assert frame.loc[frame["quantity"] == "trend", "N_citizens"].item() == 198


def test_needs():
    study, panel = study_and_panel()
    assert job_by_indicator_level.needs(study, None) == ("need.outcome",)
    panel.frame["outcome"] = np.nan
    assert job_by_indicator_level.needs(study, panel) == ("need.answers",)
