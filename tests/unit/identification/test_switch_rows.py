"""Where changes of caseworker are seen, and where they are not."""

import numpy as np
import pandas as pd
import pytest
from switch_panel import chance_panel, panel_of, rows_of

from jobchance.errors import DesignError, IdentificationError, SpecError
from jobchance.identification.switch_rows import (
    EXOGENOUS,
    check_reasons,
    chosen_changes,
    count_reasons,
    read_history,
)


def changes(**workers):
    frame = read_history(panel_of(rows_of(**workers))).frame
    return {c: list(part.loc[part["change"], "wave"]) for c, part in frame.groupby("citizen_id")}


def test_a_change_is_another_known_caseworker_than_in_the_row_before():
    assert changes(a="AAB", b="AAA") == {"a": [3], "b": []}


def test_going_back_and_forth_is_a_change_every_time():
    assert changes(a="ABABA", b="AA") == {"a": [2, 3, 4, 5], "b": []}


def test_an_unknown_caseworker_hides_when_a_change_came():
    found = read_history(panel_of(rows_of(a="A.B", b="A.A", c="ABB", d=".AB")))
    frame = found.frame.set_index(["citizen_id", "wave"])
    assert list(frame.index[frame["change"]]) == [("c", 2), ("d", 3)]
    # after an unknown row nobody counts as unchanged
    assert list(frame.loc["b", "breaks"]) == [0, 1, 2]
    assert list(frame.loc["c", "breaks"]) == [0, 1, 1]
    assert list(frame.loc["d", "breaks"]) == [1, 2, 3]


def test_a_wave_without_a_form_leaves_the_change_but_not_its_wave():
    frame = read_history(panel_of(rows_of(a="A-B", b="AB"))).frame.set_index(["citizen_id", "wave"])
    assert frame.loc[("a", 3), "change"]
    assert not frame.loc[("a", 3), "follows"]
    assert frame.loc[("b", 2), "follows"]


def test_two_caseworkers_in_one_wave_are_refused_with_a_count():
    frame = pd.concat([rows_of(a="AB", b="AA"), rows_of(a="-C")])
    with pytest.raises(DesignError, match="2 of 5 rows share citizen and wave"):
        read_history(panel_of(frame))


def test_the_order_of_the_rows_does_not_matter():
    panel = chance_panel(citizens=60)
    mixed = panel_of(panel.frame.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(read_history(panel).frame, read_history(mixed).frame)


@pytest.mark.parametrize(
    ("frame", "missing"),
    [
        (rows_of(a="AA", b="BB"), ("shifts",)),
        (rows_of(a="A", b="B"), ("repeated_measurements",)),
        (rows_of(a="..", b=".."), ("caseworker_ids",)),
        (rows_of(a=".", b="."), ("caseworker_ids", "repeated_measurements")),
        (rows_of(a="AB", b="BB").drop(columns="caseworker_id"), ("caseworker_ids",)),
    ],
)
def test_what_is_missing_has_a_key(frame, missing):
    with pytest.raises(IdentificationError) as error:
        read_history(panel_of(frame))
    assert error.value.missing == missing


def test_absent_columns_are_named():
    with pytest.raises(DesignError, match="jobcentre_id, period"):
        read_history(panel_of(rows_of(a="AB").drop(columns=["jobcentre_id", "period"])))


def test_reasons_choose_changes():
    frame = rows_of(a="AB", b="AB", c="AB", d="AB").assign(
        shift_reason=[None, "leave", None, "requested", None, None, None, np.nan]
    )
    history = read_history(panel_of(frame))
    assert history.has_reasons
    assert chosen_changes(history, None).sum() == 4
    assert chosen_changes(history, EXOGENOUS).sum() == 1
    assert chosen_changes(history, ("requested",)).sum() == 1
    table = count_reasons(history, EXOGENOUS).set_index("reason")
    assert dict(table["kind"]) == {
        "leave": "exogenous",
        "requested": "case_driven",
        "undocumented": "undocumented",
    }
    assert dict(table["n_shifts"]) == {"leave": 1, "requested": 1, "undocumented": 2}


def test_without_reasons_all_changes_count():
    history = read_history(panel_of(rows_of(a="AB", b="AA")))
    assert not history.has_reasons
    assert chosen_changes(history, EXOGENOUS).sum() == 1


def test_unknown_reasons_are_refused():
    assert check_reasons("all", EXOGENOUS) is None
    assert check_reasons("exogenous", EXOGENOUS) == EXOGENOUS
    assert check_reasons(["leave", "leave"], EXOGENOUS) == ("leave",)
    with pytest.raises(SpecError, match="'holiday' is not known"):
        check_reasons(["holiday"], EXOGENOUS)
    with pytest.raises(SpecError, match="exogenous="):
        check_reasons("all", ["holiday"])
    with pytest.raises(SpecError, match="reasons='some'"):
        check_reasons("some", EXOGENOUS)
    with pytest.raises(SpecError, match="empty"):
        check_reasons([], EXOGENOUS)


def test_printed_parts_name_nobody():
    history = read_history(chance_panel(citizens=60))
    assert "c1" not in repr(history)
    assert "changes)" in repr(history)
