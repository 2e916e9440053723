"""The analysis of robustness, end to end on a small study folder."""

from pathlib import Path

import pandas as pd
import pytest

import jobchance as jc
from jobchance.cli.analyses import run_analysis
from jobchance.disclosure.check import check
from jobchance.figures.save import read_frame
from jobchance.sensitivity.multiverse.read import MultiverseSpec
from jobchance.study.write import write_study

ANALYSIS = Path(__file__).parents[2] / "analyses" / "robustness"
STEMS = (
    "F83_specification_curve",
    "F86_confounding_contour",
    "F90_attrition",
    "F58_leave_one_site_out",
    "F55_placebo_distribution",
)
POLICY = jc.DisclosurePolicy.preset("cautious_dk")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("robustness")
    study = jc.simulate_study(seed=2013, n_citizens=1200, n_caseworkers=90)
    write_study(study, folder / "study")
    run_analysis(ANALYSIS, out=folder / "en", lang="en", study=folder / "study", policy=POLICY)
    return folder / "en"


def test_everything_is_written(out):
    expected = {f"{stem}.{kind}" for stem in STEMS for kind in ("png", "csv", "json")}
    assert {path.name for path in out.iterdir()} == expected | {"robustness.csv", "text_en.md"}


@pytest.mark.parametrize("stem", STEMS)
def test_the_frames_pass_disclosure_and_draw_again_in_danish(out, stem):
    frame = read_frame(out / stem)
    assert check(frame, POLICY, output=stem) == []
    figure = getattr(jc.figures, stem.partition("_")[2])(frame, lang="da")
    assert figure.description.headline


def test_the_table_has_every_check_and_names_nobody(out):
    table = pd.read_csv(out / "robustness.csv")
    assert table["check"].is_unique
    assert {"main", "wild_bootstrap", "median", "robustness_value", "private_information"} <= set(
        table["check"]
    )
    main, wild = (table.set_index("check").loc[name] for name in ("main", "wild_bootstrap"))
    assert main["estimate"] == wild["estimate"]
    assert main["conf_low"] < main["estimate"] < main["conf_high"]
    assert table["label_da"].ne(table["label_en"]).all()


def test_the_multiverse_is_of_a_size_that_a_reader_can_check():
    expansion = MultiverseSpec.read(ANALYSIS / "multiverse.toml").expand()
    assert 200 <= len(expansion.specifications) <= 1000
    assert expansion.main is not None


def test_the_text_says_association(out):
    text = (out / "text_en.md").read_text(encoding="utf-8")
    assert text.count("## ") == len(STEMS)
    assert "Association, not effect" in text
