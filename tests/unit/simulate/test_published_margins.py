"""The margins of a study small enough to count by hand, and of studies too small for some."""

from dataclasses import replace
from time import perf_counter

import pandas as pd
import pytest

from jobchance.errors import SpecError
from jobchance.simulate.bip import simulate_study
from jobchance.simulate.margins import published_margins


def dates(*texts):
    return pd.to_datetime(pd.Series(texts))


@pytest.fixture
def by_hand():
    """Three citizens: a finds a job in time, b a day too late, c dies before the year ends."""
    study = simulate_study(seed=1, n_citizens=3, n_jobcentres=1, n_caseworkers=2)
    people = ["a", "b", "c"]
    tables = dict(study.tables)
    tables["citizen"] = tables["citizen"].assign(citizen_id=people)
    tables["caseworker"] = tables["caseworker"].assign(caseworker_id=["x", "y"])
    tables["measurement"] = pd.DataFrame(
        {
            "measurement_id": ["m1", "m2", "m3", "m4"],
            "citizen_id": ["a", "b", "c", "b"],
            # a Monday: the window starts a week later, on 2014-01-13
            "date": dates("2014-01-06", "2014-01-06", "2014-01-06", "2014-04-07"),
            "wave": [1, 1, 1, 2],
            "respondent": "caseworker",
            "caseworker_id": ["x", "x", "y", "y"],
        }
    )
    tables["rating"] = pd.DataFrame(
        {
            "measurement_id": ["m1", "m2", "m3", "m4"],
            "item_id": "belief_job",
            "value": [5.0, 1.0, None, 2.0],
            "missing_reason": [None, None, "dont_know", None],
        }
    )
    tables["assignment"] = pd.DataFrame(
        {
            "citizen_id": ["a", "b", "b", "c"],
            "caseworker_id": ["x", "x", "y", "y"],
            "start": dates("2014-01-01", "2014-01-01", "2014-04-01", "2014-01-01"),
            "role": "lead",
        }
    )
    tables["outcome"] = pd.DataFrame(
        {
            "citizen_id": ["a", "b", "c"],
            "outcome": "job",
            "window_start": dates("2014-01-01", "2014-01-01", "2014-01-01"),
            "window_end": dates("2015-01-11", "2015-03-01", "2014-06-01"),
            "value": [1, 1, 0],
            # the last day of a's window is 2015-01-11; b's job begins the day after
            "event_date": dates("2014-12-31", "2015-01-12", None),
            "event_end": dates("2015-01-11", None, None),
        }
    )
    tables["follow_up"] = pd.DataFrame(
        {"citizen_id": people, "observed_to": dates("2017-12-31", "2017-12-31", "2014-06-01")}
    )
    return replace(study, tables=tables)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("p_job_1y", 1 / 2),  # a yes, b a day late, c unknown
        ("p_job_1y_belief_high", 1.0),
        ("p_job_1y_belief_low", 0.0),
        ("p_job_1y_all_waves", 2 / 3),  # b's second year holds the job
        ("p_job_1y_belief_lowest_two_all_waves", 1 / 2),
        ("belief_share_top", 1 / 2),  # of answers 1-5; "don't know" apart
        ("belief_share_lowest_two_all_waves", 2 / 3),
        ("p_any_shift", 1 / 3),
        ("rr_shift", 2.0),  # after: 1 of 1; before or never: 1 of 2
        ("mean_waves_per_client", 4 / 3),
        ("n_relationships", 4),
    ],
)
def test_margins_counted_by_hand(by_hand, key, value):
    margins = published_margins(by_hand).set_index("key")["achieved"]
    assert margins[key] == pytest.approx(value)


def test_too_few_caseworkers_leave_the_spread_open(by_hand):
    margins = published_margins(by_hand).set_index("key")["achieved"]
    assert margins[["p_jobedu_cw_worst", "p_jobedu_cw_best"]].isna().all()


@pytest.mark.parametrize("n_citizens", [1, 2, 10])
def test_tiny_studies_have_margins_or_none(n_citizens):
    margins = published_margins(simulate_study(seed=2, n_citizens=n_citizens))
    assert margins["key"].is_unique
    assert margins.set_index("key").loc["n_citizens", "achieved"] == n_citizens


def test_absent_tables_are_named(by_hand):
    tables = {name: table for name, table in by_hand.tables.items() if name not in ("outcome", "follow_up")}
    with pytest.raises(SpecError, match="follow_up, outcome"):
        published_margins(replace(by_hand, tables=tables))


def test_four_thousand_citizens_take_less_than_three_seconds():
    times = []
    for seed in (1, 2):
        begin = perf_counter()
        simulate_study(seed=seed)
        times.append(perf_counter() - begin)
    assert min(times) < 3
