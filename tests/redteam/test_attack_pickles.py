"""Attacks on saved objects: a pickle, a copy or a document of a result holds no row and no identifier."""

import contextlib
import copy
import pickle
import warnings

import pytest
from outputs_under_attack import IDENTIFIER, arrays_within, small_panel

import jobchance as jc


def _frame():
    frame = small_panel().frame
    return frame[frame["outcome"].notna()].reset_index(drop=True)


MADE = {
    "glm": lambda d: jc.fit_glm(
        "outcome ~ expectation", d, family="binomial", vcov=jc.Cluster("caseworker_id")
    ),
    "panel": lambda d: jc.fit_panel("outcome ~ expectation", d, estimator="pooled"),
    "within": lambda d: jc.fit_panel("outcome ~ expectation", d, estimator="within", entity="citizen_id"),
    "mixed": lambda d: jc.fit_mixed("outcome ~ expectation + (1 | caseworker_id)", d),
    "conditional": lambda d: jc.fit_conditional_logit("outcome ~ expectation", d),
    "bootstrap": lambda d: jc.parametric_bootstrap(MADE["mixed"](d), draws=3, seed=1),
    "effects": lambda d: jc.comparisons(MADE["glm"](d), "expectation"),
    "ladder": lambda d: jc.evidence_ladder(
        small_panel(), rungs=["raw_gradient", "adjusted", "within_citizen"]
    ),
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


def long_arrays(value):
    """Arrays with half as many entries as there are citizens, or more, and where they were found."""
    return [where for where, array in arrays_within(value) if max(array.shape, default=0) >= LONG]


LONG = 200
"""Half of the citizens; the models are fitted on 870 to 1,050 rows of 400 citizens with 30 caseworkers."""


def ways_out(result):
    """The result pickled, copied, copied deeply and as a document, as far as it can be."""
    if isinstance(result, jc.Fit):  # a shallow copy of a ladder shares its fits, in memory
        yield copy.copy(result)
    for way in (lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy):
        with contextlib.suppress(TypeError):  # what cannot be pickled cannot be carried out either
            yield way(result)
    if hasattr(result, "to_dict"):
        yield result.to_dict()


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_pickled_or_copied_result_holds_no_rows(made, name):
    for again in ways_out(made[name]):
        assert not long_arrays(again)
    with contextlib.suppress(TypeError):
        dumped = pickle.dumps(made[name]).decode("latin-1")
        assert not [one for one in IDENTIFIER.findall(dumped) if one[0] in "CM"]
    assert not IDENTIFIER.search(repr(made[name]))


def test_control_the_rows_are_found_where_they_are_kept(made):
    data = _frame()
    assert long_arrays({"fit": made["glm"], "data": data})
    assert long_arrays(made["glm"]), "the fit itself keeps its rows in memory, and loses them on the way out"
    assert IDENTIFIER.search(pickle.dumps(data["citizen_id"].tolist()).decode("latin-1"))


def test_a_panel_shows_no_row():
    assert not IDENTIFIER.search(repr(small_panel()))
    assert not IDENTIFIER.search(str(small_panel()))


def test_summaries_and_tables_name_no_person(made):
    for one in made.values():
        said = [repr(one), str(one)]
        if hasattr(one, "summary"):
            said.append(str(one.summary() if callable(one.summary) else one.summary))
        for text in said:
            assert not IDENTIFIER.search(text)
