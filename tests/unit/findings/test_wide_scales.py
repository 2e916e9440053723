"""Scales that are not five steps: bands, ends of the scale, and what may be compared across lengths."""

import numpy as np
import pandas as pd
import pytest
from small_study import OPEN, make_panel, make_study, with_item

from jobchance.findings import belief_distribution, indicator_distributions
from jobchance.panel.answers import belief_steps, construct_answers, step_label, steps
from jobchance.study.instrument import read_instrument


def scaled(low, high, **changes):
    return with_item(
        read_instrument("bip"), "belief_job", scale_min=low, scale_max=high, categories={}, **changes
    )


def bands_of(values, instrument):
    study = make_study([("c1", 1, "caseworker", "s1", {"belief_job": 1})], instrument=instrument)
    rows = pd.DataFrame({"belief": np.asarray(values, dtype=float)})
    return belief_steps(study, rows)["step"].tolist()


@pytest.mark.parametrize(("high", "number"), [(10, 11), (11, 5), (100, 5)])
def test_more_than_eleven_steps_become_five_bands(high, number):
    assert len(steps(scaled(0.0, high).item("belief_job"))) == number


def test_bands_have_equal_width_and_their_ends_as_words():
    item = scaled(0.0, 100.0).item("belief_job")
    assert [step_label(item, step, "da") for step in steps(item)] == [
        "0–19",
        "20–39",
        "40–59",
        "60–79",
        "80–100",
    ]
    assert bands_of([0, 19, 19.9, 20, 59, 80, 100], scaled(0.0, 100.0)) == [1, 1, 1, 2, 3, 5, 5]


def test_every_whole_number_stands_in_the_band_that_names_it():
    for low, high in ((1, 100), (0, 12), (-50, 50), (3, 40)):
        instrument = scaled(float(low), float(high))
        item = instrument.item("belief_job")
        numbers = list(range(low, high + 1))
        seen = {}
        for number, band in zip(numbers, bands_of(numbers, instrument), strict=True):
            seen.setdefault(int(band), []).append(number)
        for band, inside in seen.items():
            words = step_label(item, str(band), "en").replace("−", "-")
            ends = [int(part) for part in words.replace(" to ", "–").split("–")]
            assert ends == [inside[0], inside[-1]], (low, high, band)


def test_a_reversed_wide_scale_is_turned_before_it_is_banded():
    assert bands_of([0, 100, 30], scaled(0.0, 100.0, reversed=True)) == [5, 1, 4]


def test_an_answer_never_rounds_beyond_the_last_step():
    instrument = scaled(0.5, 4.6)
    assert steps(instrument.item("belief_job")) == ["1", "2", "3", "4"]
    assert bands_of([0.5, 4.6, 2.4], instrument) == [1, 4, 2]


def test_banded_answers_are_complete_and_not_called_rounded():
    instrument = scaled(0.0, 100.0)
    values = [0, 12.5, 40, 77, 100, 100]
    forms = [(f"c{n}", 1, "caseworker", "s1", {"belief_job": value}) for n, value in enumerate(values)]
    study = make_study(forms, instrument=instrument)
    panel = make_panel([(f"c{n}", "s1", 1, value, 0) for n, value in enumerate(values)])
    frame = belief_distribution.build(study, panel, policy=OPEN).frame
    shown = frame[frame["level"] != "dont_know"]
    assert shown["N_citizens"].tolist() == [2, 0, 1, 1, 2]
    assert shown["share"].sum() == pytest.approx(1.0)
    assert not frame["rounded"].any()
    answers = construct_answers(study)
    # In steps, 0 stands half a step below the first band's middle and 100 half a step above the last one's.
    assert sorted(answers["value"]) == pytest.approx([0.5, 1.125, 2.5, 4.35, 5.5, 5.5])


@pytest.mark.parametrize(("high", "compared"), [(5.0, True), (3.0, False), (7.0, False)])
def test_the_two_highest_steps_are_compared_between_scales_of_one_length_only(high, compared):
    instrument = scaled(1.0, high)
    answers = {"belief_job": 2, "self_efficacy_cw": 4, "job_search_cw": 5}
    forms = [(f"c{n}", 1, "caseworker", "s1", answers) for n in range(6)]
    study = make_study(forms, instrument=instrument)
    frame = indicator_distributions.build(study, None, policy=OPEN).frame
    high_rows = set(frame.loc[frame["base"] == "high", "construct"])
    assert high_rows - {"caseworker_belief"} == {"self_efficacy", "job_search"}
    assert ("caseworker_belief" in high_rows) is compared
