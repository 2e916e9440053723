"""Activities follow from belief and lead to belief as the dials say, and move nothing else."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from jobchance.simulate.actions import LEVEL, PERSISTENCE
from jobchance.simulate.bip import simulate_study
from jobchance.study.fingerprint import fingerprint_tables

# Fingerprints of the tables of simulate_study(seed=7, n_citizens=500, belief_effect=0.2) before there was a
# table of activities.
BEFORE = {
    "citizen": "953f04f5efcc46eacc27021cba0a2cc405b23a8998f7c19f7d8ddf110a7128e0",
    "caseworker": "917f78ff3d9b15b4931554cfdd081be4e98c3568b441bb80bf5c0be9ce89ed01",
    "jobcentre": "3ec33e3785d33ebc089bab293b5e77bdb1f3628267672d18d871cc4ac0c4ed93",
    "assignment": "cd93a390b1e2ae6209c92acd7486796cf37f5552bcdf498ae00e406236528d76",
    "measurement": "08d2659021ab6b045e9c8686f05ad09402d54ab1b87cff90a82625d853f3d985",
    "item": "6dd5e01bb71c50375111bbe5dc0cf7d9548ba3368e29674cc0127b10eb60063e",
    "outcome": "19799d4bbd878f8035d22667cd6dad902f0dfa0bb0b8a2e2e7899aab60738270",
    "follow_up": "26c48e983e87284096cd3fce2ca31aa1616ef7182f7fa45cd05713e0756d79de",
    "rating": "b26fa6bd1edc6cec7c74faf597346bbdf1d9f7970f647281ba62f1611c6d5222",
}


def waves(study):
    """One row per wave: answer, activity on the day, and both at the wave after."""
    forms = study.tables["measurement"].query("respondent == 'caseworker'")
    belief = study.tables["rating"].query("item_id == 'belief_job'")
    rows = forms.merge(belief[["measurement_id", "value"]], on="measurement_id")
    rows = rows.sort_values(["citizen_id", "wave"], ignore_index=True)
    spells = study.tables["activity"]
    pairs = rows[["measurement_id", "citizen_id", "date"]].merge(spells, on="citizen_id")
    held = pairs[(pairs["start"] <= pairs["date"]) & (pairs["date"] < pairs["end"])]
    assert not held["measurement_id"].duplicated().any()
    rows["action"] = rows["measurement_id"].isin(held["measurement_id"])
    later = rows.groupby("citizen_id")[["value", "action"]].shift(-1)
    return rows.assign(next_value=later["value"], next_action=later["action"])


@pytest.fixture(scope="module")
def study():
    return simulate_study(seed=21)


@pytest.fixture(scope="module")
def rows(study):
    return waves(study)


@pytest.mark.parametrize(
    "dials", [{}, {"belief_action": 1.0}, {"belief_action": 0.0}], ids=["default", "strong", "none"]
)
def test_activities_leave_all_other_tables_as_they_were(dials):
    tables = simulate_study(seed=7, n_citizens=500, belief_effect=0.2, **dials).tables
    assert {name: fingerprint_tables({name: tables[name]}) for name in BEFORE} == BEFORE


def test_turning_the_action_dials_moves_what_they_govern():
    base, feedback, effect = (
        simulate_study(seed=7, n_citizens=500, **dials).tables
        for dials in ({}, {"action_feedback": 0.5}, {"action_effect": 0.5})
    )
    for name in ("citizen", "caseworker", "jobcentre", "item"):
        assert base[name].equals(feedback[name])
        assert base[name].equals(effect[name])
    assert not base["rating"].equals(feedback["rating"])
    assert not base["outcome"].equals(effect["outcome"])
    # without an effect of belief or of action on jobs, feedback changes answers and no outcome
    assert base["outcome"].equals(feedback["outcome"])


def test_who_has_no_intervention_has_no_activity_and_the_others_have(study):
    people = study.tables["citizen"].set_index("citizen_id")["any_intervention"]
    with_ = people.index.isin(study.tables["activity"]["citizen_id"])
    assert not with_[~people].any()
    # all but those whose case or follow-up ended on the day after their last form
    assert with_[people].mean() > 0.999
    assert people.mean() == pytest.approx(0.75, abs=0.03)


def test_spells_do_not_overlap_and_lie_in_the_case(study):
    spells = study.tables["activity"].sort_values(["citizen_id", "start"])
    assert (spells["start"] < spells["end"]).all()
    same = spells["citizen_id"].eq(spells["citizen_id"].shift())
    assert (spells["start"] >= spells["end"].shift())[same].all()
    cases = study.tables["assignment"].sort_values(["citizen_id", "start"])
    joined = spells.merge(
        cases,
        left_on=["citizen_id", "decided_by"],
        right_on=["citizen_id", "caseworker_id"],
        suffixes=("", "_case"),
    )
    in_charge = (joined["start"] >= joined["start_case"]) & (
        joined["end_case"].isna() | (joined["start"] < joined["end_case"])
    )
    # every activity was decided on by the caseworker in charge on its first day
    assert joined.loc[in_charge, "activity_id"].nunique() == len(spells)
    follow_up = study.tables["follow_up"].set_index("citizen_id")
    assert (spells["start"] >= spells["citizen_id"].map(follow_up["observed_from"])).all()
    assert (spells["end"] <= spells["citizen_id"].map(follow_up["observed_to"])).all()


def test_types_hours_and_offers_are_those_of_their_kind(study):
    table = study.tables["activity"]
    assert table["type"].nunique() == 9
    workplace = table["type"].isin(
        ["virksomhedspraktik", "loentilskud_off", "loentilskud_priv", "nytteindsats"]
    )
    assert table["sector"].notna().eq(workplace).all()
    assert (table.loc[table["type"] == "loentilskud_off", "sector"] == "public").all()
    assert table["hours_per_week"].between(1, 37).all()
    assert (table["available_from"] < table["start"]).all()
    withdrawn = table["available_to"].notna()
    assert (table["available_to"] > table["end"])[withdrawn].all()
    assert withdrawn.mean() == pytest.approx(0.3, abs=0.04)
    assert set(table["status"]) == {"completed", "interrupted"}


def test_persistence_and_share(rows):
    going, new = (rows.loc[rows["action"] == value, "next_action"].dropna().mean() for value in (True, False))
    # LEVEL and PERSISTENCE before the trait, of the three quarters who have any
    assert going > expit(LEVEL + PERSISTENCE) - 0.03
    assert new < expit(LEVEL) + 0.03
    assert rows["action"].mean() == pytest.approx(0.30, abs=0.05)


def conditional_log_odds(rows):
    """Log odds ratio of an activity at the next wave between answers 4-5 and 1-2, given the activity now."""
    rows = rows[rows["next_action"].notna() & rows["value"].notna()]
    ratios = []
    for _, part in rows.groupby("action"):
        share = part.groupby(
            pd.cut(part["value"], [0, 2, 3, 5], labels=["low", "middle", "high"]), observed=True
        )
        share = share["next_action"].mean()
        ratios.append(logit(share["high"]) - logit(share["low"]))
    return float(np.mean(ratios))


@pytest.mark.parametrize(("dial", "low", "high"), [(0.0, -0.1, 0.25), (0.25, 0.3, 0.9), (-0.5, -1.6, -0.6)])
def test_belief_leads_to_action(dial, low, high):
    # the answers of the two groups lie 2.7 steps apart; those without any intervention dilute it
    study = simulate_study(seed=22, n_citizens=20_000, belief_action=dial)
    assert low < conditional_log_odds(waves(study)) < high


@pytest.mark.parametrize(("dial", "sign"), [(0.0, 0), (0.5, 1), (-0.5, -1)])
def test_action_leads_to_belief(dial, sign):
    table = waves(simulate_study(seed=22, n_citizens=20_000, belief_action=0.0, action_feedback=dial))
    table = table[table["next_value"].notna() & table["value"].notna()]
    change = (table["next_value"] - table["value"])[table["wave"] == 1]
    going = table["action"][table["wave"] == 1]
    difference = change[going].mean() - change[~going].mean()
    # half a standard deviation of the latent belief is worth about half a step of the answer
    assert difference == pytest.approx(0.55 * sign, abs=0.12)


def test_action_effect_is_a_hazard_ratio():
    rates = []
    for effect in (0.0, 1.0):
        study = simulate_study(seed=22, n_citizens=20_000, action_effect=effect, belief_action=0.0)
        table = waves(study)
        outcome = study.tables["outcome"].query("outcome == 'job' and value == 1")
        first = outcome.groupby("citizen_id")["event_date"].min()
        days = (table["citizen_id"].map(first) - table["date"]).dt.days
        soon = days[~(days <= 0)].between(1, 60)
        going = table.loc[soon.index, "action"]
        rates.append(soon[going].mean() / soon[~going].mean())
    assert rates[0] == pytest.approx(1.1, abs=0.25)
    # an activity at a wave lasts only part of the sixty days that follow, and some begin in them
    assert 1.5 < rates[1] / rates[0] < np.e
