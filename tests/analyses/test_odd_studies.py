"""Valid but odd studies: every entry is drawn, lists its needs, or is refused; nothing breaks or leaks."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.disclosure.check import check, export_frame, protect
from jobchance.errors import DesignError, DisclosureError
from jobchance.findings.catalogue import CATALOGUE

POLICY = jc.DisclosurePolicy.preset("cautious_dk")
BROKEN = re.compile(r"(?<!\w)(nan|NaN|inf|NaT|None(?! of))(?!\w)|<NA>|\{[a-z_]+\}")


@pytest.fixture(scope="module")
def small():
    return jc.simulate_study(seed=5, n_citizens=300)


def changed(study, **tables):
    """The study with other tables (None = without the table)."""
    kept = {name: table for name, table in study.tables.items() if name not in tables}
    return replace(study, tables=kept | {k: v for k, v in tables.items() if v is not None}, truth=None)


def with_answers(study, value, reason=None):
    rating = study.tables["rating"].copy()
    own = rating["item_id"] == "belief_job"
    rating["missing_reason"] = rating["missing_reason"].astype(object)
    rating.loc[own, "value"] = value
    rating.loc[own, "missing_reason"] = reason
    return changed(study, rating=rating)


def entries(study, *ids, lang="en"):
    """What becomes of the entries: `needs`, refusing rules, or the figure's words; frames by id."""
    panel = jc.build_panel(study) if "outcome" in study.tables else None
    result, frames = {}, {}
    for entry in CATALOGUE:
        if entry.id not in ids:
            continue
        needs = entry.module.needs(study, panel)
        if needs:
            result[entry.id] = needs
            continue
        finding = entry.module.build(study, panel, policy=POLICY)
        frame = export_frame(protect(finding.frame, POLICY, output=entry.name), POLICY)
        frames[entry.id] = frame
        refused = {breach.rule for breach in check(frame, POLICY, output=entry.name)}
        if refused:
            result[entry.id] = refused
            continue
        words = getattr(jc.figures, entry.name)(frame, lang=lang).description
        text = " ".join([words.headline, words.subtitle, words.note, words.source, words.alt])
        assert not BROKEN.search(text), (entry.id, BROKEN.search(text))
        result[entry.id] = words.headline
    return result, frames


def test_one_answer_for_everybody(small):
    found, frames = entries(with_answers(small, 3.0), "F3", "F9", "F10", "F15", "F17")
    assert found["F3"] == {"nothing_left"}, "everybody in one cell"
    moved = frames["F9"].query("quantity == 'changed' and group == 'difference'").iloc[0]
    assert moved["estimate"] == 0
    assert pd.isna(moved["conf_low"])
    assert isinstance(found["F10"], str)
    assert found["F17"] == ("need.optimism",)


def test_nobody_knows(small):
    found, _ = entries(with_answers(small, np.nan, "dont_know"), "F3", "F9", "F15", "F16", "F17")
    assert found["F15"] == found["F16"] == ("need.belief",)
    assert found["F9"] == ("need.shifts",)
    assert found["F3"] == {"nothing_left"}


def test_nobody_gets_a_job(small):
    outcome = small.tables["outcome"].assign(value=0, event_date=pd.NaT, event_end=pd.NaT)
    study = changed(small, outcome=outcome)
    found, frames = entries(study, "F10", "F15", "F16", "F18", "F19", "T7")
    assert found["F10"] == found["F15"] == {"nothing_left"}
    assert found["F16"] == ("figure.job_curve_by_belief.need.dates",)
    assert found["F18"] == {"nothing_left"}
    assert isinstance(found["F19"], str)
    assert isinstance(found["T7"], str)
    assert set(frames["F10"]["quantity"]) == {"level"}, "no line through outcomes that do not vary"
    assert frames["F18"]["mean_outcome"].isna().all(), "the share of nobody is not given away"


@pytest.mark.parametrize("weeks", [1, 4])
def test_a_short_horizon_with_few_events(small, weeks):
    study = replace(small, analysis=replace(small.analysis, horizon_weeks=weeks))
    found, frames = entries(study, "F10", "F15", "F18", "F23")
    assert found["F15"] == {"nothing_left"}
    assert "x" in frames["F18"]
    assert found["F23"] in (("need.twelve_caseworkers",), {"nothing_left"})


def test_the_gap_does_not_give_a_hidden_quarter_of_caseworkers_back():
    study = jc.simulate_study(seed=5, n_citizens=400)
    study = replace(study, analysis=replace(study.analysis, horizon_weeks=26))
    found, frames = entries(study, "F23")
    assert isinstance(found["F23"], str)
    spread = frames["F23"]
    quarters = spread[(spread["mark"] == "quarter") & (spread["kind"] == "raw")].set_index("level")
    assert quarters["estimate"].isna().to_dict() == {"lowest": True, "highest": False}
    assert spread.loc[spread["mark"] == "gap", "estimate"].isna().all()
    hidden = spread[(spread["mark"] == "group") & (spread["kind"] == "raw")]["estimate"].isna()
    assert hidden.sum() >= 2, "one hidden group of four follows from the total"


def test_one_caseworker_in_each_jobcentre_has_nobody_to_be_compared_with(small):
    caseworkers = small.tables["caseworker"]
    first = caseworkers.drop_duplicates("jobcentre_id").set_index("jobcentre_id")["caseworker_id"]
    stays = caseworkers.set_index("caseworker_id")["jobcentre_id"].map(first)
    measurement = small.tables["measurement"]
    measurement = measurement.assign(caseworker_id=measurement["caseworker_id"].map(stays))
    kept = caseworkers[caseworkers["caseworker_id"].isin(first)].drop(columns=["hired", "left"])
    study = changed(small, measurement=measurement, caseworker=kept, assignment=None)
    panel = jc.build_panel(study)
    assert set(panel.frame["optimism"].dropna()) == {0.0}, "rounding must not pass for optimism"
    found, _ = entries(study, "F17", "F18", "F19", "F23")
    assert found["F17"] == found["F18"] == found["F19"] == ("need.optimism",)
    assert found["F23"] == ("need.twelve_caseworkers",)


def test_one_caseworker_is_behind_no_shown_curve(small):
    one = small.tables["caseworker"]["caseworker_id"].iloc[0]
    measurement = small.tables["measurement"]
    named = measurement["caseworker_id"].where(measurement["caseworker_id"].isna(), one)
    caseworkers = small.tables["caseworker"].drop(columns=["hired", "left"]).iloc[:1]
    study = changed(
        small,
        measurement=measurement.assign(caseworker_id=named),
        caseworker=caseworkers,
        assignment=None,
    )
    found, _ = entries(study, "F15", "F16")
    assert found == {"F15": {"nothing_left"}, "F16": {"nothing_left"}}


def test_own_columns_may_have_the_names_of_ours(small):
    tables = {
        "citizen": small.tables["citizen"].assign(date="x", outcome=2.5),
        "measurement": small.tables["measurement"].assign(belief=3, jobcentre_id="zz", period="p"),
        "rating": small.tables["rating"].assign(note="text", citizen_id="q", date="y"),
        "caseworker": small.tables["caseworker"].assign(citizen_id="q", wave=3),
        "outcome": small.tables["outcome"].assign(wave=99, row=1),
        "assignment": small.tables["assignment"].assign(date=pd.Timestamp("2014-01-01"), row=5),
    }
    study = changed(small, **tables)
    pd.testing.assert_frame_equal(jc.build_panel(study).frame, jc.build_panel(small).frame)
    assert entries(study, "F4", "F5", "F9")[0] == entries(small, "F4", "F5", "F9")[0]


def test_a_scale_of_a_hundred_steps_fits_on_a_page(small):
    item = small.instrument.item("belief_job")
    wide = replace(item, scale_min=0.0, scale_max=100.0, categories={}, category_status={})
    items = tuple(wide if each.item_id == item.item_id else each for each in small.instrument.items)
    instrument = replace(small.instrument, name="own", items=items, scales=())
    rating = small.tables["rating"].copy()
    own = rating["item_id"] == "belief_job"
    rating.loc[own, "value"] = (rating.loc[own, "value"] - 1) * 25  # one step per band
    study = replace(changed(small, rating=rating, item=None), instrument=instrument)
    found, frames = entries(study, "F3", "F9", "F10", "F15", lang="da")
    assert all(isinstance(words, str) for words in found.values())
    _, expected = entries(small, "F3", "F9", "F10", "F15", lang="da")
    for name in ("F3", "F15"):
        np.testing.assert_array_equal(frames[name]["N_citizens"], expected[name]["N_citizens"])
    assert list(frames["F3"]["label_da"][:5]) == ["0–19", "20–39", "40–59", "60–79", "80–100"]
    slope = "quantity == 'trend' and construct == 'caseworker_belief'"
    # Five answers 25 apart are 1.25 band widths of 20 apart.
    assert frames["F10"].query(slope)["estimate"].iloc[0] == pytest.approx(
        expected["F10"].query(slope)["estimate"].iloc[0] / 1.25, rel=1e-5
    )


def test_published_answers_are_not_drawn_beside_those_of_another_instrument(small):
    own = replace(small, instrument=replace(small.instrument, name="own"))
    for study, sources in ((small, True), (own, False)):
        _, frames = entries(study, "F15")
        assert bool(jc.figures.belief_gradient(frames["F15"]).description.published) is sources


def test_a_note_about_fewer_citizens_than_the_policy_asks_for_is_not_written(tmp_path):
    study = jc.simulate_study(seed=5, n_citizens=3)
    with pytest.raises(DisclosureError, match="fewer than 5 citizens"):
        jc.status_note(study, tmp_path / "note", lang="en")
    assert not (tmp_path / "note").exists()


def test_a_panel_without_rows_points_at_the_analysis(small):
    measurement = small.tables["measurement"]
    citizens = measurement[measurement["respondent"] == "citizen"]
    rating = small.tables["rating"]
    study = changed(
        small, measurement=citizens, rating=rating[rating["measurement_id"].isin(citizens["measurement_id"])]
    )
    with pytest.raises(DesignError, match=r"\[analysis\]"):
        jc.build_panel(study)
