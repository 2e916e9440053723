"""The ladder in words: what may be said at which verdict, in both directions."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from jobchance.identification.cards import CREDIBLE, Assumption, Card
from jobchance.identification.ladder import ESTIMANDS, RUNGS
from jobchance.identification.ladder_result import EvidenceLadder
from jobchance.identification.rungs.model import Line, Rung
from jobchance.identification.thresholds import Thresholds
from jobchance.labels.load import label, label_table

CAUSE = re.compile(
    r"\beffekt(en|er|erne)?\b|\beffects?\b|virker|skyldes|cause|påvirk|forårsag|impact|\bbliver\b|\bbecomes\b",
    re.I,
)
META = {"outcome": "job", "horizon_weeks": 52, "base_rate": 0.06}
UNIT = {
    "raw_gradient": "pp, highest against lowest answer",
    "leniency": "pp per sd of optimism",
    "shift": "pp per sd of optimism",
    "value_added": "pp, sd between caseworkers",
    "direction": "pp of activity per step of the answer",
}
OPEN = {
    "credible": (
        Assumption("random_assignment", "by_design", "assignment_rule"),
        Assumption("balance", "holds"),
    ),
    "suggestive": (Assumption("independent_errors", "doubtful"),),
    "predicts": (Assumption("balance", "fails"),),
    "refused": (),
}


def rung(name, estimate=2.0, se=0.5, kind="suggestive"):
    """A rung with a number of one's own; `kind` decides its verdict."""
    if kind == "refused":
        return Rung(Card(name, ESTIMANDS[name], missing=("events",)), reason="too few")
    directions = pd.DataFrame(
        {"direction": ["action_to_belief"], "estimate": [-0.1], "conf_low": [-0.3], "conf_high": [0.1]}
    )
    fits = {
        "raw_gradient": {
            "cell_means": SimpleNamespace(estimates=np.array([0.02, 0.05, 0.02 + estimate / 100]))
        },
        "direction": {"cross_lagged": SimpleNamespace(diagnostics={"directions": directions})},
    }
    unit = UNIT.get(name, "pp per step of the answer")
    line = Line(estimate, se, unit, "relationships", np.inf, 900, 1000, 80)
    return Rung(Card(name, ESTIMANDS[name], OPEN[kind]), line, fits.get(name, {}))


def ladder(*rungs):
    return EvidenceLadder(tuple(rungs), META, Thresholds())


def paragraphs(text):
    return [p for p in text.split("\n\n") if p.strip()]


@pytest.mark.parametrize("lang", ["da", "en"])
@pytest.mark.parametrize("kind", ["suggestive", "predicts", "refused"])
@pytest.mark.parametrize("estimate", [-2.0, 0.1, 2.0])
def test_no_word_for_cause_without_a_credible_verdict(lang, kind, estimate):
    said = paragraphs(ladder(*(rung(name, estimate, kind=kind) for name in RUNGS)).text(lang))
    conclusion, rest = said[1], said[2:]
    assert [p for p in rest if CAUSE.search(p)] == []
    allowed = {label(f"ladder.conclusion.{k}", lang) for k in ("suggestive", "predicts", "nothing")}
    allowed = {f"**{a}**" for a in allowed} | {f"**{a} {label('ladder.guard', lang)}**" for a in allowed}
    assert conclusion in allowed


@pytest.mark.parametrize("lang", ["da", "en"])
def test_words_for_cause_stand_in_paragraphs_of_credible_rungs_only(lang):
    mixed = ladder(*(rung(n, kind="credible" if n == "leniency" else "suggestive") for n in RUNGS))
    with_cause = [p for p in paragraphs(mixed.text(lang))[2:] if CAUSE.search(p)]
    assert len(with_cause) == 1
    assert with_cause[0].startswith(f"**{label('rung.leniency.name', lang)}.**")
    unclear = ladder(rung("leniency", 0.1, kind="credible"))
    assert unclear.cards["leniency"].verdict == CREDIBLE
    assert [p for p in paragraphs(unclear.text(lang))[2:] if CAUSE.search(p)] == []


def test_labels_outside_the_named_ones_hold_no_word_for_cause():
    allowed = re.compile(r"ladder\.(conclusion\..+|guard|say\.\w+\.effect)$")
    topics = ("ladder.", "assumption.", "missing.", "assumption_test.")
    bad = [
        key
        for key, texts in label_table().items()
        if key.startswith(topics) and not allowed.match(key)
        for text in texts.values()
        if CAUSE.search(text)
    ]
    assert bad == []


@pytest.mark.parametrize("lang", ["da", "en"])
def test_the_raw_gradient_is_called_a_prediction_whatever_its_sign(lang):
    verdict = label("verdict.predicts_only.name", lang)
    for estimate in (20.0, -1.5, 0.1):
        text = ladder(rung("raw_gradient", estimate, kind="predicts")).text(lang)
        assert label("ladder.guard", lang) in text
        assert verdict in paragraphs(text)[4]
    reversed_ = ladder(rung("raw_gradient", -1.5, se=0.2, kind="predicts")).text("en")
    assert "reversed" in reversed_


@pytest.mark.parametrize(
    ("lang", "estimate", "words"),
    [
        ("da", 2.0, "er andelen 2,0\xa0procentpoint (33\xa0pct.) højere"),
        ("da", -2.0, "er andelen 2,0\xa0procentpoint (33\xa0pct.) lavere"),
        ("en", -2.0, "the share is 2.0\xa0percentage\xa0points (33%) lower"),
        ("da", 0.1, "−0,9 til 1,1"),
        ("en", -0.1, "−0.1\xa0percentage\xa0points (−2%)"),
    ],
)
def test_both_directions_read_as_such_with_relative_terms(lang, estimate, words):
    assert words in ladder(rung("adjusted", estimate, kind="predicts")).text(lang)


def test_what_a_credible_verdict_rests_on_is_named():
    said = ladder(rung("leniency", kind="credible")).text("en")
    assert "namely that the citizen's caseworker is a matter of chance (by design)" in said
    assert "1 design" not in said


def test_an_end_that_would_print_as_zero_is_shown_with_its_digits():
    assert "0.02–3.98" in ladder(rung("adjusted", 2.0, se=1.01, kind="predicts")).text("en")


def test_the_conclusion_names_credible_designs_that_disagree():
    both = ladder(rung("leniency", 2.0, kind="credible"), rung("shift", 0.1, kind="credible"))
    conclusion = paragraphs(both.text("en"))[1]
    assert (
        "can be read as an effect if the stated assumptions hold: The caseworker's optimism (2.0"
        in conclusion
    )
    assert "Other credible designs detect no effect: A change of caseworker (0.1" in conclusion


@pytest.mark.parametrize("n", [1, 2, 10])
def test_reservations_count_the_designs_with_a_number(n):
    kinds = ["suggestive"] * n + ["refused"] * (len(RUNGS) - n)
    text = ladder(*(rung(name, kind=k) for name, k in zip(RUNGS, kinds, strict=True))).text("en")
    assert (f"{n} designs gave a number" in text) == (n > 1)
    assert ("different scales" in text) == (n > 1)
    assert "must not be used to judge single members of staff" in text


@pytest.mark.parametrize("lang", ["da", "en"])
def test_a_page_without_gaps(lang):
    text = ladder(*(rung(name) for name in RUNGS)).text(lang)
    assert not re.search(r"\{|\}|\bnan\b|None|\.\.|  | \.|\?\.", text)
    assert len(text.split()) < 900


def test_a_refused_rung_says_what_is_missing():
    text = ladder(rung("adjusted", kind="predicts"), rung("shift", kind="refused")).text("da")
    assert "**Skift af sagsbehandler.** Kan ikke afgøres her. I data mangler: nok borgere" in text


def test_a_rung_whose_number_means_nothing_shows_none():
    weak = Assumption(
        "relevance", "fails", "effective_f", value=2.0, threshold=23.1, breaks="not identified here"
    )
    made = rung("leniency_iv")
    text = ladder(made.with_card(Card("leniency_iv", "case_level_iv", (weak,)))).text("en")
    assert "Not identified here. The data contradict that more optimistic caseworkers" in text
    assert "2.0" not in text


def test_a_card_in_words_lists_every_assumption_with_its_test():
    card = Card(
        "leniency",
        "dispositional",
        (
            Assumption("balance", "holds", "balance_joint", statistic=1.0, df=3, p_value=0.26),
            Assumption("relevance", "holds", "effective_f", value=31.4, threshold=23.1, p_value=1e-9),
            Assumption("no_interference", "stated"),
        ),
    )
    text = card.text("en")
    assert "- caseworkers were given citizens who are alike in what was measured: nothing against it" in text
    assert "p = 0.26)" in text
    assert "31.40 against 23.10; p <\xa00.001)" in text
    assert (
        "- other caseworkers' citizens are untouched by a caseworker's optimism: stated, cannot be tested"
        in text
    )
    assert card.text("da") != text


def test_summary_is_deterministic_and_holds_every_rung_and_test():
    made = ladder(*(rung(n, kind="refused" if n == "shift" else "suggestive") for n in RUNGS))
    text = made.summary()
    assert text == made.summary()
    assert all(name in text for name in RUNGS)
    assert "too few" in text
    assert "independent_errors" in text
    assert len({len(line) - len(line.lstrip()) for line in text.splitlines()[2:4]}) == 1
