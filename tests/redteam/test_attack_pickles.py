"""Attacks on saved objects: a pickle, a copy or a document of a result holds no row and no identifier."""

import copy
import pickle
import warnings

import pandas as pd
import pytest
from outputs_under_attack import IDENTIFIER, arrays_within, small_panel

import jobchance as jc


def _frame():
    frame = small_panel().frame
    return frame[frame["outcome"].notna()].reset_index(drop=True)


MADE = {
    "glm": lambda d: jc.fit_glm("outcome ~ expectation", d, family="logit", cluster="caseworker_id"),
    "panel": lambda d: jc.fit_panel("outcome ~ expectation", d, estimator="pooled"),
    "within": lambda d: jc.fit_panel("outcome ~ expectation", d, estimator="within", unit="citizen_id"),
    "mixed": lambda d: jc.fit_mixed("outcome ~ expectation + (1 | caseworker_id)", d),
}


@pytest.fixture(scope="module")
def made():
    data = _frame()
    found = {}
    for name, make in MADE.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[name] = make(data)
    return found


def rows_or_persons(value, n_rows, n_persons):
    """Arrays that are as long as the rows or the persons, where they were found."""
    return [w for w, a in arrays_within(value) if max(a.shape, default=0) in (n_rows, n_persons)]


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_pickled_or_copied_fit_holds_no_rows(made, name):
    fit = made[name]
    data = _frame()
    n_rows, n_persons = len(data), data["citizen_id"].nunique()
    for again in (pickle.loads(pickle.dumps(fit)), copy.copy(fit), copy.deepcopy(fit)):
        assert not rows_or_persons(again, n_rows, n_persons)
    dumped = pickle.dumps(fit).decode("latin-1")
    assert not IDENTIFIER.search(dumped.replace("caseworker_id", "")) or (
        name == "mixed" and _only_groups(dumped)
    )
    assert not IDENTIFIER.search(repr(fit))
    if hasattr(fit, "to_dict"):
        assert not rows_or_persons(fit.to_dict(), n_rows, n_persons)


def _only_groups(dumped):
    """No citizen and no measurement."""
    return not [m for m in IDENTIFIER.findall(dumped) if m[0] in "CM"]


def test_control_the_rows_are_found_where_they_are_kept(made):
    data = _frame()
    with_rows = {"fit": made["glm"], "data": data}
    assert rows_or_persons(with_rows, len(data), data["citizen_id"].nunique())
    assert IDENTIFIER.search(pickle.dumps(data["citizen_id"].tolist()).decode("latin-1"))


def test_a_panel_shows_no_row(made):
    text = repr(small_panel())
    assert not IDENTIFIER.search(text)
    assert not IDENTIFIER.search(str(small_panel()))


def test_summaries_and_tables_name_no_person(made):
    for fit in made.values():
        for text in (str(fit.summary()), repr(fit), str(fit)):
            assert not IDENTIFIER.search(text)
        assert not isinstance(fit, pd.DataFrame)
