"""Published numbers: those that are, and those that only look like it."""

import pytest

from jobchance.errors import SpecError
from jobchance.labels.published import published_value, published_values

STATUSES = {"verified", "arithmetic", "inferred", "placeholder"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("p_job_1y", 0.06),
        ("p_job_1y_belief_low", 0.01),
        ("p_job_1y_belief_high", 0.27),
        ("p_job_tercile_low", 0.053),
        ("p_job_tercile_high", 0.07),
        ("p_any_shift", 0.4),
        ("rr_shift", 0.78),
        ("p_jobedu_cw_worst", 0.07),
        ("p_jobedu_cw_best", 0.23),
        ("belief_share_top", 0.06),
        ("belief_share_second", 0.2),
        ("belief_share_lowest_two", 0.5),
        ("share_time_job_edu_5y", 0.14),
        ("p_no_intervention", 0.25),
    ],
)
def test_verified_numbers(key, value):
    number = published_value(key)
    assert number.value == value
    assert number.status == "verified"
    assert number.source_key
    assert not number.is_own_calculation


def test_calculations_are_marked():
    assert published_value("mean_waves_per_client").is_own_calculation
    assert published_value("mean_waves_per_client").value == pytest.approx(15818 / 5512, abs=0.005)


@pytest.mark.parametrize(
    "key", ["p_job_tercile_middle", "belief_share_1", "p_job_1y_belief_3", "scale_categories"]
)
def test_what_was_not_published_is_refused(key):
    assert key in published_values()
    with pytest.raises(SpecError, match="not published"):
        published_value(key)


def test_a_horizon_that_no_source_states_is_unknown():
    assert published_value("p_job_1y_belief_high").horizon_weeks == 52
    assert published_value("p_job_tercile_high").horizon_weeks is None
    assert published_value("rr_shift").horizon_weeks is None


def test_unknown_key_has_a_hint():
    with pytest.raises(SpecError, match="Did you mean 'p_any_shift'"):
        published_value("p_any_shifts")


def test_the_file_is_whole():
    numbers = published_values().values()
    assert len(numbers) > 50
    assert {number.status for number in numbers} <= STATUSES
    assert all(number.source_key for number in numbers if number.status in ("verified", "arithmetic"))
    assert all(0 <= number.value <= 1 for number in numbers if number.unit == "share")
    shares = [published_values()[f"belief_share_{step}"].value for step in range(1, 6)]
    assert sum(shares) == pytest.approx(1)
