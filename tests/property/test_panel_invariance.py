"""What must not change a panel, and what every panel must satisfy, on random studies with full histories."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobchance.errors import UserError
from jobchance.panel.build import build_panel
from jobchance.study.instrument import Construct, Instrument, Item, Scale
from jobchance.study.model import Study

START = np.datetime64("2013-01-01")
THROUGH = date(2015, 6, 30)
ITEM = Item("belief_job", "belief", "caseworker", 1, 5, {}, {}, False, True, "placeholder", "placeholder", "")
INSTRUMENT = Instrument(
    "t",
    "1",
    (Construct("belief", 1, {}, True, "placeholder", ""),),
    (ITEM,),
    (Scale("expectation", {}, ("belief_job",), 1),),
)
SEEDS = st.integers(0, 10_000)
ID_COLUMNS = ("citizen_id", "caseworker_id", "jobcentre_id", "measurement_id")


def study_of(tables, through=THROUGH):
    return Study(tables, INSTRUMENT, "t", "t", "simulated", "da", through)


def random_tables(seed, *, citizens=12, waves=3):
    """Citizens with up to three job spells; some follow-ups end early; windows tile each follow-up."""
    rng = np.random.default_rng(seed)
    ids = [f"c{k}" for k in range(citizens)]
    data_end = np.datetime64(THROUGH) + 1
    stop = np.minimum(START + rng.integers(300, 1200, citizens), data_end)
    windows = [row for k, c in enumerate(ids) for row in random_history(rng, c, stop[k])]
    forms = pd.DataFrame([(c, w + 1) for c in ids for w in range(waves)], columns=["citizen_id", "wave"])
    forms["date"] = (
        np.repeat(START + rng.integers(1, 200, citizens), waves) + 91 * (forms["wave"] - 1).to_numpy()
    )
    forms["caseworker_id"] = rng.choice([f"w{k}" for k in range(5)], len(forms))
    forms["respondent"] = "caseworker"
    forms["measurement_id"] = [f"m{k}" for k in range(len(forms))]
    value = rng.integers(1, 6, len(forms)).astype(float)
    unsure = rng.random(len(forms)) < 0.1
    rating = pd.DataFrame({"measurement_id": forms["measurement_id"], "item_id": "belief_job"})
    rating["value"] = np.where(unsure, np.nan, value)
    rating["missing_reason"] = np.where(unsure, "dont_know", None)
    follow = {"citizen_id": ids, "observed_from": START, "observed_to": stop}
    follow["exit_reason"] = np.where(
        stop < data_end, rng.choice(["death", "pension", "end_of_data"], citizens), None
    )
    workers = [f"w{k}" for k in range(5)]
    return {
        "citizen": pd.DataFrame({"citizen_id": ids, "birth_year": rng.integers(1950, 2000, citizens)}),
        "measurement": forms,
        "rating": rating,
        "caseworker": pd.DataFrame(
            {"caseworker_id": workers, "jobcentre_id": ["j0", "j0", "j0", "j1", "j1"]}
        ),
        "outcome": pd.DataFrame(windows),
        "follow_up": pd.DataFrame(follow),
    }


def random_history(rng, citizen, stop):
    """Windows [start, end) with value, event and its end, each closed by its spell, the last one open."""
    opened, rows = START, []
    for _ in range(int(rng.integers(0, 4))):
        begins = opened + int(rng.integers(0, 300))
        ends = begins + int(rng.integers(1, 300))
        if begins >= stop:
            break
        rows.append(
            (citizen, opened, min(ends, stop), 1, begins, ends if ends <= stop else np.datetime64("NaT"))
        )
        opened = min(ends, stop)
        if opened == stop:
            break
    if opened < stop:
        rows.append((citizen, opened, stop, 0, np.datetime64("NaT"), np.datetime64("NaT")))
    columns = ["citizen_id", "window_start", "window_end", "value", "event_date", "event_end"]
    return [dict(zip(columns, row, strict=True)) | {"outcome": "job"} for row in rows]


def panel_of(tables, **options):
    return build_panel(study_of(tables), **{"horizon_weeks": 26, "at_risk": "all"} | options).frame


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, risk=st.sampled_from(["all", "not_in_job"]))
def test_order_of_rows_changes_nothing(seed, risk):
    tables = random_tables(seed)
    shuffled = {name: table.sample(frac=1, random_state=seed) for name, table in tables.items()}
    pd.testing.assert_frame_equal(
        panel_of(tables, at_risk=risk), panel_of(shuffled, at_risk=risk), rtol=1e-12, atol=1e-12
    )


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_other_ids_change_nothing(seed):
    tables = random_tables(seed)
    rng = np.random.default_rng(seed)
    new = {c: {} for c in ID_COLUMNS}
    for column in ID_COLUMNS:
        found = sorted({v for t in tables.values() if column in t for v in t[column]})
        new[column] = dict(zip(found, (f"{n:09d}" for n in rng.permutation(len(found))), strict=True))
    renamed = {
        name: table.assign(**{c: table[c].map(new[c]) for c in ID_COLUMNS if c in table})
        for name, table in tables.items()
    }
    one, other = panel_of(tables), panel_of(renamed)
    one = one.assign(**{c: one[c].map(new[c]) for c in ID_COLUMNS})
    one = one.sort_values(["citizen_id", "wave"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(one, other, rtol=1e-12, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_cutting_the_supplied_windows_into_smaller_tiles_changes_nothing(seed):
    tables = random_tables(seed)
    rng = np.random.default_rng(seed)
    pieces = [piece for row in tables["outcome"].to_dict("records") for piece in cut(row, rng)]
    pd.testing.assert_frame_equal(panel_of(tables), panel_of(tables | {"outcome": pd.DataFrame(pieces)}))


def cut(row, rng):
    """The same facts in two windows; a spell that runs on is there on the first day of the second."""
    days = int((row["window_end"] - row["window_start"]) / np.timedelta64(1, "D"))
    if days < 2:
        return [row]
    at = row["window_start"] + pd.Timedelta(int(rng.integers(1, days)), unit="D")
    none = {"value": 0, "event_date": pd.NaT, "event_end": pd.NaT}
    if row["value"] == 0 or row["event_date"] >= at:
        return [{**row, "window_end": at, **none}, {**row, "window_start": at}]
    first = {**row, "window_end": at, "event_end": pd.NaT}
    return [first, {**row, "window_start": at, "event_date": at}]


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_what_happened_up_to_the_measurement_does_not_touch_the_outcome(seed):
    """Erase every citizen's history up to and including the day of the only measurement."""
    tables = random_tables(seed, waves=1)
    day = tables["measurement"].set_index("citizen_id")["date"]
    later = tables["outcome"].assign(
        first=tables["outcome"]["citizen_id"].map(day) + pd.Timedelta(1, unit="D")
    )
    later = later[later["window_end"] > later["first"]]
    for column in ("window_start", "event_date"):
        late = later[column].isna() | (later[column] > later["first"])
        later[column] = later[column].where(late, later["first"])
    forgotten = tables | {"outcome": later.drop(columns="first")}
    columns = ["citizen_id", "outcome", "weeks_to_outcome", "censored", "window_start"]
    pd.testing.assert_frame_equal(panel_of(tables)[columns], panel_of(forgotten)[columns])


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_data_beyond_the_window_change_nothing(seed):
    """Four more years of jobs for everyone change no row whose window was complete."""
    tables = random_tables(seed)
    before = panel_of(tables)
    rng = np.random.default_rng(seed)
    more = []
    for row in tables["follow_up"].to_dict("records"):
        begins = row["observed_to"] + pd.Timedelta(int(rng.integers(0, 60)), unit="D")
        end = pd.Timestamp("2019-01-01")
        window = {"citizen_id": row["citizen_id"], "window_start": row["observed_to"], "window_end": end}
        more.append(window | {"value": 1, "event_date": begins, "event_end": pd.NaT, "outcome": "job"})
    longer = tables | {"outcome": pd.concat([tables["outcome"], pd.DataFrame(more)])}
    longer["follow_up"] = tables["follow_up"].assign(observed_to=pd.Timestamp("2019-01-01"), exit_reason=None)
    study = study_of(longer, date(2018, 12, 31))
    after = build_panel(study, horizon_weeks=26, at_risk="all").frame
    known = before["outcome"].notna() & (before["window_start"] + pd.Timedelta(182, unit="D")).le(
        before["citizen_id"].map(tables["follow_up"].set_index("citizen_id")["observed_to"])
    )
    pd.testing.assert_frame_equal(before[known], after[known])


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_a_longer_horizon_never_loses_an_event(seed):
    tables = random_tables(seed)
    short, long = panel_of(tables, horizon_weeks=13), panel_of(tables, horizon_weeks=39)
    both = short["outcome"].notna() & long["outcome"].notna()
    assert (short["outcome"][both] <= long["outcome"][both]).all()
    early = short["outcome"] == 1
    assert (long["weeks_to_outcome"][early] == short["weeks_to_outcome"][early]).all()
    assert long["event_observed"][early].all()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, weeks=st.integers(1, 60), risk=st.sampled_from(["all", "not_in_job"]))
def test_equals_a_count_of_days(seed, weeks, risk):
    """An independent account: mark every day of every citizen as in the state, not, or unknown."""
    tables = random_tables(seed, citizens=6)
    expected = by_days(tables, weeks, risk)
    if not any(np.isfinite(outcome) for outcome, _ in expected.values()):
        with pytest.raises(UserError, match="no row"):
            panel_of(tables, horizon_weeks=weeks, at_risk=risk)
        return
    frame = panel_of(tables, horizon_weeks=weeks, at_risk=risk)
    found = {
        m: (o, w)
        for m, o, w in zip(frame["measurement_id"], frame["outcome"], frame["weeks_to_outcome"], strict=True)
    }
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_equal(found[key], value)


def by_days(tables, weeks, risk):
    state = {}
    for row in tables["outcome"].to_dict("records"):
        day = row["window_start"]
        while day < row["window_end"]:
            on = row["value"] == 1 and row["event_date"] <= day
            state[row["citizen_id"], day.date()] = on
            day += pd.Timedelta(1, unit="D")
    exits = tables["follow_up"].set_index("citizen_id")
    result = {}
    for form in tables["measurement"].to_dict("records"):
        who, day = form["citizen_id"], form["date"].date()
        if risk == "not_in_job" and state.get((who, day), False):
            continue
        first = day + timedelta(days=1)
        while first.weekday() != 0:
            first += timedelta(days=1)
        last = first + timedelta(days=7 * weeks)
        known = 0
        while known < 7 * weeks and (who, first + timedelta(days=known)) in state:
            known += 1
        event = next((k for k in range(known) if state[who, first + timedelta(days=k)]), None)
        left = exits.loc[who, "exit_reason"] in ("death", "pension")
        data_end = THROUGH if left else exits.loc[who, "observed_to"].date() - timedelta(days=1)
        if known == 7 * weeks:
            outcome = 0.0 if event is None else 1.0
        elif event is not None and left and last - timedelta(days=1) <= data_end:
            outcome = 1.0
        else:
            outcome = np.nan
        time = event // 7 if event is not None else known // 7
        result[form["measurement_id"]] = (outcome, float(time))
    return result


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_window_starts_on_the_first_monday_after_and_parts_add_up(seed):
    frame = panel_of(random_tables(seed))
    gap = (frame["window_start"] - frame["date"]) / pd.Timedelta(1, unit="D")
    assert gap.between(1, 7).all()
    assert (frame["window_start"].dt.day_of_week == 0).all()
    whole = frame["expectation_between"] + frame["expectation_within"]
    np.testing.assert_allclose(whole, frame["expectation"])
    assert frame.groupby("citizen_id")["expectation_within"].sum().abs().max() < 1e-9
    assert (frame["outcome"].isna() == frame["censored"]).all()
    assert not frame.duplicated(["citizen_id", "wave"]).any()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, who=st.integers(0, 11))
def test_no_answer_about_a_citizen_touches_the_citizens_own_optimism(seed, who):
    """Rule C14, exactly: new answers in every wave, by whichever caseworker, leave own optimism as it was."""
    tables = random_tables(seed)
    forms = tables["measurement"]
    own = forms.loc[forms["citizen_id"] == f"c{who}", "measurement_id"]
    changed = tables["rating"].copy()
    rows = changed["measurement_id"].isin(own)
    changed.loc[rows, "value"] = np.random.default_rng(seed).choice([1.0, 5.0], rows.sum())
    changed.loc[rows, "missing_reason"] = None
    before, after = panel_of(tables), panel_of(tables | {"rating": changed})
    mine = before["citizen_id"] == f"c{who}"
    np.testing.assert_allclose(after["optimism"][mine], before["optimism"][mine], rtol=0, atol=1e-12)


def test_answers_about_others_do_touch_optimism():
    tables = random_tables(1)
    changed = tables["rating"].assign(value=6 - tables["rating"]["value"])
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            panel_of(tables)["optimism"], panel_of(tables | {"rating": changed})["optimism"], atol=1e-3
        )
