"""Person-period rows: clock, answers in force, events, and what is not known to its end."""

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import DesignError, FormulaError, SpecError
from jobchance.identification.person_periods import person_periods

START = pd.Timestamp("2014-01-06")  # a Monday


def _panel(*measurements):
    """Panel rows from (citizen, week of the window start, weeks known, seen, complete, belief)."""
    records = [
        {
            "citizen_id": citizen,
            "caseworker_id": f"S{week}",
            "date": START + pd.Timedelta(weeks=week) - pd.Timedelta(days=3),
            "belief": belief,
            "outcome": np.nan if not complete else float(seen),
            "weeks_to_outcome": weeks,
            "censored": not complete,
            "event_observed": seen,
            "window_start": START + pd.Timedelta(weeks=week),
        }
        for citizen, week, weeks, seen, complete, belief in measurements
    ]
    return pd.DataFrame(records)


def _of(rows, citizen):
    return rows[rows["citizen_id"] == citizen]


def _ending(rows):
    """Why the rows of one citizen end; it stands in the last row alone."""
    assert rows["ending"].notna().tolist() == [False] * (len(rows) - 1) + [True]
    return rows["ending"].iloc[-1]


def test_each_answer_stands_until_the_next_and_the_last_until_the_horizon():
    rows = person_periods(_panel(("a", 0, 52, False, True, 2.0), ("a", 14, 52, False, True, 4.0)))
    assert rows["quarter"].tolist() == [0, 1, 2, 3, 4]
    assert rows["weeks"].tolist() == [14, 13, 13, 13, 13]
    assert rows["belief"].tolist() == [2, 4, 4, 4, 4]
    assert rows["weeks_since_answer"].tolist() == [0, 0, 13, 26, 39]
    assert rows["event"].sum() == 0
    assert _ending(rows) == "horizon"
    assert not {"outcome", "weeks_to_outcome", "window_start"} & set(rows.columns)


def test_the_event_ends_the_rows_whichever_window_saw_it():
    quiet = ("z", 0, 52, False, True, 3.0)
    rows = person_periods(
        _panel(
            ("a", 0, 30, True, True, 2.0), ("a", 12, 18, True, True, 3.0), ("b", 0, 0, True, True, 1.0), quiet
        )
    )
    a, b = _of(rows, "a"), _of(rows, "b")
    # week 30 is in the second period after week 12: [25, 38)
    assert a["event"].tolist() == [0, 0, 1]
    assert a["belief"].tolist() == [2, 3, 3]
    assert _ending(a) == "event"
    assert b["event"].tolist() == [1]


def test_an_event_on_the_border_belongs_to_the_later_period():
    rows = person_periods(_panel(("a", 0, 13, True, True, 2.0), ("z", 0, 52, False, True, 3.0)))
    assert _of(rows, "a")["event"].tolist() == [0, 1]


def test_a_measurement_after_the_first_event_is_not_used():
    rows = person_periods(
        _panel(("a", 0, 5, True, True, 2.0), ("a", 26, 52, False, True, 5.0), ("z", 0, 52, False, True, 3.0))
    )
    assert _of(rows, "a")["event"].tolist() == [1]


def test_an_incomplete_period_is_absent_and_named_lost():
    rows = person_periods(_panel(("a", 0, 30, False, False, 2.0), ("z", 0, 52, False, True, 3.0)))
    a = _of(rows, "a")
    assert a["quarter"].tolist() == [0, 1]
    assert _ending(a) == "lost"


def test_the_end_of_the_data_cuts_events_and_others_alike():
    """Data end in week 46; a period that reaches beyond is absent for the event in week 44 too."""
    rows = person_periods(_panel(("a", 0, 44, True, False, 2.0), ("z", 0, 46, False, False, 3.0)))
    assert _of(rows, "a")["event"].tolist() == [0, 0, 0]
    assert _of(rows, "z")["event"].tolist() == [0, 0, 0]
    assert rows["ending"].dropna().tolist() == ["data_end", "data_end"]
    assert rows.attrs["left_out"]["events_in_incomplete_periods"] == 1


def test_weeks_that_no_window_covers_are_a_gap_in_the_count():
    rows = person_periods(_panel(("a", 0, 26, False, True, 2.0), ("a", 52, 26, False, True, 4.0)))
    assert rows["quarter"].tolist() == [0, 1, 4, 5]
    assert rows["belief"].tolist() == [2, 2, 4, 4]


def test_an_event_without_a_date_ends_what_is_known():
    rows = person_periods(
        _panel(
            ("a", 0, 52, False, True, 2.0), ("a", 13, np.nan, True, True, 4.0), ("z", 0, 52, False, True, 3.0)
        )
    )
    assert _of(rows, "a")["quarter"].tolist() == [0]
    assert rows.attrs["left_out"]["citizens_with_an_undated_event"] == 1


def test_rows_tile_the_time_at_risk_of_the_simulated_study(bip_panel):
    rows = person_periods(bip_panel)
    frame = bip_panel.frame
    first = frame.groupby("citizen_id")["window_start"].transform("min")
    week = (frame["window_start"] - first).dt.days / 7 + frame["weeks_to_outcome"]
    event_week = week[frame["event_observed"]].groupby(frame["citizen_id"]).min()
    assert rows["event"].sum() + rows.attrs["left_out"]["events_in_incomplete_periods"] == len(event_week)
    end = rows.groupby("citizen_id")["weeks"].cumsum()
    events = rows[rows["event"] == 1].set_index("citizen_id")
    expected = event_week[events.index].to_numpy()
    assert (end[rows["event"] == 1].to_numpy() > expected).all()
    assert (end[rows["event"] == 1].to_numpy() - events["weeks"].to_numpy() <= expected).all()
    assert (rows.groupby("citizen_id")["quarter"].diff().dropna() == 1).all()
    assert rows.groupby("citizen_id")["ending"].count().eq(1).all()
    shuffled = person_periods(frame.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(shuffled, person_periods(frame))


def test_refusals(bip_panel):
    with pytest.raises(SpecError, match="period_weeks"):
        person_periods(bip_panel, period_weeks=0)
    with pytest.raises(FormulaError, match="window_start"):
        person_periods(bip_panel.frame.drop(columns="window_start"))
    with pytest.raises(DesignError, match="periods already"):
        person_periods(person_periods(bip_panel))
    with pytest.raises(DesignError, match="1 rows repeat the date"):
        person_periods(pd.concat([bip_panel.frame, bip_panel.frame.head(1)]))
    with pytest.raises(DesignError, match="No period of 60 weeks"):
        person_periods(_panel(("a", 0, 52, False, True, 2.0)), period_weeks=60)
