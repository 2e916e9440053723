"""Assumption cards: one rule from statuses to verdict."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import SpecError
from jobchance.identification.cards import (
    CREDIBLE,
    NOT_IDENTIFIED,
    PREDICTS,
    SUGGESTIVE,
    Assumption,
    Card,
    checks_frame,
    judge_p,
    read_checks,
)
from jobchance.identification.thresholds import Thresholds
from jobchance.models.glm import fit_glm
from jobchance.results.fit import Fit

HOLDS = Assumption("random_assignment", "holds", test="balance_joint", p_value=0.4)


@pytest.mark.parametrize(
    ("status", "breaks", "verdict"),
    [
        ("holds", PREDICTS, CREDIBLE),
        ("by_design", PREDICTS, CREDIBLE),
        ("stated", PREDICTS, CREDIBLE),
        ("accepted", PREDICTS, CREDIBLE),
        ("doubtful", PREDICTS, SUGGESTIVE),
        ("untested", PREDICTS, SUGGESTIVE),
        ("fails", PREDICTS, PREDICTS),
        ("fails", NOT_IDENTIFIED, NOT_IDENTIFIED),
    ],
)
def test_the_weakest_assumption_decides(status: str, breaks: str, verdict: str) -> None:
    card = Card("leniency", "dispositional", (HOLDS, Assumption("exclusion", status, breaks=breaks)))
    assert card.verdict == verdict


def test_no_test_lifts_a_design_above_its_ceiling() -> None:
    assert Card("gradient", "predictive", (HOLDS,), ceiling=PREDICTS).verdict == PREDICTS


def test_what_is_missing_refuses_the_rung() -> None:
    card = Card("leniency", "dispositional", (HOLDS,), missing=("caseworkers",))
    assert (card.verdict, card.status) == (NOT_IDENTIFIED, "missing")


def test_the_analyst_may_vouch_for_the_untestable_but_not_against_a_test() -> None:
    silent = Assumption("exclusion", "doubtful")
    warned = Assumption("no_pretrend", "doubtful", p_value=0.03)
    weak = Assumption("reliability", "doubtful", value=0.1, threshold=0.4)
    card = Card("iv", "case", (silent, warned, weak)).accept(["exclusion", "no_pretrend", "reliability"])
    assert [a.status for a in card.assumptions] == ["accepted", "doubtful", "doubtful"]


def test_a_p_value_at_a_threshold_is_not_below_it() -> None:
    limits = Thresholds()
    found = [judge_p(p, limits) for p in (np.nan, 0.009, 0.01, 0.049, 0.05)]
    assert found == ["untested", "fails", "doubtful", "doubtful", "holds"]


def test_checks_come_back_from_their_table() -> None:
    given = (HOLDS, Assumption("exclusion", "doubtful", breaks=NOT_IDENTIFIED))
    read = read_checks(checks_frame(given))
    assert [(a.name, a.status, a.breaks) for a in read] == [(a.name, a.status, a.breaks) for a in given]
    assert read[0].p_value == 0.4


def test_every_threshold_has_a_reason_and_bad_ones_are_listed_together() -> None:
    assert (Thresholds().frame["reason"].str.len() > 20).all()
    with pytest.raises(SpecError, match=r"doubt_p.*min_events"):
        Thresholds(doubt_p="a", min_events=-1)  # type: ignore[arg-type]


def test_diagnostics_travel_with_a_stored_fit() -> None:
    data = pd.DataFrame({"y": [1.0, 2, 4, 3], "x": [0.0, 1, 2, 3]})
    checks = checks_frame([HOLDS, Assumption("exclusion", "doubtful")])
    fit = replace(fit_glm("y ~ x", data, family="gaussian", vcov="model"), diagnostics={"checks": checks})
    back = Fit.from_dict(json.loads(json.dumps(fit.to_dict())))
    pd.testing.assert_frame_equal(back.diagnostics["checks"], checks)
    assert "random_assignment" in back.summary()


def test_tables_beside_the_estimates_print_truth_values_and_small_p_values() -> None:
    data = pd.DataFrame({"y": [1.0, 2, 4, 3], "x": [0.0, 1, 2, 3]})
    table = pd.DataFrame({"kept": [True, False], "p_value": [1e-130, np.nan]})
    text = replace(
        fit_glm("y ~ x", data, family="gaussian", vcov="model"), diagnostics={"steps": table}
    ).summary()
    assert "yes" in text
    assert "< 0.001".replace(" ", "\u00a0") in text or "< 0.001" in text
    assert "000000" not in text
