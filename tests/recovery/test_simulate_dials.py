"""Each dial does what it says, and the stated true effects are those of the simulated people."""

import numpy as np
import pytest

from jobchance.simulate.bip import simulate_study
from jobchance.simulate.margin_rows import margin_rows
from jobchance.simulate.margins import published_margins

SEEDS = range(700, 712)


def margins(seed, **dials):
    return published_margins(simulate_study(seed=seed, **dials)).set_index("key")["achieved"]


def mean_margins(seeds=SEEDS, **dials):
    runs = [margins(seed, **dials) for seed in seeds]
    return sum(runs) / len(runs)


@pytest.fixture(scope="module")
def nothing():
    return mean_margins(belief_effect=0.0, optimism_effect=0.0)


@pytest.fixture(scope="module")
def large():
    return simulate_study(seed=31, n_citizens=40_000)


def test_zero_dials_are_exactly_zero_effects():
    effects = simulate_study(seed=3, belief_effect=0, optimism_effect=0, shift_effect=0).truth["effects"]
    assert effects.pop("base_rate") > 0.04
    # what nobody's dial makes: the gradient, what caseworkers do apart from belief, how answers follow
    # dispositions, activities after answers
    rest = {"gradient_low", "gradient_high", "belief_to_action", "belief_to_action_pp", "action_share"}
    rest |= {name for name in effects if name.startswith("caseworker_sd") or name.endswith("_steps")}
    rest -= {"action_to_belief_steps"}
    zeros = {name: value for name, value in effects.items() if name not in rest}
    assert len(zeros) == 28
    assert set(zeros.values()) == {0.0}
    assert all(effects[name] > 0 for name in rest)


def test_without_effects_the_gradient_is_still_steep(nothing):
    # twelve seeds: standard deviation of the mean is .001 and .009
    assert nothing["p_job_1y_belief_low"] == pytest.approx(0.010, abs=0.005)
    assert nothing["p_job_1y_belief_high"] == pytest.approx(0.28, abs=0.04)


def test_without_effects_the_thirds_are_equal_and_the_spread_remains(nothing):
    # standard deviation over seeds .008 for the difference, .006 and .010 for the quarters
    assert nothing["optimism_difference"] == pytest.approx(0.0, abs=4 * 0.008 / np.sqrt(len(SEEDS)))
    assert nothing["p_jobedu_cw_worst"] == pytest.approx(0.065, abs=0.015)
    assert nothing["p_jobedu_cw_best"] == pytest.approx(0.233, abs=0.02)


@pytest.mark.parametrize("belief_effect", [-0.2, 0.2, 0.4])
def test_the_top_of_the_gradient_does_not_depend_on_the_effect(nothing, belief_effect):
    turned = mean_margins(range(700, 706), belief_effect=belief_effect)
    assert turned["p_job_1y_belief_high"] == pytest.approx(nothing["p_job_1y_belief_high"], abs=0.05)
    assert turned["p_job_1y"] == pytest.approx(nothing["p_job_1y"], abs=0.008)


def test_no_forecasting_skill_no_gradient():
    flat = mean_margins(range(700, 706), forecasting_skill=0.0, optimism_effect=0.0)
    gap = flat["p_job_1y_belief_high"] - flat["p_job_1y_belief_low"]
    assert gap == pytest.approx(0.0, abs=0.03)
    assert flat["p_job_1y"] == pytest.approx(0.06, abs=0.01)


def test_a_belief_that_matters_makes_a_gradient_without_any_skill():
    steep = mean_margins(range(700, 706), forecasting_skill=0.0, optimism_effect=0.0, belief_effect=0.4)
    assert steep["p_job_1y_belief_high"] > 1.8 * steep["p_job_1y_belief_low"]


@pytest.mark.parametrize(("sorting", "sign"), [(0.5, 1), (0.0, 0), (-0.5, -1)])
def test_sorting_gives_optimists_easier_citizens(sorting, sign):
    study = simulate_study(seed=8, sorting=sorting)
    rows = margin_rows(study).drop_duplicates("citizen_id")
    rows = rows.merge(study.truth["citizen"], on="citizen_id").merge(
        study.truth["caseworker"], on="caseworker_id"
    )
    correlation = rows["employability"].corr(rows["optimism"])
    assert correlation == pytest.approx(0.48 * sign, abs=0.07)


def test_sorting_makes_thirds_differ_without_any_effect(nothing):
    sorted_ = mean_margins(range(700, 706), sorting=0.5, optimism_effect=0.0)
    assert sorted_["optimism_difference"] > nothing["optimism_difference"] + 0.03


def test_attrition_changes_the_number_of_waves():
    waves = [margins(2, attrition=value)["mean_waves_per_client"] for value in (0.0, 0.5, 1.0, 2.0)]
    assert waves == sorted(waves, reverse=True)
    assert waves[0] > 9
    assert waves[3] < 2.2


def test_dont_know_share():
    rating = simulate_study(seed=4, dont_know_share=0.3).tables["rating"]
    belief = rating[rating["item_id"] == "belief_job"]
    unsure = (belief["missing_reason"] == "dont_know").mean()
    assert unsure == pytest.approx(0.3, abs=0.02)


def test_scale_use_keeps_the_shares_and_spreads_the_raters():
    same, own = (simulate_study(seed=4, scale_use=value) for value in (0.0, 1.0))
    spread = []
    for study in (same, own):
        rows = margin_rows(study)
        spread.append(rows.groupby("caseworker_id")["belief"].std().std())
        assert (rows["belief"].dropna() <= 2).mean() == pytest.approx(0.5, abs=0.05)
    assert spread[1] > 1.5 * spread[0]


def test_turning_an_effect_leaves_first_answers_alone():
    forms = []
    for effect in (0.0, 0.4):
        study = simulate_study(seed=9, n_citizens=500, belief_effect=effect)
        first = study.tables["measurement"].query("wave == 1 and respondent == 'caseworker'")
        belief = study.tables["rating"].query("item_id == 'belief_job'")
        forms.append(first.merge(belief, on="measurement_id").set_index("citizen_id"))
    without, with_ = forms
    assert without["caseworker_id"].equals(with_["caseworker_id"])
    both = without["value"].notna() & with_["value"].notna()
    assert both.sum() > 400
    assert without["value"][both].equals(with_["value"][both])


def before_first_job(study):
    """Forms before the citizen's first job, whose year is complete, with the latent variables."""
    rows = margin_rows(study)
    outcome = study.tables["outcome"]
    jobs = outcome[(outcome["outcome"] == "job") & (outcome["value"] == 1)]
    first = jobs.groupby("citizen_id")["event_date"].min()
    when = rows["citizen_id"].map(first)
    rows = rows[(when.isna() | (rows["date"] < when)) & rows["job"].notna()]
    return rows.merge(study.truth["caseworker"], on="caseworker_id")


def clustered_slope(y, x, cluster):
    """Least-squares slope and its standard error, clustered."""
    x = x - x.mean()
    slope = (x @ y) / (x @ x)
    score = x * (y - y.mean() - slope * x)
    total = np.bincount(np.unique(cluster, return_inverse=True)[1], weights=score)
    return slope, np.sqrt(total @ total) / (x @ x)


def test_base_rate_is_that_of_the_people(large):
    rows = before_first_job(large)
    # 40,000 citizens with 2.9 forms each: standard deviation .001
    assert rows["job"].mean() == pytest.approx(large.truth["effects"]["base_rate"], abs=0.004)


def test_optimism_effect_is_that_of_the_people(large):
    rows = before_first_job(large)
    slope, error = clustered_slope(rows["job"].to_numpy(), rows["optimism"].to_numpy(), rows["caseworker_id"])
    effect = large.truth["dials"]["optimism_effect"]
    # a step of one standard deviation against the slope at the step's foot
    expected = large.truth["effects"]["optimism_sd_pp"] / 100 * effect / np.expm1(effect)
    assert slope == pytest.approx(expected, abs=3.5 * error)
    assert error < 0.25 * expected


def test_shift_effect_is_that_of_the_people():
    # shifts come with nothing else here but time, which the effect of zero shows to matter little
    ratio = {}
    for effect in (-1.0, 0.0):
        study = simulate_study(seed=32, n_citizens=30_000, shift_effect=effect)
        rows = before_first_job(study)
        ratio[effect] = rows[rows["shifted"]]["job"].mean() / rows[~rows["shifted"]]["job"].mean()
        true = 1 + study.truth["effects"]["shift_relative"]
        # those not yet shifted may shift during the year, so the raw ratio lies nearer to one
        assert true - 0.1 < ratio[effect] < true + 0.2
    assert ratio[-1.0] < 0.6 < 0.85 < ratio[0.0]


def test_belief_effect_is_that_of_the_people():
    study = simulate_study(
        seed=33, n_citizens=40_000, belief_effect=0.4, optimism_effect=0.0, forecasting_skill=0.0
    )
    rows = before_first_job(study)
    rows = rows[rows["belief"].notna()]
    slope, error = clustered_slope(rows["job"].to_numpy(), rows["belief"].to_numpy(), rows["citizen_id"])
    effects = study.truth["effects"]
    # answers last in part: a higher answer now goes with more than one wave's effect, less than a year's
    assert effects["belief_step_one_wave_pp"] / 100 < slope - 3 * error
    assert slope + 3 * error < effects["belief_step_pp"] / 100


def test_fewer_caseworkers_have_more_citizens():
    few, many = (margins(3, n_caseworkers=n)["n_relationships"] / n for n in (100, 400))
    assert few > 3 * many
