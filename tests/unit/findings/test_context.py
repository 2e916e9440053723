import numpy as np
import pandas as pd
import pytest
from small_study import make_panel, make_study

from jobchance.findings.catalogue import CATALOGUE
from jobchance.findings.context import (
    CONTEXT_COLUMNS,
    add_context,
    cluster_column,
    cluster_labels,
    first_at_risk,
    interval_key,
    shares_by,
)
from jobchance.labels.load import label
from jobchance.numerics.proportions import share

ROWS = pd.DataFrame(
    {
        "citizen_id": ["a", "a", "b", "c", "d"],
        "caseworker_id": ["x", "y", "x", "y", None],
        "level": ["1", "1", "1", "2", "2"],
        "outcome": [1.0, 1.0, 0.0, np.nan, 1.0],
    }
)


def test_shares_count_citizens_once_and_leave_out_unknown_outcomes():
    found = shares_by(ROWS, "level").set_index("level")
    assert found.loc["1", "share"] == pytest.approx(2 / 3)
    assert tuple(found.loc["1", ["N_rows", "N_citizens", "N_events", "N_caseworkers"]]) == (3, 2, 1, 2)
    assert tuple(found.loc["2", ["N_rows", "N_citizens", "N_events", "N_caseworkers"]]) == (1, 1, 1, 0)


def test_shares_are_clustered_by_caseworker_else_citizen_else_not_at_all():
    assert cluster_column(ROWS) == "caseworker_id"
    alone = ROWS.assign(caseworker_id=None)
    assert cluster_column(alone) == "citizen_id"
    assert interval_key(alone) == "cluster_citizen"
    once = alone.drop_duplicates("citizen_id")
    assert cluster_labels(once) is None
    assert interval_key(once) == "wilson"
    expected = share([1, 0, 1])
    assert shares_by(once.assign(level="all"), "level")["conf_low"][0] == pytest.approx(expected.conf_low)


def test_row_without_caseworker_is_a_cluster_of_its_citizen():
    labels = cluster_labels(ROWS)
    assert labels[4] not in ("x", "y")
    assert list(labels[:2]) == ["x", "y"]


def test_first_at_risk_is_the_earliest_wave_of_each_citizen():
    panel = make_panel(
        [("b", "s1", 3, 2, 0), ("a", "s1", 2, 4, 1), ("b", "s1", 1, 5, 0), ("a", "s1", 4, 1, 1)]
    )
    first = first_at_risk(panel)
    assert list(zip(first["citizen_id"], first["wave"], strict=True)) == [("a", 2), ("b", 1)]


def test_context_stands_last_and_keeps_a_respondent_by_row():
    study = make_study([("a", 1, "caseworker", "s1", {"belief_job": 3})])
    panel = make_panel([("a", "s1", 1, 3, 0)], outcome="education", horizon_weeks=26)
    arguments = {"rows": panel.frame, "estimand": "descriptive", "population": "all", "interval": "none"}
    frame = add_context(pd.DataFrame({"value": [1.0]}), study, panel, **arguments)
    assert tuple(frame.columns[1:]) == CONTEXT_COLUMNS
    assert frame.loc[0, ["outcome", "horizon_weeks", "N_citizens_total"]].tolist() == ["education", 26, 1]
    both = add_context(pd.DataFrame({"respondent": ["citizen", "caseworker"]}), study, None, **arguments)
    assert list(both["respondent"]) == ["citizen", "caseworker"]
    assert set(both["outcome"]) == {"job"}


def test_catalogue_holds_the_sixteen_entries_in_order_with_titles():
    ids = [entry.id for entry in CATALOGUE]
    assert ids == [
        "T1",
        "T2",
        "F1",
        "F3",
        "F4",
        "F5",
        "F8",
        "F9",
        "F10",
        "F15",
        "F16",
        "F17",
        "F18",
        "F19",
        "F23",
        "T7",
    ]
    for entry in CATALOGUE:
        assert label(f"catalogue.{entry.name}", "da") != label(f"catalogue.{entry.name}", "en")


@pytest.mark.parametrize("name", [entry.name for entry in CATALOGUE[:9]])
def test_needs_are_words(name):
    study = make_study([("a", 1, "caseworker", "s1", {})])
    entry = next(entry for entry in CATALOGUE if entry.name == name)
    for key in entry.module.needs(study, None):
        assert label(key, "da") != label(key, "en")
