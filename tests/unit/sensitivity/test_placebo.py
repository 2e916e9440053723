"""Placebo outcomes: nothing after the measurement is ever read, and selection shows where there is some."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jobchance import build_panel, fit_glm, simulate_study
from jobchance.errors import FormulaError, SpecError
from jobchance.sensitivity.confounding_past import past_outcome
from jobchance.sensitivity.placebo import placebo_outcomes

WEEKS = 6


@pytest.fixture(scope="module")
def study():
    return simulate_study(seed=4, n_citizens=900)


@pytest.fixture(scope="module")
def panel(study):
    return build_panel(study, covariates=["sex", "birth_year", "job_education_share_5y"])


def with_tables(study, **tables):
    return replace(study, tables={**study.tables, **tables})


def windows(citizens, *, first, last, event=None, until=None, outcome="trial"):
    """Outcome rows: followed from `first` to `last`, in the state from `event` to `until` where given."""
    event = pd.Series(pd.NaT, index=citizens.index) if event is None else event
    until = pd.Series(pd.NaT, index=citizens.index) if until is None else until
    return pd.DataFrame(
        {"citizen_id": citizens, "outcome": outcome, "window_start": first, "window_end": last}
        | {"value": event.notna().astype(int), "event_date": event, "event_end": until}
    )


@pytest.fixture(scope="module")
def history(study, panel):
    """First measurements, and a study in which every third citizen worked for a week before them."""
    first = panel.frame.drop_duplicates("citizen_id").copy()
    early = pd.Series(pd.Timestamp("2000-01-01"), index=first.index)
    worked = pd.Series(np.arange(len(first)) % 3 == 0, index=first.index)
    days = np.resize([1, 10, 41, 42, 43, 60], len(first))
    event = (first["date"] - pd.to_timedelta(days, unit="D")).where(worked)
    rows = windows(
        first["citizen_id"], first=early, last=first["date"] + pd.Timedelta(days=200), event=event,
        until=event + pd.Timedelta(days=1),
    )  # fmt: skip
    follow = study.tables["follow_up"].assign(observed_from=pd.Timestamp("2000-01-01"))
    table = pd.concat([study.tables["outcome"], rows], ignore_index=True)
    return first, worked & (days <= 7 * WEEKS), with_tables(study, outcome=table, follow_up=follow)


def test_the_window_is_the_weeks_before_the_measurement_and_no_day_more(history):
    first, expected, made = history
    found = past_outcome(made, first, outcome="trial", weeks=WEEKS)
    assert found.notna().all()
    assert (found == expected.astype(float)).all()
    assert 0 < expected.sum() < len(first)


def test_whatever_happens_from_the_measurement_on_changes_nothing(history):
    first, _, made = history
    before = past_outcome(made, first, outcome="trial", weeks=WEEKS)
    dates = first.set_index("citizen_id")["date"]
    # everybody gets the state on the very day of the measurement, and ever after
    later = windows(
        first["citizen_id"], first=first["date"], last=first["date"] + pd.Timedelta(days=400),
        event=first["date"], until=first["date"] + pd.Timedelta(days=400),
    )  # fmt: skip
    more = with_tables(made, outcome=pd.concat([made.tables["outcome"], later], ignore_index=True))
    pd.testing.assert_series_equal(past_outcome(more, first, outcome="trial", weeks=WEEKS), before)
    # or all that lies on or after the measurement is deleted
    table = made.tables["outcome"].copy()
    date = table["citizen_id"].map(dates)
    table["window_end"] = table["window_end"].where(~(table["window_end"] > date), date)
    table = table[~(table["event_date"] >= date)]
    cut = with_tables(made, outcome=table)
    pd.testing.assert_series_equal(past_outcome(cut, first, outcome="trial", weeks=WEEKS), before)


def test_a_window_that_is_not_wholly_known_is_missing(history):
    first, _, made = history
    late = made.tables["follow_up"].copy()
    dates = late["citizen_id"].map(first.set_index("citizen_id")["date"])
    late["observed_from"] = dates - pd.Timedelta(days=7 * WEEKS - 1)
    assert past_outcome(with_tables(made, follow_up=late), first, outcome="trial", weeks=WEEKS).isna().all()
    late["observed_from"] = dates - pd.Timedelta(days=7 * WEEKS)
    assert past_outcome(with_tables(made, follow_up=late), first, outcome="trial", weeks=WEEKS).notna().all()


def test_rows_stand_beside_the_real_outcome_and_are_the_plain_regressions(history, panel):
    _, _, made = history
    formula = "outcome ~ belief + sex + birth_year"
    names = ["trial", "job_education_share_5y"]
    found = placebo_outcomes(panel, formula, term="belief", study=made, outcomes=names, weeks=WEEKS)
    frame = found.frame.set_index("kind")
    assert list(frame.index) == ["real", "past", "trait"]
    known = panel.frame[panel.frame["outcome"].notna()].drop_duplicates("citizen_id")
    assert frame.loc["real", "estimate"] == pytest.approx(
        fit_glm(formula, known, family="gaussian").params["belief"]
    )
    trait = fit_glm("job_education_share_5y ~ belief + sex + birth_year", known, family="gaussian")
    assert frame.loc["trait", "estimate"] == pytest.approx(trait.params["belief"])
    assert frame.loc["trait", "conf_low"] == pytest.approx(trait.conf_int().loc["belief", "conf_low"])
    used = known.dropna(subset=["belief"])
    scale = used["belief"].std() / used["job_education_share_5y"].std()
    assert frame.loc["trait", "per_sd"] == pytest.approx(trait.params["belief"] * scale)


def test_selection_by_history_shows_and_a_made_up_past_does_not(history, panel):
    _, _, made = history
    names = ["trial", "job_education_share_5y"]
    found = placebo_outcomes(
        panel, "outcome ~ belief", term="belief", study=made, outcomes=names, weeks=WEEKS
    )
    assert found.associated == ["job_education_share_5y"]
    assert "job_education_share_5y" in found.text("en")
    clean = placebo_outcomes(panel, "outcome ~ belief", term="belief", study=made, outcomes=["trial"])
    assert "does not detectably go" in clean.text("en")
    assert "{" not in found.text("da") + clean.text("da")


def test_a_placebo_without_a_number_says_why(study, panel):
    found = placebo_outcomes(
        panel, "outcome ~ belief + birth_year", term="belief", study=study,
        outcomes=["job", "birth_year"], weeks=1,
    )  # fmt: skip
    reasons = found.frame.set_index("kind")["reason"]
    assert reasons["trait"] == "it is in the formula itself"
    assert reasons["past"] in (
        "it does not vary", "fewer than 5 rows differ from the others",
        "it is known in no row: follow-up begins too late",
    )  # fmt: skip
    assert "could be examined" in found.text("en")


def test_without_a_study_only_covariates_of_the_panel(panel):
    found = placebo_outcomes(panel, "outcome ~ belief", term="belief", outcomes=["birth_year"])
    assert found.frame["kind"].tolist() == ["real", "trait"]
    with pytest.raises(SpecError, match="needs study="):
        placebo_outcomes(panel, "outcome ~ belief", term="belief")


@pytest.mark.parametrize(
    "late", ["outcome", "weeks_to_outcome", "event_observed", "any_intervention", "optimism"]
)
def test_columns_that_look_past_the_measurement_are_refused(study, panel, late):
    for given in (study, None):
        with pytest.raises(SpecError, match=r"not known|cannot be used"):
            placebo_outcomes(panel, "outcome ~ belief", term="belief", study=given, outcomes=[late])


def test_other_refusals(study, panel):
    with pytest.raises(SpecError, match="whole number of weeks"):
        past_outcome(study, panel.frame, outcome="job", weeks=0)
    with pytest.raises(SpecError, match="not known"):
        past_outcome(study, panel.frame, outcome="jobs", weeks=4)
    with pytest.raises(SpecError, match="rows"):
        placebo_outcomes(panel, "outcome ~ belief", term="belief", study=study, rows="last")
    with pytest.raises(SpecError, match="several names"):
        placebo_outcomes(panel, "outcome ~ belief", term="belief", study=study, outcomes="job")
    with pytest.raises(SpecError, match="numbers or yes/no"):
        placebo_outcomes(panel, "outcome ~ belief", term="belief", study=study, outcomes=["education"])
    with pytest.raises(FormulaError, match="a column on the left"):
        placebo_outcomes(panel, "log(outcome) ~ belief", term="belief", study=study)
