"""F15: the shares are plain shares, the contrast follows the data, nothing small is compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analytic_studies import POLICY, build_citizen_panel, coin_outcomes, with_frame, without_outcomes

from jobchance import build_panel, simulate_study
from jobchance.disclosure.check import protect
from jobchance.findings import belief_gradient
from jobchance.findings.context import CONTEXT_COLUMNS


def _built(study, panel):
    assert belief_gradient.needs(study, panel) == ()
    return belief_gradient.build(study, panel, policy=POLICY).frame


def test_shares_are_those_of_first_measurements(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    first = bip_panel.frame.sort_values(["citizen_id", "wave"]).groupby("citizen_id").head(1)
    first = first.assign(
        level=first["belief"].map("{:.0f}".format).where(~first["belief_dont_know"], "dont_know")
    )
    known = first.dropna(subset=["outcome"])
    bars = frame[frame["mark"] == "level"].set_index("level")
    assert list(bars.index) == ["1", "2", "3", "4", "5", "dont_know"]
    by_level = known.groupby("level")["outcome"]
    assert bars["estimate"].to_dict() == pytest.approx(by_level.mean().to_dict())
    assert bars["N_citizens"].to_dict() == by_level.size().to_dict()
    assert bars["N_events"].to_dict() == by_level.sum().to_dict()
    assert (bars["conf_low"] < bars["estimate"]).all()
    assert (bars["conf_high"] > bars["estimate"]).all()
    assert frame["N_censored"].iloc[0] == len(first) - len(known)
    assert frame["N_citizens_total"].iloc[0] == len(known)


def test_contrast_is_the_highest_against_the_lowest_answer(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    share = frame[frame["mark"] == "level"].set_index("level")["estimate"]
    difference = frame[frame["mark"] == "difference"].iloc[0]
    ratio = frame[frame["mark"] == "ratio"].iloc[0]
    assert (difference["level"], difference["compared_with"]) == ("5", "1")
    assert difference["estimate"] == pytest.approx(share["5"] - share["1"])
    assert ratio["estimate"] == pytest.approx(share["5"] / share["1"])
    assert difference["conf_low"] < difference["estimate"] < difference["conf_high"]


def test_frame_is_predictive_self_sufficient_and_without_ids(bip_study, bip_panel):
    frame = _built(bip_study, bip_panel)
    assert list(frame.columns[-len(CONTEXT_COLUMNS) :]) == list(CONTEXT_COLUMNS)
    assert set(frame["estimand"]) == {"predictive"}
    assert not [column for column in frame if column.endswith("_id")]
    assert pd.api.types.is_string_dtype(frame["level"].dropna())


def test_steep_gradient_without_any_effect():
    study = simulate_study(seed=77, belief_effect=0, optimism_effect=0)
    frame = _built(study, build_panel(study))
    ratio = frame[frame["mark"] == "ratio"].iloc[0]
    assert ratio["conf_low"] > 5
    assert set(frame["estimand"]) == {"predictive"}


def test_flat_and_reversed_gradients_are_seen(bip_study, bip_panel):
    flat = _built(bip_study, coin_outcomes(bip_panel, 0.1, seed=1))
    gap = flat[flat["mark"] == "difference"].iloc[0]
    assert gap["conf_low"] < 0 < gap["conf_high"]
    turned = _built(bip_study, with_frame(bip_panel, belief=6 - bip_panel.frame["belief"]))
    gap = turned[turned["mark"] == "difference"].iloc[0]
    assert gap["conf_high"] < 0


def test_an_end_that_may_not_be_shown_is_not_compared(bip_study, bip_panel):
    rows = bip_panel.frame
    lowest = rows["belief"] == 1
    quiet = with_frame(bip_panel, outcome=rows["outcome"].where(~lowest, 0.0))
    frame = _built(bip_study, quiet)
    assert set(frame.loc[frame["mark"] != "level", "compared_with"]) == {"2"}


def test_an_end_that_is_hidden_to_protect_another_is_not_compared(bip_study, bip_panel):
    # Two citizens gave the lowest answer: their number would follow from the total, so the next smallest
    # answer is hidden as well, and the contrast must not be with either.
    belief = bip_panel.frame["belief"].clip(lower=3)
    citizens = bip_panel.frame.loc[belief == 3, "citizen_id"].drop_duplicates().to_numpy()
    belief[bip_panel.frame["citizen_id"].isin(citizens[:2])] = 1.0
    belief[bip_panel.frame["citizen_id"].isin(citizens[2:162])] = 2.0
    outcome = bip_panel.frame["outcome"].mask(bip_panel.frame["citizen_id"].isin(citizens[2:62]), 1.0)
    frame = _built(bip_study, with_frame(bip_panel, belief=belief, outcome=outcome))
    shown = protect(frame, POLICY, output="F15")
    hidden = set(shown.loc[shown["suppressed"] & (shown["mark"] == "level"), "level"])
    assert "1" in hidden
    contrasts = shown[shown["mark"] != "level"]
    assert contrasts["estimate"].notna().all()
    assert not set(contrasts["compared_with"]) & hidden


def test_citizens_own_belief_without_caseworkers(bip_study):
    study, panel = build_citizen_panel(bip_study)
    frame = _built(study, panel)
    assert set(frame["respondent"]) == {"citizen"}
    assert set(frame["interval"]) == {"wilson"}
    assert frame["N_caseworkers_total"].iloc[0] == 0
    assert (frame.loc[frame["mark"] == "level", "N_citizens"] > 0).all()


def test_row_order_changes_nothing(bip_study, bip_panel):
    shuffled = bip_panel.frame.sample(frac=1, random_state=3)
    again = type(bip_panel)(shuffled, bip_panel.flow, bip_panel.meta)
    one, other = _built(bip_study, bip_panel), _built(bip_study, again)
    np.testing.assert_allclose(other["estimate"], one["estimate"])
    np.testing.assert_allclose(other["conf_low"], one["conf_low"])


def test_needs_names_what_is_missing(bip_study, bip_panel):
    assert belief_gradient.needs(bip_study, None) == ("need.outcome",)
    assert belief_gradient.needs(bip_study, without_outcomes(bip_panel)) == ("need.outcome",)
    silent = with_frame(bip_panel, belief=np.nan, belief_dont_know=False)
    assert belief_gradient.needs(bip_study, silent) == ("need.belief",)
