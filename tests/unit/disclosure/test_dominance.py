"""Dominance measures by hand, for persons and for entities, and what becomes of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jobchance.disclosure.check import check, protect
from jobchance.disclosure.dominance import Contributors, dominance
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import SpecError

SACRO = DisclosurePolicy.preset("sacro")


def test_shares_and_remainders_by_hand():
    rows = pd.DataFrame({"cell": ["a"] * 4, "who": list("wxyz"), "kr": [60.0, 30, 6, 4]})
    found = dominance(Contributors(rows, "who", "kr"), ["cell"], policy=SACRO).iloc[0]
    assert found["N_contributors"] == 4
    assert found["dominance_share"] == pytest.approx(0.90)  # (60 + 30) / 100
    assert found["dominance_remainder"] == pytest.approx(10 / 60)
    assert found["dominated"], "90 per cent is not under 90 per cent"
    three = dominance(Contributors(rows, "who", "kr"), ["cell"], policy=replace(SACRO, nk=(3, 0.97)))
    assert three["dominance_share"].item() == pytest.approx(0.96)
    assert not three["dominated"].item()


def test_several_rows_of_one_contributor_count_together_and_signs_do_not():
    rows = pd.DataFrame({"cell": "a", "who": ["w", "w", "x", "y"], "kr": [-40.0, -20, 30, 10]})
    found = dominance(Contributors(rows, "who", "kr"), ["cell"], policy=SACRO)
    assert found["dominance_share"].item() == pytest.approx(0.90)


def test_a_caseworker_who_holds_most_of_a_jobcentre():
    rows = pd.DataFrame(
        {
            "jobcentre_id": ["n"] * 40 + ["s"] * 40,
            "caseworker_id": [*["big"] * 38, "b", "c", *np.repeat(list("defg"), 10)],
            "citizen_id": range(80),
        }
    )
    found = dominance(Contributors(rows, "caseworker_id"), ["jobcentre_id"], policy=SACRO)
    assert found["dominated"].tolist() == [True, False]


def test_nothing_held_dominates_nobody():
    rows = pd.DataFrame({"cell": "a", "who": list("xyz"), "kr": 0.0})
    found = dominance(Contributors(rows, "who", "kr"), ["cell"], policy=SACRO)
    assert found["dominance_share"].isna().all()
    assert not found["dominated"].any()


def test_measures_are_used_and_then_left_out():
    frame = pd.DataFrame(
        {"cell": list("ab"), "N_citizens": 50, "value": [1.5, 2.5], "dominance_share": [0.95, 0.5]}
    )
    assert {one.rule for one in check(frame, SACRO, output="t")} == {"nk", "dominance_shown"}
    safe = protect(frame, SACRO, output="t")
    assert safe["suppressed"].tolist() == [True, False]
    assert "dominance_share" not in safe
    assert check(safe, SACRO, output="t") == []


def test_absent_columns_are_named():
    with pytest.raises(SpecError, match="kr"):
        Contributors(pd.DataFrame({"who": []}), "who", "kr")
    with pytest.raises(SpecError, match="nowhere"):
        dominance(Contributors(pd.DataFrame({"who": [], "kr": []}), "who", "kr"), ["nowhere"], policy=SACRO)
