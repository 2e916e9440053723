"""Cumulative incidence against hand calculation, Greenwood, statsmodels and its own identities."""

from __future__ import annotations

import numpy as np
import pytest

from jobchance.numerics.survival import cumulative_incidence, incidence_gap, pooled_steps


def _simulated(n: int = 400, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    event = rng.geometric(0.02, n) - 1
    censor = rng.integers(5, 60, n)
    weeks = np.minimum(event, np.minimum(censor, 52))
    return weeks, (event <= np.minimum(censor, 51)).astype(int)


def test_equals_the_plain_share_without_censoring() -> None:
    rng = np.random.default_rng(1)
    event = rng.geometric(0.02, 500) - 1
    weeks = np.minimum(event, 52)
    curve = cumulative_incidence(weeks, (event < 52).astype(int), horizon_weeks=52)
    assert curve.incidence[-1] == pytest.approx((event < 52).mean(), abs=1e-12)
    assert curve.incidence[9] == pytest.approx((event < 10).mean(), abs=1e-12)
    share = curve.incidence[-1]
    assert curve.std_error[-1] == pytest.approx(np.sqrt(share * (1 - share) / 500), rel=1e-10)


def test_textbook_kaplan_meier_with_ties() -> None:
    # Freireich's 6-MP arm (21 patients, weeks in remission): S(6) = 0.857, S(10) = 0.753, S(23) = 0.448.
    weeks = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    cause = [1] * 9 + [0] * 12
    curve = cumulative_incidence(weeks, cause, horizon_weeks=36)
    survival = 1 - curve.incidence
    assert survival[[6, 10, 23]] == pytest.approx([0.8571, 0.7529, 0.4482], abs=5e-5)
    assert curve.std_error[[6, 10, 23]] == pytest.approx([0.0764, 0.0963, 0.1346], abs=5e-5)
    assert curve.at_risk[[6, 10, 23]].tolist() == [21, 15, 6]
    # R's survfit(conf.type = "log-log") at week 23: 0.188 to 0.680 for survival
    assert 1 - curve.conf_high[23] == pytest.approx(0.188, abs=1e-3)
    assert 1 - curve.conf_low[23] == pytest.approx(0.680, abs=1e-3)


def test_infinitesimal_jackknife_is_greenwood_when_rows_are_independent() -> None:
    weeks, event = _simulated()
    curve = cumulative_incidence(weeks, event, horizon_weeks=52)
    d, Y = curve.events, curve.at_risk
    greenwood = (1 - curve.incidence) * np.sqrt(np.cumsum(d / (Y * (Y - d))))
    assert curve.std_error == pytest.approx(greenwood, rel=1e-9)


def test_agrees_with_statsmodels_on_both_estimators() -> None:
    from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

    weeks, event = _simulated()
    reference = SurvfuncRight(weeks, event)
    curve = cumulative_incidence(weeks, event, horizon_weeks=52)
    at = reference.surv_times.astype(int)
    assert 1 - curve.incidence[at] == pytest.approx(reference.surv_prob, rel=1e-10)
    assert curve.std_error[at] == pytest.approx(reference.surv_prob_se, rel=1e-8)

    cause = np.where((event == 1) & (np.arange(len(event)) % 3 == 0), 2, event)
    competing = CumIncidenceRight(weeks, cause)
    curve = cumulative_incidence(weeks, cause, horizon_weeks=52)
    within = competing.times < 52
    at = competing.times[within].astype(int)
    assert curve.incidence[at] == pytest.approx(competing.cinc[0][within], rel=1e-10)


def test_causes_and_survivors_add_up() -> None:
    weeks, event = _simulated()
    cause = np.where(np.arange(len(event)) % 2 == 0, event, 2 * event)
    one = cumulative_incidence(weeks, cause, horizon_weeks=52)
    two = cumulative_incidence(weeks, np.where(cause > 0, 3 - cause, 0), horizon_weeks=52)
    every = cumulative_incidence(weeks, event, horizon_weeks=52)
    assert one.incidence + two.incidence == pytest.approx(every.incidence, abs=1e-12)
    assert (one.events + one.competing).tolist() == every.events.tolist()


def test_standard_error_with_competing_causes_matches_the_bootstrap() -> None:
    weeks, event = _simulated(n=300)
    cause = np.where(np.arange(300) % 2 == 0, event, 2 * event)
    curve = cumulative_incidence(weeks, cause, horizon_weeks=52)
    rng = np.random.default_rng(7)
    draws = []
    for _ in range(400):
        pick = rng.integers(0, 300, 300)
        draws.append(cumulative_incidence(weeks[pick], cause[pick], horizon_weeks=52).incidence[-1])
    assert curve.std_error[-1] == pytest.approx(np.std(draws), rel=0.12)


def test_duplicated_rows_need_the_cluster_to_stay_honest() -> None:
    weeks, event = _simulated(n=200)
    single = cumulative_incidence(weeks, event, horizon_weeks=52)
    twice = cumulative_incidence(
        np.tile(weeks, 2), np.tile(event, 2), horizon_weeks=52, cluster=np.tile(np.arange(200), 2)
    )
    assert twice.std_error == pytest.approx(single.std_error * np.sqrt(200 / 199), rel=1e-9)


def test_gap_of_two_curves_keeps_the_dependence_within_clusters() -> None:
    weeks, event = _simulated(n=400)
    upper = np.arange(400) % 3 == 0
    gap = incidence_gap(weeks, event, upper=upper, horizon_weeks=52)
    high = cumulative_incidence(weeks[upper], event[upper], horizon_weeks=52)
    low = cumulative_incidence(weeks[~upper], event[~upper], horizon_weeks=52)
    assert gap.gap == pytest.approx(high.incidence - low.incidence, abs=1e-12)
    assert gap.std_error == pytest.approx(np.hypot(high.std_error, low.std_error), rel=1e-9)

    # the same person on both sides: nothing is uncertain about a difference of zero
    both = np.repeat([True, False], 400)
    same = incidence_gap(
        np.tile(weeks, 2),
        np.tile(event, 2),
        upper=both,
        horizon_weeks=52,
        cluster=np.tile(np.arange(400), 2),
    )
    assert same.gap == pytest.approx(np.zeros(52), abs=1e-12)
    assert same.std_error == pytest.approx(np.zeros(52), abs=1e-12)


def test_row_order_does_not_matter() -> None:
    weeks, event = _simulated()
    order = np.random.default_rng(5).permutation(len(weeks))
    first = cumulative_incidence(weeks, event, horizon_weeks=52)
    again = cumulative_incidence(weeks[order], event[order], horizon_weeks=52)
    assert again.std_error == pytest.approx(first.std_error, rel=1e-10)


@pytest.mark.parametrize(
    ("weeks", "cause"), [([], []), ([1, 2], [1]), ([-1, 2], [1, 0])], ids=["empty", "lengths", "negative"]
)
def test_refuses_what_it_cannot_count(weeks: list[int], cause: list[int]) -> None:
    with pytest.raises(ValueError, match="weeks"):
        cumulative_incidence(weeks, cause, horizon_weeks=3)


def test_no_event_gives_zero_without_limits() -> None:
    curve = cumulative_incidence([3, 3, 3], [0, 0, 0], horizon_weeks=3)
    assert curve.incidence.tolist() == [0, 0, 0]
    assert np.isnan(curve.conf_high).all()


def test_every_step_holds_enough_events_and_the_last_week_is_shown() -> None:
    events = np.random.default_rng(2).poisson(1.3, 52)
    knots = pooled_steps(events, minimum=5)
    inside = np.add.reduceat(events, np.concatenate([[0], knots[:-1] + 1]))
    assert (inside >= 5).all()
    assert inside.sum() == events.sum()
    assert knots[-1] == 51
    assert len(pooled_steps([1, 1, 1], minimum=5)) == 0
