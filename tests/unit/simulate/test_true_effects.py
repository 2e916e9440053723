"""True effects against calculations of their own: other people put in charge, rows found from the tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jobchance.simulate import bip, calibration
from jobchance.simulate.beliefs import Course, follow_waves
from jobchance.simulate.dials import read_dials
from jobchance.simulate.hazards import build_segments, education_hazard, job_hazard
from jobchance.simulate.histories import draw_history
from jobchance.simulate.true_actions import action_truth
from jobchance.simulate.true_caseworkers import COMMON_ROWS, caseworker_spread
from jobchance.simulate.true_effects import true_effects
from jobchance.simulate.truth_rows import first_meetings, truth_rows

SIZE = 600


def simulated(seed, **dials):
    """World, segments and history behind `simulate_study`."""
    names = bip._STREAMS
    children = np.random.SeedSequence(seed).spawn(len(names))
    streams = {name: np.random.default_rng(child) for name, child in zip(names, children, strict=True)}
    world = bip._draw_world(streams, read_dials(SIZE, dials))
    segments = build_segments(world)
    history = draw_history(
        streams["history"], world, job_hazard(world, segments), education_hazard(world, segments)
    )
    return world, segments, history


def probability(total):
    return -np.expm1(-total)


def under(world, j):
    """The world in which caseworker j is in charge of everybody, in every jobcentre."""
    workers = world.caseworkers
    size = workers.alpha.size
    same = replace(
        workers,
        alpha=np.full(size, workers.alpha[j]),
        effect=np.full(size, workers.effect[j]),
        stretch=np.full(size, workers.stretch[j]),
    )
    beliefs = world.beliefs
    course = follow_waves(
        world.dials,
        world.propensity,
        citizen=beliefs.citizen,
        wave=beliefs.wave,
        latent=beliefs.latent + calibration.W_OPTIMISM * same.alpha[0],
        stretch=np.full(beliefs.wave.size, same.stretch[0]),
    )
    courses = {0.0: Course(course.answer, beliefs.active)}
    return replace(world, caseworkers=same, beliefs=replace(beliefs, courses=courses))


@pytest.mark.parametrize(
    "dials",
    [{}, {"belief_effect": 0.4}, {"belief_effect": -0.3, "optimism_effect": 0.0, "scale_use": 0.8}],
    ids=["optimism", "both", "belief"],
)
def test_spread_of_caseworkers_is_that_of_putting_each_in_charge(dials):
    world, segments, history = simulated(5, **dials)
    rows = truth_rows(world, history)
    assert rows.form.size < COMMON_ROWS
    actual = job_hazard(world, segments)
    rest = actual.between(rows.citizen, rows.answered, rows.end)
    rated = np.unique(world.tenures.caseworker[rows.tenure])
    chance = []
    for j in rated:
        there = under(world, j)
        other = job_hazard(there, segments)
        stands = job_hazard(replace(there, caseworkers=world.caseworkers), segments)
        total = other.between(rows.citizen, rows.begin, rows.until) + rest
        total += stands.between(rows.citizen, rows.until, rows.answered)
        chance.append(probability(total).mean())
    table = pd.DataFrame({"chance": chance, "office": world.caseworkers.jobcentre[rated]})
    within = table["chance"] - table.groupby("office")["chance"].transform("mean")
    spread = caseworker_spread(world, rows, actual)
    assert spread["caseworker_sd_pp"] == pytest.approx(100 * table["chance"].std(), rel=1e-9)
    freedom = len(table) - table["office"].nunique()
    expected = 100 * np.sqrt((within**2).sum() / freedom)
    assert spread["caseworker_sd_within_pp"] == pytest.approx(expected, rel=1e-9)
    means = table.groupby("office")["chance"].mean()
    assert spread["caseworker_sd_between_pp"] == pytest.approx(100 * means.std(), rel=1e-9)


def test_a_sample_of_measurements_has_the_spread_of_all(monkeypatch):
    world, segments, history = simulated(5, belief_effect=0.3)
    rows, actual = truth_rows(world, history), job_hazard(world, segments)
    full = caseworker_spread(world, rows, actual)
    monkeypatch.setattr("jobchance.simulate.true_caseworkers.COMMON_ROWS", 300)
    some = caseworker_spread(world, rows, actual)
    assert some != full
    for key, value in full.items():
        assert some[key] == pytest.approx(value, rel=0.05)


def test_first_meetings_are_those_in_the_tables():
    study = bip.simulate_study(seed=5, n_citizens=SIZE)
    world, _, history = simulated(5)
    rows = truth_rows(world, history)
    met, new = first_meetings(world, rows)
    forms = study.tables["measurement"].query("respondent == 'caseworker'")
    jobs = study.tables["outcome"].query("outcome == 'job' and value == 1")
    first = forms["citizen_id"].map(jobs.groupby("citizen_id")["event_date"].min())
    forms = forms[first.isna() | (forms["date"] < first)].sort_values(["citizen_id", "date"])
    assert rows.form.size == len(forms)
    assert met.sum() == len(forms.drop_duplicates(["citizen_id", "caseworker_id"]))
    assert met.tolist() == (~forms.duplicated(["citizen_id", "caseworker_id"])).tolist()
    before = forms.groupby("citizen_id")["caseworker_id"].shift()
    assert new.tolist() == (before.notna() & (before != forms["caseworker_id"])).tolist()
    assert 0 < new.sum() < met.sum() < rows.form.size


def test_an_answer_stands_until_the_next_caseworkers_first():
    world, _, history = simulated(5)
    rows, beliefs, tenures = truth_rows(world, history), world.beliefs, world.tenures
    later = 0
    for row in range(0, rows.form.size, 7):
        own = tenures.citizen == rows.citizen[row]
        starts = tenures.start[own & (tenures.start > tenures.start[rows.tenure[row]])]
        leaves = starts.min(initial=10**6)
        answers = beliefs.day[(beliefs.citizen == rows.citizen[row]) & (beliefs.day >= leaves)]
        until = np.clip(leaves, rows.begin[row], rows.end[row])
        assert rows.until[row] == until
        assert rows.answered[row] == np.clip(answers.min(initial=10**6), until, rows.end[row])
        later += rows.answered[row] > until
    assert later > 10


def test_effects_of_dispositions_are_those_of_hazards_written_out():
    world, segments, history = simulated(6, shift_effect=0.0)
    effects = true_effects(world, segments, history)
    rows = truth_rows(world, history)
    actual = job_hazard(world, segments)
    own = actual.between(rows.citizen, rows.begin, rows.until)
    rest = actual.between(rows.citizen, rows.until, rows.end)
    beta = world.dials.optimism_effect
    chance = {step: probability(rest + np.exp(beta * step) * own) for step in (-0.5, 0.0, 0.5, 1.0)}
    met, new = first_meetings(world, rows)
    for name, sd, some in (
        ("optimism", "optimism_sd", slice(None)),
        ("relationship_optimism", "relationship_optimism_sd", met),
        ("mover", "mover_sd", new),
    ):
        raised = (chance[1.0] - chance[0.0])[some].mean()
        slope = (chance[0.5] - chance[-0.5])[some].mean()
        assert effects[f"{sd}_pp"] == pytest.approx(100 * raised, rel=1e-9)
        assert effects[f"{sd}_relative"] == pytest.approx(raised / chance[0.0][some].mean(), rel=1e-9)
        assert effects[f"{name}_slope_pp"] == pytest.approx(100 * slope, rel=1e-9)
        assert effects[f"{name}_slope_relative"] == pytest.approx(slope / chance[0.0][some].mean(), rel=1e-9)
    # half a standard deviation up and down is the derivative, to the second order
    derivative = beta * (np.exp(-(own + rest)) * own).mean()
    assert effects["optimism_slope_pp"] == pytest.approx(100 * derivative, rel=0.01)
    answer = world.beliefs.answer[rows.form]
    assert effects["gradient_low"] == pytest.approx(chance[0.0][answer == 1].mean(), rel=1e-9)
    assert effects["gradient_high"] == pytest.approx(chance[0.0][answer == 5].mean(), rel=1e-9)


def test_steps_of_the_answer_are_those_of_the_cut_points():
    world, segments, history = simulated(6, action_feedback=0.0)
    effects = true_effects(world, segments, history)
    rows = truth_rows(world, history)
    rater = world.tenures.caseworker[rows.tenure]
    cuts = calibration.belief_cuts(world.dials)
    latent = world.beliefs.latent[rows.form]

    def answers(raised):
        scale = world.caseworkers.stretch[rater]
        index = scale * (latent + calibration.W_OPTIMISM * (world.caseworkers.alpha[rater] + raised))
        return 1 + (index[:, None] > cuts).sum(axis=1)

    assert effects["optimism_sd_steps"] == pytest.approx((answers(1) - answers(0)).mean(), rel=1e-12)
    assert effects["optimism_slope_steps"] == pytest.approx((answers(0.5) - answers(-0.5)).mean(), rel=1e-12)
    assert effects["leniency_step_pp"] * effects["optimism_sd_steps"] == pytest.approx(
        effects["optimism_sd_pp"], rel=1e-12
    )
    assert effects["leniency_belief_step_pp"] == 0.0


def test_the_instrument_is_the_belief_only_where_optimism_does_nothing_else():
    for optimism_effect in (0.0, 0.29):
        study = bip.simulate_study(
            seed=6, n_citizens=2000, optimism_effect=optimism_effect, belief_effect=0.3
        )
        effects = study.truth["effects"]
        whole, part = effects["leniency_step_pp"], effects["leniency_belief_step_pp"]
        if optimism_effect:
            assert whole > 1.5 * part > 0
        else:
            assert whole == pytest.approx(part, rel=1e-12)
            # one caseworker's answers, not all the citizen's later ones, and more than one wave's
            assert effects["belief_step_one_wave_pp"] < whole < effects["belief_step_pp"]


def test_belief_and_action_are_those_of_many_draws():
    world, _, history = simulated(6, belief_action=1.0, action_feedback=0.4)
    rows = truth_rows(world, history)
    truth = action_truth(world, rows)
    beliefs, rng = world.beliefs, np.random.default_rng(1)
    followed = [form for form in rows.form if form + 1 in set(rows.form) and beliefs.wave[form + 1] > 0]
    form = np.array(followed)
    assert (beliefs.citizen[form] == beliefs.citizen[form + 1]).all()
    who = beliefs.citizen[form]
    draws = []
    for step in (-0.5, 0.5):
        odds = -1.3 + world.propensity.trait[who] + 2.0 * beliefs.active[form]
        odds = odds + 1.0 * (beliefs.answer[form] + step - 2.57)
        chance = world.citizens.traits["any_intervention"][who] / (1 + np.exp(-odds))
        draws.append((rng.random((2000, form.size)) < chance).mean())
    # two million draws: standard deviation .0004 each
    assert truth["belief_to_action_pp"] == pytest.approx(100 * (draws[1] - draws[0]), abs=0.25)
    # the next answers as they were drawn, turned over where an activity went on before
    later = form + 1
    sd = np.sqrt(1.25**2 + 0.5**2 + 0.6**2)
    rater = world.tenures.caseworker[beliefs.tenure[later]]
    scale = world.caseworkers.stretch[rater]
    index = scale * (beliefs.latent[later] + 0.5 * world.caseworkers.alpha[rater])
    cuts = calibration.belief_cuts(world.dials)
    moved = [1 + (index + shift * scale * sd * 0.4 > cuts[:, None]).sum(axis=0) for shift in (0, 1)]
    assert (np.where(beliefs.active[form], moved[1], moved[0]) == beliefs.answer[later]).all()
    assert truth["action_to_belief_steps"] == pytest.approx((moved[1] - moved[0]).mean(), rel=1e-12)
    assert truth["action_share"] == pytest.approx(beliefs.active[form].mean())


def test_action_effect_is_the_hazard_ratio():
    world, segments, history = simulated(6, action_effect=0.5)
    effects = true_effects(world, segments, history)
    rows = truth_rows(world, history)
    with_ = job_hazard(world, segments, active=True).between(rows.citizen, rows.begin, rows.end)
    without = job_hazard(world, segments, active=False).between(rows.citizen, rows.begin, rows.end)
    assert with_ == pytest.approx(np.exp(0.5) * without, rel=1e-9)
    base = job_hazard(world, segments).between(rows.citizen, rows.begin, rows.end)
    assert ((without - 1e-12 <= base) & (base <= with_ + 1e-12)).all()
    assert effects["action_pp"] == pytest.approx(
        100 * (probability(with_) - probability(without)).mean(), rel=1e-9
    )
    # belief leads to activities, and they to jobs: raised dispositions do more than without that path
    apart = true_effects(*simulated(6, action_effect=0.5, belief_action=0.0))
    assert effects["optimism_sd_relative"] > apart["optimism_sd_relative"]


def test_what_cannot_be_averaged_is_not_a_number():
    effects = bip.simulate_study(seed=1, n_citizens=1).truth["effects"]
    assert np.isnan(effects["mover_sd_pp"])
    assert np.isnan(effects["caseworker_sd_pp"])
    assert np.isnan(effects["gradient_high"])
    assert np.isfinite(effects["optimism_sd_pp"])
