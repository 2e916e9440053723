"""The analysis of the evidence ladder, end to end on a small study folder."""

import json
from pathlib import Path

import pandas as pd
import pytest

import jobchance as jc
from jobchance.cli.analyses import run_analysis
from jobchance.figures.save import read_frame
from jobchance.identification.ladder import RUNGS
from jobchance.study.write import write_study

ANALYSIS = Path(__file__).parents[2] / "analyses" / "evidence_ladder"
STEMS = ("F89_grade_of_evidence", "T14_evidence_table")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ladder")
    write_study(jc.simulate_study(seed=2013, n_citizens=800), folder / "study")
    policy = jc.DisclosurePolicy.preset("cautious_dk")
    for lang in ("da", "en"):
        run_analysis(ANALYSIS, out=folder / lang, lang=lang, study=folder / "study", policy=policy)
    return folder


def test_everything_is_written(out):
    expected = {f"{stem}.{kind}" for stem in STEMS for kind in ("png", "csv", "json")}
    expected |= {"ladder.csv", "assumptions.csv", "text_en.md", "cards_en.md"}
    assert {path.name for path in (out / "en").iterdir()} == expected


def test_numbers_do_not_depend_on_the_language(out):
    for name in ("ladder.csv", "assumptions.csv", *(f"{stem}.csv" for stem in STEMS)):
        assert (out / "da" / name).read_bytes() == (out / "en" / name).read_bytes()
    assert (out / "da" / "text_da.md").read_text() != (out / "en" / "text_en.md").read_text()


def test_every_rung_is_accounted_for(out):
    ladder = pd.read_csv(out / "en" / "ladder.csv")
    assert ladder["rung"].tolist() == list(RUNGS)
    assumptions = pd.read_csv(out / "en" / "assumptions.csv")
    without = ladder["missing"].notna() | ladder["suppressed"]
    assert set(assumptions["rung"]) == set(ladder.loc[~without, "rung"])
    assert {"rung", "assumption", "status", "test", "p_value"} <= set(assumptions)


def test_the_figures_hold_the_saved_frame(out):
    ladder = pd.read_csv(out / "en" / "ladder.csv")
    for stem in STEMS:
        frame = read_frame(out / "en" / stem)
        pd.testing.assert_series_equal(frame["estimate"], ladder["estimate"])
        words = json.loads((out / "en" / f"{stem}.json").read_text(encoding="utf-8"))
        assert words["headline"]
        assert "simulated" in words["source"]


def test_the_text_gives_no_hidden_number(out):
    text = (out / "en" / "text_en.md").read_text(encoding="utf-8")
    assert "Raw gradient over answers.** Not identified here. The data lack: enough citizens for" in text
    assert "predictions, not effects" in text


def test_spec_is_the_default_ladder():
    import tomllib

    spec = tomllib.loads((ANALYSIS / "spec.toml").read_text(encoding="utf-8"))
    assert spec["study"] == {"preset": "bip", "seed": 2013}
    assert spec["ladder"] == {"covariates": [], "rungs": [], "accept": [], "level": 0.95}
    assert spec["thresholds"] == {}
