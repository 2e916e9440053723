"""The evidence ladder as a figure (F89) and as a table (T14), on several studies and hidden cells."""

import numpy as np
import pandas as pd
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw

import jobchance as jc
from jobchance.disclosure.check import check
from jobchance.errors import SpecError
from jobchance.figures import _ladder
from jobchance.findings.grade_of_evidence import COLUMNS, hide_rungs, ladder_frame
from jobchance.identification.ladder import RUNGS, evidence_ladder

POLICY = jc.DisclosurePolicy.preset("cautious_dk")
FIGURES = ("grade_of_evidence", "evidence_table")
FAST = ("raw_gradient", "adjusted", "within_citizen", "leniency", "shift")


@pytest.fixture(scope="module")
def made():
    """Study, panel and ladder of 800 citizens: the extreme answers are too rare to be shown."""
    study = jc.simulate_study(seed=2013, n_citizens=800)
    panel = jc.build_panel(study)
    return study, panel, evidence_ladder(panel, rungs=FAST)


@pytest.fixture(scope="module")
def frame(made):
    study, panel, ladder = made
    return ladder_frame(ladder, study, panel, policy=POLICY)


def full(frame):
    """All ten rungs with numbers and verdicts of our own, in the frame's form."""
    base = frame[frame["rung"] == "leniency"].iloc[0]
    units = dict(zip(RUNGS, [0, 1, 1, 1, 1, 2, 1, 2, 3, 4], strict=True))
    verdicts = dict.fromkeys(RUNGS, "suggestive") | dict.fromkeys(RUNGS[:3], "predicts only")
    rows = [
        base.to_dict()
        | {"rung": rung, "unit": list(_ladder.UNITS)[units[rung]], "verdict": verdicts[rung], "missing": None}
        | {"open_points": "doubtful:independent_errors", "rests_on": None, "suppressed": False}
        | {"estimate": 1.0 + i, "conf_low": i - 2.0, "conf_high": 4.0 + i, "relative": 0.1 * (1 + i)}
        for i, rung in enumerate(RUNGS)
    ]
    return pd.DataFrame(rows)[list(frame.columns)]


@pytest.fixture(scope="module")
def whole(frame):
    return full(frame)


def turned(frame, rung, **values):
    out = frame.copy()
    for column, value in values.items():
        out.loc[out["rung"] == rung, column] = value
    return out


def hidden(frame, *rungs):
    out = frame.copy()
    numbers = ["estimate", "std_error", "conf_low", "conf_high", "relative", "N_citizens"]
    out.loc[out["rung"].isin(rungs), numbers] = np.nan
    out.loc[out["rung"].isin(rungs), "suppressed"] = True
    return out


@pytest.mark.parametrize("name", FIGURES)
def test_prints_well_in_both_languages(name, frame, whole):
    assert_prints_well(name, frame)
    assert_prints_well(name, whole)


@pytest.mark.parametrize("name", FIGURES)
def test_redraws_from_csv(name, frame):
    assert_redraws_from_csv(name, frame)


@pytest.mark.parametrize("name", FIGURES)
def test_two_numbers_and_hidden_cells_still_print_well(name, whole):
    assert_prints_well(name, hidden(whole, *RUNGS[2:]))
    assert_prints_well(name, hidden(whole, "hazard", "value_added"))


def test_the_frame_passes_disclosure_control_and_hides_small_cells(frame):
    assert check(frame, POLICY, output="ladder") == []
    assert list(frame.columns[: len(COLUMNS)]) == list(COLUMNS)
    by_rung = frame.set_index("rung")
    assert bool(by_rung.loc["raw_gradient", "suppressed"])
    assert np.isnan(by_rung.loc["raw_gradient", "estimate"])
    shown = by_rung[~by_rung["suppressed"].astype(bool) & by_rung["estimate"].notna()]
    assert (shown["N_events"] >= POLICY.min_events).all()
    assert (shown["N_citizens"] - shown["N_events"] >= POLICY.min_events).all()
    assert np.isnan(by_rung.loc["within_citizen", "N_citizens"])


def test_a_stricter_policy_hides_more_and_rounds(made):
    study, panel, ladder = made
    strict = jc.DisclosurePolicy(min_persons=10, min_events=30, round_base=5)
    frame = ladder_frame(ladder, study, panel, policy=strict).set_index("rung")
    assert frame.loc[["raw_gradient", "shift"], "suppressed"].all()
    assert not frame.loc["leniency", "suppressed"]
    assert frame.loc["leniency", "N_citizens"] % 5 == 0


def test_text_and_cards_do_not_give_back_what_is_hidden(made, frame):
    _, _, ladder = made
    shown = hide_rungs(ladder, frame)
    assert shown.cards["raw_gradient"].missing == ("disclosure",)
    assert "enough citizens for the number to be shown" in shown.text("en")
    assert "at the lowest" in ladder.text("en")
    assert "at the lowest" not in shown.text("en")
    assert shown.cards["leniency"] == ladder.cards["leniency"]


def test_one_panel_per_unit_with_the_numbers_of_the_frame(whole):
    figure = draw("grade_of_evidence", whole, "en")
    assert len(figure.axes) == whole["unit"].nunique()
    drawn = [
        (line.get_xdata()[0], line.get_marker())
        for ax in figure.axes
        for line in ax.lines
        if line.get_marker() in ("D", "o", "s")
    ]
    expected = pd.concat([part for _, part in whole.groupby("unit", sort=False)])
    assert [x for x, _ in drawn] == pytest.approx(expected["estimate"].tolist())
    shapes = {"predicts only": "s", "suggestive": "o"}
    assert [m for _, m in drawn] == [shapes[v] for v in expected["verdict"]]


def test_panels_share_left_edge_and_row_height(whole):
    figure = draw("grade_of_evidence", whole)
    figure.draw_without_rendering()
    boxes = [ax.get_window_extent() for ax in figure.axes]
    assert np.ptp([box.x0 for box in boxes]) < 1
    assert np.ptp([box.x1 for box in boxes]) < 1
    rows = [len(ax.get_yticklabels()) for ax in figure.axes]
    pitch = [box.height / n for box, n in zip(boxes, rows, strict=True)]
    assert max(pitch) / min(pitch) < 1.05


def test_headline_follows_the_strongest_verdict(whole):
    def said(frame):
        return draw("grade_of_evidence", frame, "en").description.headline

    assert "No design can say credibly" in said(whole)
    assert "can only predict" in said(whole.assign(verdict="predicts only"))
    credible = turned(whole, "leniency", verdict="credible under stated assumptions")
    assert said(turned(credible, "leniency", conf_low=0.5)).startswith("The caseworker's optimism")
    assert "can be read as an effect if" in said(turned(credible, "leniency", conf_low=0.5))
    assert "difference is not certain" in said(turned(credible, "leniency", conf_low=-0.5))
    both = turned(turned(credible, "leniency", conf_low=0.5), "shift", conf_low=0.5)
    both = turned(both, "shift", verdict="credible under stated assumptions")
    assert said(both).startswith("The caseworker's optimism and a change of caseworker:")


def test_the_note_says_what_may_be_read_as_an_effect_and_what_is_hidden(whole):
    note = draw("grade_of_evidence", hidden(whole, "shift"), "en").description.note
    assert "Only designs with the verdict “credible under stated assumptions” can be read as effects" in note
    assert "Not shown: A change of caseworker." in note


def test_a_number_of_a_design_that_identifies_nothing_is_not_drawn(whole):
    frame = turned(whole, "leniency", verdict="not identified here", open_points="fails:relevance")
    figure = draw("grade_of_evidence", frame, "en")
    names = [t.get_text() for ax in figure.axes for t in ax.get_yticklabels()]
    assert "The caseworker's optimism" not in names
    assert "Not identified here: The caseworker's optimism." in figure.description.note


def test_without_any_number_the_figure_refuses_and_the_table_prints(whole):
    nothing = hidden(whole, *RUNGS)
    with pytest.raises(SpecError, match="no design has a number"):
        draw("grade_of_evidence", nothing)
    assert_prints_well("evidence_table", nothing)


def test_the_table_names_what_a_credible_verdict_rests_on(whole):
    frame = turned(whole, "leniency", verdict="credible under stated assumptions", open_points=None)
    frame = turned(frame, "leniency", rests_on="by_design:random_assignment|stated:no_interference")
    (ax,) = draw("evidence_table", frame, "en").axes
    words = " ".join(" ".join(t.get_text().split()) for t in ax.texts)
    assert "namely that the citizen's caseworker is a matter of chance (by design)" in words
    assert "Two caseworkers' answers (per step)" in words
