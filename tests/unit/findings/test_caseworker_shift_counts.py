import pandas as pd
import pytest
from small_study import OPEN, STRICT, make_study

from jobchance.findings import caseworker_shift_counts


def study_of(**citizens):
    """`study_of(a="s1 s2")`: citizen a had s1, then s2; a name with "*" is a mentor."""
    rows = []
    for citizen, names in citizens.items():
        for place, name in enumerate(names.split()):
            start = pd.Timestamp("2013-01-01") + pd.Timedelta(days=30 * place)
            rows.append(
                (f"{citizen}{place}", citizen, name.strip("*"), start, "mentor" if "*" in name else "lead")
            )
    table = pd.DataFrame(rows, columns=["assignment_id", "citizen_id", "caseworker_id", "start", "role"])
    table = table.sample(frac=1, random_state=1)
    return make_study([("a", 1, "caseworker", "s1", {})], assignment=table)


def test_shifts_are_changes_between_neighbouring_lead_periods():
    study = study_of(a="s1", b="s1 s2", c="s1 s2 s1", d="s1 s1 s1", e="s1 *s2 s1", f="s1 s2 s3 s4 s1")
    frame = caseworker_shift_counts.build(study, None, policy=OPEN).frame.set_index("shifts")
    assert frame["N_citizens"].to_dict() == {"0": 3, "1": 1, "2": 1, "3+": 1, "any": 3}
    assert frame.loc["any", "share"] == pytest.approx(0.5)


def test_small_groups_are_covered_and_any_stays():
    people = {f"a{k}": "s1" for k in range(30)} | {f"b{k}": "s1 s2" for k in range(12)}
    people |= {f"c{k}": "s1 s2 s3" for k in range(8)} | {"d0": "s1 s2 s3 s4", "d1": "s1 s2 s3 s4"}
    frame = caseworker_shift_counts.build(study_of(**people), None, policy=STRICT).frame.set_index("shifts")
    assert set(frame.index[frame["suppressed"]]) == {"2", "3+"}
    assert frame.loc["any", "N_citizens"] == 22


def test_needs_assignments():
    assert caseworker_shift_counts.needs(make_study([("a", 1, "citizen", None, {})]), None) == (
        "need.assignment",
    )
    assert caseworker_shift_counts.needs(study_of(a="*s1"), None) == ("need.assignment",)
