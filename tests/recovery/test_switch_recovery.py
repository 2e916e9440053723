"""Changes of caseworker in simulated studies: the contrast of movers and the shift find the truth."""

import numpy as np
import pandas as pd
import pytest

from jobchance import build_panel
from jobchance.identification.switch import switch_event_study
from jobchance.identification.switch_movers import mover_contrast
from jobchance.identification.switch_moves import read_moves
from jobchance.identification.switch_rows import EXOGENOUS, read_history
from jobchance.identification.switch_stack import build_anchors
from jobchance.simulate import bip
from jobchance.simulate import calendar as cal
from jobchance.simulate.hazards import job_hazard
from jobchance.simulate.truth import build_truth

COVARIATES = ("birth_year", "sex", "job_education_share_5y", "psychiatric_diagnosis")


def simulate(monkeypatch, seed, **dials):
    """A study with the hazards behind it."""
    kept = {}

    def keep(world, segments, history, **options):
        kept.update(world=world, segments=segments)
        return build_truth(world, segments, history, **options)

    monkeypatch.setattr(bip, "build_truth", keep)
    study = bip.simulate_study(seed=seed, **dials)
    return study, build_panel(study, covariates=COVARIATES), kept["world"], kept["segments"]


def windows(study, world, rows):
    """Citizen, planned form, and first and last day of the year after it, of rows of a panel."""
    ids = pd.Series(range(len(study.truth["citizen"])), index=study.truth["citizen"]["citizen_id"])
    beliefs = world.beliefs
    places = pd.Series(
        range(len(beliefs.citizen)), index=pd.MultiIndex.from_arrays([beliefs.citizen, beliefs.wave + 1])
    )
    form = places.loc[list(zip(ids[rows["citizen_id"]], rows["wave"], strict=True))].to_numpy()
    begin = cal.window_starts(beliefs.day[form])
    return beliefs.citizen[form], form, begin, np.minimum(begin + cal.HORIZON_DAYS, cal.END)


def chance(hazard, citizen, begin, end):
    return -np.expm1(-hazard.between(citizen, begin, end))


def true_slope(study, panel, world, segments):
    """Average over the changes of the slope in the new caseworker's disposition, until the next change.

    A whole standard deviation more does somewhat more than the slope, since hazards grow by a share.
    """
    rows = read_moves(read_history(panel), EXOGENOUS).chosen
    citizen, form, begin, end = windows(study, world, rows)
    tenures, tenure = world.tenures, world.beliefs.tenure[form]
    last = np.append(tenures.citizen[1:] != tenures.citizen[:-1], True)
    until = np.where(last, cal.NEVER, np.append(tenures.start[1:], cal.NEVER))[tenure]
    hazard = job_hazard(world, segments)
    own = hazard.between(citizen, begin, np.clip(until, begin, end))
    survival = np.exp(-hazard.between(citizen, begin, end))
    return float(np.mean(survival * own) * world.dials.optimism_effect)


def true_shift(study, panel, world, segments):
    """What the change does to those who change, less what later changes do to those compared with."""
    anchors = build_anchors(read_history(panel), wanted=EXOGENOUS)
    citizen, _, begin, end = windows(study, world, anchors)
    actual, none, all_ = (
        chance(job_hazard(world, segments, shifted=shifted), citizen, begin, end)
        for shifted in (None, False, True)
    )
    changed = anchors["group"].notna().to_numpy()
    return float((all_ - none)[changed].mean() - (actual - none)[~changed].mean())


def pooled(found):
    """Mean error of several studies in standard errors of that mean."""
    estimate, error, truth = np.array(found).T
    return (estimate - truth).sum() / np.sqrt((error**2).sum())


def test_the_contrast_of_movers_and_the_shift_are_found(monkeypatch):
    slopes, shifts = [], []
    for seed in range(200, 205):
        made = simulate(monkeypatch, seed, optimism_effect=0.5)
        fit = switch_event_study(made[1], outcome="outcome", reasons="exogenous", window=(-1, 0))
        found = fit.statistics
        slopes.append((found["mover_slope"], found["mover_se"], true_slope(*made)))
        shifts.append((found["shift_contrast"], found["shift_contrast_se"], true_shift(*made)))
    assert abs(pooled(slopes)) < 3
    assert abs(pooled(shifts)) < 3
    # and neither is nothing
    assert pooled([(b, s, 0.0) for b, s, _ in slopes]) > 2
    assert pooled([(b, s, 0.0) for b, s, _ in shifts]) < -2


def test_a_shift_for_all_does_not_leak_into_the_contrast(monkeypatch):
    slopes, shifts = [], []
    for seed in range(300, 304):
        _, panel, _, _ = simulate(monkeypatch, seed, optimism_effect=0.0, shift_effect=-1.5)
        fit = switch_event_study(panel, outcome="outcome", reasons="exogenous", window=(-1, 0))
        slopes.append((fit.statistics["mover_slope"], fit.statistics["mover_se"], 0.0))
        shifts.append((fit.statistics["shift_contrast"], fit.statistics["shift_contrast_se"], 0.0))
    assert abs(pooled(slopes)) < 3
    assert pooled(shifts) < -5


def test_sorted_citizens_are_found_out(monkeypatch):
    status = []
    for seed in range(3):
        _, panel, _, _ = simulate(monkeypatch, seed, optimism_effect=0.0, sorting=0.5)
        checks = mover_contrast(panel).diagnostics["checks"].set_index("assumption")
        status.append(checks.loc["conditional_random_reassignment", "status"])
    assert status == ["fails"] * 3


def test_belief_follows_the_new_caseworker(bip_panel):
    fit = switch_event_study(bip_panel, direction="up_down", reasons="exogenous", window=(-2, 1))
    limits = fit.conf_int()
    assert limits.loc["up[0]", "conf_low"] > 0.1
    assert limits.loc["down[0]", "conf_high"] < -0.1
    leads = ["up[-2]", "down[-2]"]
    assert (fit.params[leads].abs() < 3 * fit.std_errors[leads]).all()


@pytest.mark.parametrize("outcome", ["belief", "outcome"])
def test_a_study_of_full_size_is_quick(bip_panel, outcome):
    import time

    start = time.process_time()
    switch_event_study(bip_panel, outcome=outcome, direction="up_down")
    assert time.process_time() - start < 3
