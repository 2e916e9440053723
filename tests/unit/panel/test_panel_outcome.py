"""Outcomes of panels, worked out by hand day by day."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import DesignError, SchemaError, SpecError
from jobchance.panel.build import build_panel
from jobchance.panel.evidence import first_monday_after
from jobchance.study.model import Analysis

MEASURED = "2014-03-05"  # a Wednesday; the window starts on Monday 2014-03-10
NOTHING = {"citizen_id": "a", "window_start": "2013-01-01", "window_end": "2016-01-01", "value": 0}


def job(start, end, *, ended=True, opened="2013-01-01", citizen="a"):
    """A window that a job spell closes."""
    return {
        "citizen_id": citizen,
        "window_start": opened,
        "window_end": end,
        "value": 1,
        "event_date": start,
        "event_end": end if ended else None,
    }


def after(start, *, until="2016-01-01", citizen="a"):
    return {"citizen_id": citizen, "window_start": start, "window_end": until, "value": 0}


def only_row(study, **options):
    frame = build_panel(study, **options).frame
    assert len(frame) == 1
    return frame.iloc[0]


@pytest.mark.parametrize("day", pd.date_range("2014-03-03", "2014-03-09").strftime("%Y-%m-%d"))
def test_window_starts_the_first_monday_after_any_weekday(make_study, day):
    row = only_row(make_study([{"citizen_id": "a", "date": day}], [NOTHING]))
    assert row["window_start"] == pd.Timestamp("2014-03-10")


def test_first_monday_after_a_monday_is_a_week_later_also_before_1970():
    days = np.array(["2014-03-10", "1969-12-29", "1970-01-04"], dtype="datetime64[D]").astype(np.int64)
    found = first_monday_after(days).astype("datetime64[D]").astype(str)
    assert found.tolist() == ["2014-03-17", "1970-01-05", "1970-01-05"]


@pytest.mark.parametrize(
    ("start", "end", "outcome", "weeks"),
    [
        ("2014-03-10", "2014-04-01", 1, 0),  # first day of the window
        ("2014-03-16", "2014-04-01", 1, 0),  # Sunday of the first week
        ("2014-03-17", "2014-04-01", 1, 1),
        ("2014-03-06", "2014-03-11", 1, 0),  # began before the window, lasts into it
        ("2014-03-06", "2014-03-10", 0, 4),  # ended the day the window starts: half-open
        ("2014-04-06", "2014-05-01", 1, 3),  # last day of a window of four weeks
        ("2014-04-07", "2014-05-01", 0, 4),  # the day after
    ],
)
def test_events_at_the_edges_of_the_window(make_study, start, end, outcome, weeks):
    study = make_study([{"citizen_id": "a", "date": MEASURED}], [job(start, end), after(end)])
    row = only_row(study, horizon_weeks=4)
    assert (row["outcome"], row["weeks_to_outcome"], row["censored"]) == (outcome, weeks, False)


def test_first_of_two_spells_counts_and_a_spell_before_the_measurement_does_not(make_study):
    windows = [
        job("2013-02-01", "2013-09-01"),
        job("2014-05-05", "2014-06-01", opened="2013-09-01"),
        job("2014-08-01", "2014-09-01", opened="2014-06-01"),
        after("2014-09-01"),
    ]
    row = only_row(make_study([{"citizen_id": "a", "date": MEASURED}], windows))
    assert (row["outcome"], row["weeks_to_outcome"]) == (1, 8)


def test_at_risk_drops_rows_in_the_state_and_all_keeps_them(make_study):
    windows = [job("2014-03-05", "2014-03-20"), after("2014-03-20")]
    study = make_study(
        [{"citizen_id": "a", "date": MEASURED}, {"citizen_id": "a", "date": "2014-06-04", "wave": 2}], windows
    )
    panel = build_panel(study, horizon_weeks=4)
    assert panel.frame["wave"].tolist() == [2]
    step = panel.flow.set_index("step").loc["at_risk"]
    assert (step["n_rows"], step["n_citizens"], step["reason"]) == (1, 1, "at_risk_not_in_job")
    everyone = build_panel(study, horizon_weeks=4, at_risk="all").frame
    assert everyone["outcome"].tolist() == [1, 0]
    assert everyone["weeks_to_outcome"].tolist() == [0, 4]


def test_state_that_ended_on_the_measurement_day_is_at_risk(make_study):
    study = make_study(
        [{"citizen_id": "a", "date": MEASURED}], [job("2014-01-01", MEASURED), after(MEASURED)]
    )
    assert only_row(study)["outcome"] == 0


def test_an_event_that_has_not_ended_lasts_to_the_end_of_its_window(make_study):
    study = make_study(
        [{"citizen_id": "a", "date": MEASURED}, {"citizen_id": "a", "date": "2014-09-03", "wave": 2}],
        [job("2014-05-05", "2016-01-01", ended=False)],
    )
    panel = build_panel(study)
    assert panel.frame["wave"].tolist() == [1]
    assert build_panel(study, at_risk="all").frame["outcome"].tolist() == [1, 1]


def test_incomplete_window_without_event_is_unknown_never_zero(make_study):
    forms = [{"citizen_id": "a", "date": MEASURED}, {"citizen_id": "b", "date": "2013-03-06"}]
    windows = [
        {"citizen_id": "a", "window_start": "2013-01-01", "window_end": "2015-03-08", "value": 0},
        {"citizen_id": "b", "window_start": "2013-01-01", "window_end": "2015-03-08", "value": 0},
    ]
    frame = build_panel(make_study(forms, windows)).frame.set_index("citizen_id")
    assert np.isnan(frame.loc["a", "outcome"])
    assert frame.loc["a", "censored"]
    assert frame.loc["a", "weeks_to_outcome"] == 51
    assert frame.loc["b", "outcome"] == 0
    assert frame.loc["b", "weeks_to_outcome"] == 52


@pytest.mark.parametrize(("through", "outcome"), [("2015-03-07", np.nan), ("2015-03-08", 1.0)])
def test_data_that_end_inside_the_window_hide_events_and_non_events_alike(make_study, through, outcome):
    """Counting only events of incomplete windows would make every share too high."""
    forms = [{"citizen_id": "a", "date": MEASURED}, {"citizen_id": "b", "date": "2013-03-06"}]
    windows = [job("2014-05-05", "2014-06-01"), after("2014-06-01"), {**NOTHING, "citizen_id": "b"}]
    study = make_study(forms, windows, data_through=date.fromisoformat(through))
    row = build_panel(study).frame.set_index("citizen_id").loc["a"]
    np.testing.assert_equal(row["outcome"], outcome)
    assert row["censored"] == np.isnan(outcome)
    assert row["event_observed"]
    assert row["weeks_to_outcome"] == 8


def test_an_earlier_outcome_extract_ends_the_data(make_study):
    forms = [{"citizen_id": "a", "date": MEASURED}, {"citizen_id": "a", "date": "2013-03-06", "wave": 0}]
    extract = pd.DataFrame(
        {"table_name": ["outcome", "rating"], "data_through": ["2015-01-01", "2013-05-01"]}
    )
    frame = build_panel(make_study(forms, [NOTHING], extract=extract)).frame
    assert frame["censored"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("reason", "outcome"), [("death", 1.0), ("pension", 1.0), ("end_of_data", np.nan), (None, np.nan)]
)
def test_who_leaves_after_an_event_keeps_it_unless_the_data_ended(make_study, reason, outcome):
    forms = [{"citizen_id": c, "date": MEASURED} for c in "abc"]
    windows = [job("2014-05-05", "2014-06-01"), after("2014-06-01", until="2014-08-04")]
    windows += [after("2013-01-01", until="2014-08-04", citizen="b"), after("2013-01-01", citizen="c")]
    follow_up = [
        {
            "citizen_id": c,
            "observed_from": "2013-01-01",
            "observed_to": "2016-01-01" if c == "c" else "2014-08-04",
            "exit_reason": "end_of_data" if c == "c" else reason,
        }
        for c in "abc"
    ]
    panel = build_panel(make_study(forms, windows, follow_up=follow_up))
    frame = panel.frame.set_index("citizen_id")
    np.testing.assert_equal(frame["outcome"].tolist(), [outcome, np.nan, 0.0])
    assert frame["weeks_to_outcome"].tolist() == [8, 21, 52]
    unknown = "left_follow_up" if outcome == 1 else "end_of_data"
    assert set(panel.meta["n_censored_by_reason"]) == {unknown}


def test_a_gap_before_the_event_leaves_the_outcome_unknown(make_study):
    forms = [{"citizen_id": c, "date": MEASURED} for c in "ab"]
    windows = [
        {**NOTHING, "window_end": "2014-04-01"},
        job("2014-09-01", "2014-10-01", opened="2014-08-01"),
        after("2014-10-01"),
        after("2013-01-01", citizen="b"),
    ]
    row = build_panel(make_study(forms, windows)).frame.set_index("citizen_id").loc["a"]
    assert np.isnan(row["outcome"])
    assert not row["event_observed"]
    assert row["weeks_to_outcome"] == 3


def test_a_citizen_without_outcome_information_is_unknown(make_study):
    study = make_study([{"citizen_id": c, "date": MEASURED} for c in "ab"], [NOTHING])
    panel = build_panel(study)
    assert panel.frame["censored"].tolist() == [False, True]
    assert panel.frame["weeks_to_outcome"].tolist() == [52, 0]
    assert panel.meta["n_censored_by_reason"] == {"no_information": 1}
    assert panel.meta["n_state_unknown"] == 1


def test_linked_windows_speak_of_their_own_wave_and_set_the_start(make_study):
    forms = [
        {"citizen_id": "a", "date": MEASURED, "measurement_id": "m1"},
        {"citizen_id": "a", "date": "2014-06-04", "wave": 2, "measurement_id": "m2"},
    ]
    linked = [
        {"citizen_id": "a", "window_start": "2014-03-06", "window_end": "2015-03-05", "value": 0}
        | {"measurement_id": "m1", "event_date": None},
        {"citizen_id": "a", "window_start": "2014-06-05", "window_end": "2015-06-04", "value": 1}
        | {"measurement_id": "m2", "event_date": "2015-03-20"},
    ]
    frame = build_panel(make_study(forms, linked)).frame
    assert frame["outcome"].tolist() == [0, 1]
    assert frame["window_start"].tolist() == [pd.Timestamp("2014-03-06"), pd.Timestamp("2014-06-05")]
    assert frame["weeks_to_outcome"].tolist() == [52, 41]


def test_short_linked_windows_hide_events_and_non_events_alike(make_study):
    forms = [{"citizen_id": c, "date": MEASURED, "measurement_id": f"m{c}"} for c in "abc"]
    window = {"window_start": "2014-03-10", "window_end": "2014-09-08", "event_date": None}
    linked = [
        {**window, "citizen_id": "a", "measurement_id": "ma", "value": 0},
        {**window, "citizen_id": "b", "measurement_id": "mb", "value": 1, "event_date": "2014-05-05"},
        {**window, "citizen_id": "c", "measurement_id": "mc", "value": 0, "window_end": "2015-03-09"},
    ]
    frame = build_panel(make_study(forms, linked)).frame
    np.testing.assert_equal(frame["outcome"].tolist(), [np.nan, np.nan, 0.0])
    assert build_panel(make_study(forms, linked), horizon_weeks=26).frame["outcome"].tolist() == [0, 1, 0]


def test_a_window_that_its_event_closed_is_not_short(make_study):
    forms = [{"citizen_id": c, "date": MEASURED, "measurement_id": f"m{c}"} for c in "ab"]
    linked = [
        {"citizen_id": "a", "window_start": "2014-03-10", "window_end": "2014-05-06", "value": 1}
        | {"measurement_id": "ma", "event_date": "2014-05-05"},
        {"citizen_id": "b", "window_start": "2014-03-10", "window_end": "2015-03-09", "value": 0}
        | {"measurement_id": "mb", "event_date": None},
    ]
    assert build_panel(make_study(forms, linked)).frame["outcome"].tolist() == [1, 0]


def test_linked_window_on_the_measurement_day_breaks_c11(make_study):
    forms = [{"citizen_id": "a", "date": MEASURED, "measurement_id": "m1"}]
    linked = [{**NOTHING, "window_start": MEASURED, "measurement_id": "m1"}]
    with pytest.raises(SchemaError, match="C11: 1 outcome window"):
        build_panel(make_study(forms, linked))


def status_study(make_study, **change):
    """Status at follow-up: one window per citizen, no dates of events."""
    forms = [{"citizen_id": c, "date": MEASURED} for c in "abcd"]
    window = {"window_start": "2014-03-06", "window_end": "2014-09-05"}  # 183 days: 26 full weeks
    windows = [
        {**window, **change, "citizen_id": c, "value": v} for c, v in zip("abcd", [0, 1, 1, 0], strict=True)
    ]
    return make_study(forms, windows, data_through=date(2015, 12, 31))


def test_status_at_follow_up_at_its_own_horizon(make_study):
    frame = build_panel(status_study(make_study), horizon_weeks=26).frame
    assert frame["outcome"].tolist() == [0, 1, 1, 0]
    np.testing.assert_equal(frame["weeks_to_outcome"].tolist(), [26, np.nan, np.nan, 26])
    assert frame["window_start"].unique().tolist() == [pd.Timestamp("2014-03-06")]


def test_status_at_follow_up_refuses_a_shorter_horizon_and_says_which_fits(make_study):
    with pytest.raises(SpecError, match=r"2 rows have an event without a date.*support: 26"):
        build_panel(status_study(make_study), horizon_weeks=13)


def test_status_at_follow_up_refuses_a_longer_horizon_and_says_which_fits(make_study):
    with pytest.raises(SpecError, match=r"no row has a complete window.*26 full weeks"):
        build_panel(status_study(make_study), horizon_weeks=52)


def test_status_window_that_began_before_the_measurement_cannot_be_placed(make_study):
    study = status_study(make_study, window_start="2014-03-01")
    with pytest.raises(SpecError, match="only partly inside"):
        build_panel(study, horizon_weeks=26)


def test_own_outcome_codes_are_found_and_unknown_ones_listed(make_study):
    study = make_study([{"citizen_id": "a", "date": MEASURED}], [{**NOTHING, "outcome": "flexjob"}])
    assert build_panel(study, outcome="flexjob").meta["outcome"] == "flexjob"
    with pytest.raises(SpecError, match="Allowed: flexjob"):
        build_panel(study)
    with pytest.raises(SpecError, match="no outcome table"):
        build_panel(make_study([{"citizen_id": "a", "date": MEASURED}], None))


@pytest.mark.parametrize("weeks", [0, -1, 2.5, True, "52", 10**6])
def test_horizon_must_be_a_whole_number_of_weeks(make_study, weeks):
    study = make_study([{"citizen_id": "a", "date": MEASURED}], [NOTHING])
    with pytest.raises(SpecError, match="whole number of weeks"):
        build_panel(study, horizon_weeks=weeks)


def test_defaults_come_from_the_study(make_study):
    analysis = Analysis(horizon_weeks=13, at_risk="all")
    study = make_study([{"citizen_id": "a", "date": MEASURED}], [NOTHING], analysis=analysis)
    panel = build_panel(study)
    assert (panel.meta["horizon_weeks"], panel.meta["at_risk"]) == (13, "all")
    assert panel.frame["weeks_to_outcome"].tolist() == [13]


def test_an_empty_panel_names_the_step_that_emptied_it(make_study):
    forms = [{"citizen_id": "a", "date": MEASURED, "value": np.nan, "missing_reason": "refused"}]
    with pytest.raises(DesignError, match="belief_answered"):
        build_panel(make_study(forms, [NOTHING]))
    in_job = make_study([{"citizen_id": "a", "date": MEASURED}], [job("2014-01-01", "2016-01-01")])
    with pytest.raises(DesignError, match="at_risk"):
        build_panel(in_job)


def test_errors_hold_no_ids(make_study):
    forms = [{"citizen_id": "0101701234", "date": MEASURED, "value": np.nan, "missing_reason": "refused"}]
    with pytest.raises(DesignError) as caught:
        build_panel(make_study(forms, [{**NOTHING, "citizen_id": "0101701234"}]))
    assert "0101701234" not in str(caught.value)
