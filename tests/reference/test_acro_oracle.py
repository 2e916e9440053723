"""Our checks under the `sacro` preset against acro's verdicts, cell by cell (stored: acro/make_acro.py)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jobchance.disclosure.check import check, protect
from jobchance.disclosure.complementary import protect_tables
from jobchance.disclosure.dominance import Contributors, dominance
from jobchance.disclosure.policy import DisclosurePolicy

SACRO = DisclosurePolicy.preset("sacro")
VERDICTS = json.loads((Path(__file__).parent / "acro" / "verdicts.json").read_text())
TABLES = sorted(VERDICTS["tables"])


def rows_of(name):
    rows = pd.DataFrame(VERDICTS["tables"][name]["rows"])
    return rows.assign(citizen_id=range(len(rows)))


def cells(name):
    by = ["place", "level"]
    return (
        rows_of(name)
        .groupby(by, as_index=False)
        .agg(N_citizens=("citizen_id", "size"), value=("amount", "sum"))
    )


def hidden(frame):
    gone = frame[frame["suppressed"]]
    return sorted(f"{place}|{level}" for place, level in zip(gone["place"], gone["level"], strict=True))


@pytest.mark.parametrize("name", TABLES)
def test_counts_are_hidden_where_acro_hides_them(name):
    frame = protect(cells(name).drop(columns="value"), SACRO, output=name)
    assert hidden(frame) == VERDICTS["tables"][name]["count"]


@pytest.mark.parametrize("name", TABLES)
def test_sums_are_hidden_where_acro_hides_them(name):
    measures = dominance(
        Contributors(rows_of(name), "citizen_id", "amount"), ["place", "level"], policy=SACRO
    )
    frame = cells(name).merge(measures.drop(columns=["N_contributors", "dominated"]), on=["place", "level"])
    assert hidden(protect(frame, SACRO, output=name)) == VERDICTS["tables"][name]["sum"]


def test_models_pass_and_fail_at_the_same_degrees_of_freedom():
    assert {model["status"] for model in VERDICTS["models"]} == {"pass", "fail"}
    for model in VERDICTS["models"]:
        frame = pd.DataFrame({"term": ["x"], "estimate": [0.5], "df_resid": [model["df_resid"]]})
        broken = {breach.rule for breach in check(frame, SACRO, output="model")}
        assert ("min_dof" in broken) == (model["status"] == "fail"), model


@pytest.mark.parametrize("name", ["nine", "one"])
def test_on_purpose_more_is_hidden_than_acro_hides_where_totals_are_shown(name):
    """acro hides unsafe cells only; with the margins beside them they can be worked out, so we hide more."""
    inner = cells(name).drop(columns="value")
    margins = [
        inner.groupby("place", as_index=False)["N_citizens"].sum().assign(level="total"),
        inner.groupby("level", as_index=False)["N_citizens"].sum().assign(place="total"),
    ]
    table = pd.concat([inner, *margins], ignore_index=True)
    ours = protect_tables({"t": table}, SACRO, dimensions=["place", "level"])["t"]
    acros = VERDICTS["tables"][name]["count"]
    assert set(acros) < set(hidden(ours))
    # Control: what acro leaves gives the hidden cell back.
    lone = acros[0].split("|")
    row = table[(table["place"] == lone[0]) & (table["level"] == "total")]["N_citizens"].item()
    seen = inner[(inner["place"] == lone[0]) & (inner["level"] != lone[1])]["N_citizens"].sum()
    true = inner[(inner["place"] == lone[0]) & (inner["level"] == lone[1])]["N_citizens"].item()
    assert row - seen == true


def test_the_stored_verdicts_are_not_all_the_same():
    found = [bool(VERDICTS["tables"][name][kind]) for name in TABLES for kind in ("count", "sum")]
    assert len(set(found)) == 2
    assert np.unique([len(rows_of(name)) for name in TABLES]).size > 1
