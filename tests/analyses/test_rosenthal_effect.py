import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.cli.analyses import run_analysis
from jobchance.errors import SpecError
from jobchance.figures.save import read_frame

ANALYSIS = Path(__file__).parents[2] / "analyses" / "rosenthal_effect"
NAMES = ("expectancy_forest", "expectancy_by_contact")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rosenthal")
    policy = jc.DisclosurePolicy.preset("cautious_dk")
    for lang in ("da", "en"):
        run_analysis(ANALYSIS, out=folder / lang, lang=lang, study=None, policy=policy)
    return folder


def test_the_frames_hold_the_published_numbers(out):
    forest = read_frame(out / "da" / "expectancy_forest").set_index("mark")
    assert (forest.index == "experiment").sum() == 19
    assert forest.loc["pooled", "estimate"] == pytest.approx(0.0837, abs=5e-5)
    assert forest.loc["pooled", "tau2"] == pytest.approx(0.0188, abs=5e-5)
    assert forest.loc["prediction", ["conf_low", "conf_high"]].tolist() == pytest.approx(
        [-0.2036, 0.371], abs=2e-4
    )
    contact = read_frame(out / "da" / "expectancy_by_contact")
    line = contact[contact["mark"] == "line"]
    np.testing.assert_allclose(line["estimate"], 0.407 - 0.157 * line["weeks"], atol=1e-3)
    assert contact.set_index("mark").loc["slope", "estimate"] == pytest.approx(-0.157, abs=5e-4)


def test_every_caption_says_that_the_average_is_near_zero(out):
    words = {"da": "tæt på nul", "en": "close to zero"}
    for lang, near in words.items():
        for name in NAMES:
            description = json.loads((out / lang / f"{name}.json").read_text(encoding="utf-8"))
            assert near in description["note"].lower()
            assert description["published"] == ["Raudenbush 2009"]


@pytest.mark.parametrize("name", NAMES)
def test_the_saved_frame_draws_the_same_picture(out, tmp_path, name):
    frame = read_frame(out / "en" / name)
    figure = getattr(jc.figures, name)(frame, lang="en")
    jc.save_figure(figure, frame, tmp_path / name, policy=jc.DisclosurePolicy.preset("cautious_dk"))
    for ending in ("png", "csv"):
        again = (tmp_path / f"{name}.{ending}").read_bytes()
        assert again == (out / "en" / f"{name}.{ending}").read_bytes()


def test_headlines_follow_the_numbers(out):
    forest = read_frame(out / "en" / "expectancy_forest")
    pooled = forest["mark"] == "pooled"
    sure = forest.copy()
    sure.loc[pooled, ["estimate", "conf_low", "conf_high"]] = [0.4, 0.3, 0.5]
    figure = jc.figures.expectancy_forest(sure, lang="en")
    assert figure.description.headline.endswith("on average a positive effect of 0.40 standard deviations")
    assert "close to zero" not in figure.description.note
    contact = read_frame(out / "en" / "expectancy_by_contact")
    flat = contact.copy()
    flat.loc[flat["mark"] == "slope", ["conf_low", "conf_high"]] = [-0.3, 0.1]
    assert "No clear difference" in jc.figures.expectancy_by_contact(flat, lang="en").description.headline


def test_marks_stand_where_the_frame_says(out):
    frame = read_frame(out / "en" / "expectancy_forest")
    (ax,) = jc.figures.expectancy_forest(frame, lang="en").axes
    drawn = sorted(float(part.get_offsets()[0][0]) for part in ax.collections if len(part.get_offsets()) == 1)
    expected = sorted(frame.loc[frame["mark"] == "experiment", "estimate"])
    np.testing.assert_allclose(drawn, expected)


def test_the_table_typed_in_is_the_reference_table():
    reference = Path(__file__).parents[3] / "shared" / "reference" / "data" / "raudenbush1985.csv"
    if not reference.exists():
        pytest.skip("the reference data are not available")
    typed, expected = pd.read_csv(ANALYSIS / "data.csv"), pd.read_csv(reference)
    columns = {"estimate": "yi", "variance": "vi", "weeks": "weeks", "n_treated": "n1i", "n_control": "n2i"}
    for mine, theirs in columns.items():
        assert typed[mine].tolist() == expected[theirs].tolist()


def test_a_study_is_refused(tmp_path):
    policy = jc.DisclosurePolicy.preset("cautious_dk")
    with pytest.raises(SpecError, match="no --study"):
        run_analysis(ANALYSIS, out=tmp_path / "x", lang="da", study=tmp_path, policy=policy)
