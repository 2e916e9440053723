"""T1 and T2: counts of the study and of its instrument."""

import pandas as pd
import pytest
from small_study import OPEN, make_study

from jobchance.findings import instrument_table, study_overview

FORMS = [
    ("a", 1, "caseworker", "s1", {"belief_job": 3, "job_search_cw": None}),
    ("a", 1, "citizen", None, {"job_search_ci": 2}),
    ("a", 2, "caseworker", "s2", {"belief_job": 4}),
    ("b", 5, "caseworker", "s1", {"belief_job": 1}),
]


def overview(study):
    return study_overview.build(study, None, policy=OPEN).frame.set_index("quantity")


def test_overview_counts():
    found = overview(make_study(FORMS))["value"]
    expected = {"jobcentres": 1, "caseworkers": 2, "citizens": 2, "relationships": 3, "forms_caseworker": 3}
    expected |= {"forms_citizen": 1, "forms_all": 4, "ratings": 5, "waves": 1.5, "measured": 2013}
    assert found.to_dict() == pytest.approx(expected)
    assert overview(make_study(FORMS)).loc["measured", "value_to"] == 2014


def test_relationships_come_from_assignments_where_there_are_any():
    table = pd.DataFrame({"citizen_id": ["a", "a", "b"], "caseworker_id": ["s1", "s1", "s4"]})
    assert overview(make_study(FORMS, assignment=table)).loc["relationships", "value"] == 2


def test_what_the_study_lacks_has_no_row():
    citizens_only = make_study([("a", 1, "citizen", None, {"job_search_ci": 2})])
    found = overview(citizens_only)
    assert not {"caseworkers", "jobcentres", "relationships", "forms_all", "follow_up"} & set(found.index)


def test_instrument_counts_questions_and_shows_every_status():
    frame = instrument_table.build(make_study(FORMS), None, policy=OPEN).frame.set_index("construct")
    assert len(frame) == 11
    assert (frame["items_citizen"] == "1").sum() == 9
    assert (frame["items_caseworker"] == "1").sum() == 11
    assert (frame["core7"] == "yes").sum() == 7
    assert list(frame.index[frame["wording_caseworker"] == "verified"]) == ["caseworker_belief"]
    assert frame.loc["placeholder11", ["construct_status", "wording_citizen"]].tolist() == ["placeholder", ""]
    assert set(frame["scale_status"]) == {"inferred"}
    assert instrument_table.needs(make_study(FORMS), None) == ()
