"""The truth of a simulated study is what its people do: large studies, estimates from the tables alone.

Estimates have the sampling error stated beside them; allowances are some 3.5 of it.
"""

import numpy as np
import pandas as pd
import pytest

from jobchance.simulate.bip import simulate_study
from jobchance.simulate.margin_rows import margin_rows

LARGE = 60_000


def forms_before_job(study):
    """Caseworker forms before the first job whose year is complete, with latent variables and activity."""
    rows = margin_rows(study)
    jobs = study.tables["outcome"].query("outcome == 'job' and value == 1")
    first = rows["citizen_id"].map(jobs.groupby("citizen_id")["event_date"].min())
    rows = rows[(first.isna() | (rows["date"] < first)) & rows["job"].notna()]
    rows = rows.merge(study.truth["caseworker"], on="caseworker_id")
    rows = rows.merge(study.truth["citizen"], on="citizen_id")
    spells = study.tables["activity"][["citizen_id", "start", "end"]]
    pairs = rows[["measurement_id", "citizen_id", "date"]].merge(spells, on="citizen_id")
    held = pairs[(pairs["start"] <= pairs["date"]) & (pairs["date"] < pairs["end"])]
    rows["action"] = rows["measurement_id"].isin(held["measurement_id"])
    return rows.sort_values(["citizen_id", "date"], ignore_index=True)


def slope(y, x, cluster):
    """Least-squares slope and its standard error, clustered."""
    x = x - x.mean()
    value = (x @ y) / (x @ x)
    score = x * (y - y.mean() - value * x)
    total = np.bincount(np.unique(cluster, return_inverse=True)[1], weights=score)
    return value, np.sqrt(total @ total) / (x @ x)


def ratio(y, b, z, cluster):
    """Instrumental-variable slope of y on b with instrument z, and its standard error, clustered."""
    z = z - z.mean()
    value = (z @ y) / (z @ b)
    rest = y - value * b
    total = np.bincount(np.unique(cluster, return_inverse=True)[1], weights=z * (rest - rest.mean()))
    return value, np.sqrt(total @ total) / abs(z @ b)


@pytest.fixture(scope="module")
def study():
    return simulate_study(seed=51, n_citizens=LARGE, n_caseworkers=600, optimism_effect=0.4)


@pytest.fixture(scope="module")
def rows(study):
    return forms_before_job(study)


def test_gradient_is_that_of_the_people(study, rows):
    share = rows.groupby("belief")["job"].mean()
    # standard deviations .0006 and .006: 40,000 and 9,000 forms, several of one citizen
    assert study.truth["effects"]["gradient_low"] == pytest.approx(share[1], abs=0.002)
    assert study.truth["effects"]["gradient_high"] == pytest.approx(share[5], abs=0.02)


def test_slope_on_disposition_in_each_set_of_rows(study, rows):
    before = rows.groupby("citizen_id")["caseworker_id"].shift()
    sets = {
        "optimism": rows,
        "relationship_optimism": rows.drop_duplicates(["citizen_id", "caseworker_id"]),
        "mover": rows[before.notna() & (before != rows["caseworker_id"])],
    }
    for name, part in sets.items():
        true = study.truth["effects"][f"{name}_slope_pp"] / 100
        value, error = slope(
            part["job"].to_numpy(), part["optimism"].to_numpy(), part["caseworker_id"].to_numpy()
        )
        assert error < 0.2 * true
        assert value == pytest.approx(true, abs=3.5 * error)


def test_caseworkers_vary_as_much_as_the_truth_says(study, rows):
    # measurements of different citizens of one caseworker share nothing but caseworker and jobcentre: the
    # product of the means of two random halves of the citizens is free of chance
    rows = rows.drop_duplicates(["citizen_id", "caseworker_id"])
    rows = rows.assign(half=pd.util.hash_pandas_object(rows["citizen_id"], index=False) % 2)
    offices = study.tables["caseworker"].set_index("caseworker_id")["jobcentre_id"]
    means = rows.pivot_table("job", "caseworker_id", "half").dropna()
    means = means - means.groupby(means.index.map(offices)).transform("mean")
    freedom = len(means) - offices.nunique()
    estimate = 100 * np.sqrt((means[0] * means[1]).sum() / freedom)
    # 600 caseworkers with 100 citizens in each half, noise 2.3 points each: standard deviation .13 points;
    # first measurements have a tenth less risk than all
    assert study.truth["effects"]["caseworker_sd_within_pp"] == pytest.approx(estimate, abs=0.45)


def test_the_instrument_finds_the_step_where_belief_alone_acts():
    study = simulate_study(
        seed=52, n_citizens=LARGE, n_caseworkers=600, optimism_effect=0.0, belief_effect=0.5
    )
    rows = forms_before_job(study)
    rows = rows[rows["belief"].notna()]
    first = rows.drop_duplicates(["citizen_id", "caseworker_id"])
    effects = study.truth["effects"]
    slope_step = effects["optimism_slope_pp"] / effects["optimism_slope_steps"]
    for part, true in ((rows, slope_step), (first, effects["relationship_leniency_step_pp"])):
        value, error = ratio(
            *(part[name].to_numpy() for name in ("job", "belief", "optimism", "caseworker_id"))
        )
        assert error < 0.2 * true / 100
        assert value == pytest.approx(true / 100, abs=3.5 * error)
    # by whole standard deviations and by halves it is nearly the same
    assert effects["leniency_step_pp"] == pytest.approx(slope_step, rel=0.15)


def test_belief_leads_to_action_by_what_the_truth_says():
    study = simulate_study(seed=53, n_citizens=LARGE, belief_action=1.0)
    rows = forms_before_job(study)
    rows["next_action"] = rows.groupby("citizen_id")["action"].shift(-1)
    first = rows.drop_duplicates("citizen_id")
    first = first[first["next_action"].notna() & first["belief"].notna()]
    # dispositions move first answers, and activities only through them
    value, error = ratio(
        first["next_action"].astype(float).to_numpy(),
        first["belief"].to_numpy(),
        first["optimism"].to_numpy(),
        first["caseworker_id"].to_numpy(),
    )
    assert error < 0.01
    # at first waves; the truth is that of all waves, among whom more have an activity
    assert study.truth["effects"]["belief_to_action_pp"] == pytest.approx(100 * value, abs=350 * error)


def test_action_leads_to_belief_by_what_the_truth_says():
    study = simulate_study(seed=53, n_citizens=LARGE, belief_action=0.0, action_feedback=0.4)
    rows = forms_before_job(study)
    following = rows.groupby("citizen_id")["belief"].shift(-1)
    first = rows.assign(change=following - rows["belief"]).drop_duplicates("citizen_id")
    first = first[first["change"].notna()]
    # activities at first waves have to do with employability alone, which two answers share
    value, error = slope(
        first["change"].to_numpy(), first["action"].astype(float).to_numpy(), first["citizen_id"].to_numpy()
    )
    assert error < 0.02
    assert study.truth["effects"]["action_to_belief_steps"] == pytest.approx(value, abs=3.5 * error + 0.02)


def test_feedback_and_effect_of_action_leave_the_other_truth_in_order():
    study = simulate_study(
        seed=54, n_citizens=20_000, action_feedback=0.3, action_effect=0.3, belief_action=0.5
    )
    rows = forms_before_job(study)
    effects = study.truth["effects"]
    assert rows["job"].mean() == pytest.approx(effects["base_rate"], abs=0.006)
    # a hazard ratio of e^0.3; those at high risk have less to gain
    assert 0.8 * np.expm1(0.3) < effects["action_relative"] < np.expm1(0.3)
    assert effects["optimism_sd_pp"] > 0
