"""Attacks on every public result: pickled, copied, as a document or in words it names nobody, holds no rows.

A new public class, or a new class that a public function or method returns, must be made here or be named as
something that is no result; otherwise the first test fails.
"""

import copy
import inspect
import pickle
import re
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from outputs_under_attack import IDENTIFIER, arrays_within, small_panel, small_study

import jobchance as jc

NO_RESULTS = {
    "asked for": "Cluster DisclosurePolicy MultiverseSpec OUTCOMES Robust Thresholds",
    "error": "DisclosureError IdentificationError SchemaError",
    "where to compute": "DaskCompute LocalCompute",
    "rows, in memory or in files": "RowPartitions",
    "not returned with numbers of a study": "Assumption Card StatusNote Path ValidationReport",
    "counts that the caller gives": "Moments Counts",
}
NEVER_PICKLED = {"Assignment", "LinearStatistic", "Contributors", "Release", "DisclosureLedger"}
NO_WAY_OUT = {"bootstrap_compare"}  # pickling it fails, so that nothing can be carried out
MICRODATA = {"Study", "AnalysisPanel"}  # cannot be pickled; their words are attacked below
PLAIN = {"DataFrame", "Series", "None", "tuple", "dict", "str", "bool", "int", "float", "list", "set", "Any"}
LONG = 150
"""Well under the number of citizens (400), rows (1,052) and person-periods; draws are fewer."""


@cache
def data():
    frame = small_panel().frame
    return frame[frame["outcome"].notna()].reset_index(drop=True)


@cache
def linear():
    by = jc.Cluster("caseworker_id")
    return jc.fit_glm("outcome ~ belief + C(jobcentre_id)", data(), family="gaussian", vcov=by)


@cache
def logit():
    return jc.fit_glm("outcome ~ belief", data(), family="binomial", vcov=jc.Cluster("caseworker_id"))


@cache
def mixed(covariate="belief"):
    return jc.fit_mixed(f"outcome ~ {covariate} + (1 | caseworker_id)", data(), method="ml")


@cache
def weights():
    return jc.attrition_weights(small_panel())


@cache
def multiverse():
    spec = {
        "name": "small",
        "choices": {
            "outcome": ["job"],
            "horizon_weeks": [52],
            "exposure": ["belief"],
            "covariates": [],
            "estimator": ["pooled", "logit"],
            "sample": {"all": [], "first": [["wave", "==", 1]]},
        },
    }
    return jc.run_multiverse(spec, small_study())


@cache
def dealt():
    rows = jc.allocation_rows(small_panel())
    made = jc.Assignment.shuffled(rows, "disposition", within=["jobcentre_id"], unit="caseworker_id")
    return made, jc.LinearStatistic("outcome ~ C(jobcentre_id)", rows)


def imputed(of, **more):
    options = {"seed": 1, "imputations": 2, **more}
    return of(small_panel(), "outcome ~ belief + citizen_score", **options)


MADE = {
    "fit_glm": logit,
    "fit_panel": lambda: jc.fit_panel("outcome ~ expectation", data()),
    "fit_mixed": mixed,
    "fit_conditional_logit": lambda: jc.fit_conditional_logit("outcome ~ expectation", data()),
    "fit_iv": lambda: jc.fit_iv("outcome ~ [belief ~ citizen_score]", data()),
    "fit_hazard": lambda: jc.fit_hazard(
        "event ~ belief", jc.person_periods(small_panel()), baseline="linear"
    ),
    "fit_cross_lagged": lambda: jc.fit_cross_lagged(
        small_panel().frame, x="belief", y="citizen_belief", random_intercepts=False, waves=[1, 2]
    ),
    "fit_dynamic_panel": lambda: jc.fit_dynamic_panel("expectation ~ 1", small_panel().frame),
    "fit_leniency": lambda: jc.fit_leniency(small_panel(), outcome="outcome"),
    "two_way_variance": lambda: jc.two_way_variance(
        data()["belief"].fillna(2), data()["citizen_id"], data()["caseworker_id"]
    ),
    "value_added": lambda: jc.value_added(small_panel(), permutations=19),
    "mover_contrast": lambda: jc.mover_contrast(small_panel()),
    "switch_event_study": lambda: jc.switch_event_study(small_panel()),
    "which_leads": lambda: jc.which_leads(small_panel()),
    "dynamic_direction": lambda: jc.dynamic_direction(small_panel()),
    "dropout_model": lambda: jc.dropout_model(small_panel()),
    "attrition_weights": weights,
    "weighted_fit": lambda: jc.weighted_fit("outcome ~ belief", weights()),
    "belief_bounds": lambda: jc.belief_bounds(small_panel()),
    "multiple_imputation": lambda: imputed(jc.multiple_imputation, iterations=1),
    "delta_adjustment": lambda: imputed(jc.delta_adjustment, term="belief", deltas=[0.0, 1.0]),
    "pattern_comparison": lambda: jc.pattern_comparison(small_panel(), min_citizens=10),
    "leave_one_out, offices": lambda: jc.leave_one_out(linear(), "jobcentre_id", term="belief"),
    "leave_one_out, citizens": lambda: jc.leave_one_out(linear(), "citizen_id", term="belief"),
    "most_influential_set": lambda: jc.most_influential_set(linear(), "citizen_id", term="belief"),
    "robustness_value": lambda: jc.robustness_value(linear(), "belief"),
    "oster_delta": lambda: jc.oster_delta(linear(), "belief"),
    "e_value": lambda: jc.e_value(logit(), "belief"),
    "logit_confounding": lambda: jc.logit_confounding(logit(), "belief", r2_exposure=[0.1], r2_outcome=[0.1]),
    "private_information": lambda: jc.private_information(linear(), "belief"),
    "placebo_outcomes": lambda: jc.placebo_outcomes(
        small_panel(), "outcome ~ belief", term="belief", study=small_study()
    ),
    "rosenbaum_bounds": lambda: jc.rosenbaum_bounds(data()["belief"].dropna() - 2),
    "wild_bootstrap": lambda: jc.wild_bootstrap(linear(), "belief", draws=99, seed=1),
    "cluster_diagnostics": lambda: jc.cluster_diagnostics(linear(), "belief", cluster="jobcentre_id"),
    "cluster_jackknife": lambda: jc.cluster_jackknife(linear()),
    "randomisation_test": lambda: jc.randomisation_test(*dealt()[::-1], draws_or_all=99, seed=1),
    "romano_wolf": lambda: jc.romano_wolf(
        {"one": linear()}, "belief", cluster="caseworker_id", draws=99, seed=1
    ),
    "parametric_bootstrap": lambda: jc.parametric_bootstrap(mixed(), draws=3, seed=1),
    "bootstrap_compare": lambda: jc.bootstrap_compare(mixed(), mixed("belief + wave"), draws=3, seed=1),
    "evidence_ladder": lambda: jc.evidence_ladder(small_panel(), rungs=["raw_gradient", "adjusted"]),
    "run_multiverse": multiverse,
    "joint_test": lambda: multiverse().joint_test(draws=99, seed=1),
    "importance": lambda: multiverse().importance(),
    "sample_differences": lambda: multiverse().sample_differences(jc.DisclosurePolicy()),
}


@cache
def made(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MADE[name]()


def returned_names(function):
    """Names of classes in the return annotation."""
    said = str(inspect.signature(function).return_annotation)
    return {name.rpartition(".")[2] for name in re.findall(r"[A-Za-z_][A-Za-z_.]*", said)}


def public_names():
    """Every public class, and every class that a public function or a method of a result returns."""
    things = {name: getattr(jc, name) for name in jc.__all__ if name not in ("__version__", "figures")}
    found = {name for name, thing in things.items() if not inspect.isfunction(thing)}
    for thing in things.values():
        found |= returned_names(thing) if inspect.isfunction(thing) else set()
    for kind in {type(made(name)) for name in MADE}:
        methods = [m for n, m in inspect.getmembers(kind, inspect.isfunction) if not n.startswith("_")]
        found |= set().union(*map(returned_names, methods)) if methods else set()
    return {name for name in found if name[0].isupper() or name == "OUTCOMES"}


def test_every_public_result_is_under_attack():
    known = {type(made(name)).__name__ for name in MADE} | NEVER_PICKLED | MICRODATA | PLAIN
    known |= set(" ".join(NO_RESULTS.values()).split())
    assert (
        not public_names() - known - {"Mapping", "Rows", "Workbench"}
    )  # of a fit and a multiverse, in memory


def long_arrays(value):
    return [where for where, array in arrays_within(value) if max(array.shape, default=0) >= LONG]


@pytest.mark.parametrize("name", sorted(set(MADE) - NO_WAY_OUT))
def test_nothing_that_is_carried_out_holds_rows_or_names(name):
    result = made(name)
    dumped = pickle.dumps(result)
    assert not IDENTIFIER.search(dumped.decode("latin-1"))
    carried = [pickle.loads(dumped), copy.deepcopy(result), pickle.loads(pickle.dumps(copy.copy(result)))]
    if hasattr(result, "to_dict"):
        carried.append(result.to_dict())
        assert not IDENTIFIER.search(repr(carried[-1]))
    for again in carried:
        assert not long_arrays(again), type(result).__name__


@pytest.mark.parametrize("name", sorted(set(MADE) - NO_WAY_OUT))
def test_words_and_tables_name_nobody(name):
    result = made(name)
    said = [repr(result), str(result)]
    again = pickle.loads(pickle.dumps(result))
    for one in (result, again):
        assert type(one) is type(result)
        said.append(repr(one))
        if hasattr(one, "summary"):
            said.append(str(one.summary()))
    frames = [value for value in vars(again).values() if isinstance(value, pd.DataFrame | pd.Series)]
    said += [frame.to_string() for frame in frames]
    assert not [found for text in said for found in IDENTIFIER.findall(text)]


@pytest.mark.parametrize("name", ["leave_one_out, citizens", "most_influential_set"])
def test_a_stored_result_does_not_say_what_one_person_changes(name):
    result, again = made(name), pickle.loads(pickle.dumps(made(name)))
    assert len(result.frame) > len(again.frame) or len(again.frame) < LONG
    assert again.estimate == result.estimate
    assert getattr(again, "levels", None) is None
    assert getattr(again, "members", None) is None


def test_a_stored_ladder_and_bootstrap_say_what_they_said():
    ladder = pickle.loads(pickle.dumps(made("evidence_ladder")))
    pd.testing.assert_frame_equal(ladder.frame, made("evidence_ladder").frame)
    assert ladder.text("en") == made("evidence_ladder").text("en")
    assert ladder.summary() == made("evidence_ladder").summary()
    bootstrap = copy.deepcopy(made("parametric_bootstrap"))
    pd.testing.assert_frame_equal(bootstrap.intervals(), made("parametric_bootstrap").intervals())
    assert dict(bootstrap.failures) == dict(made("parametric_bootstrap").failures)


def test_what_holds_rows_refuses_to_be_carried_out(tmp_path):
    rows = data()[["citizen_id", "jobcentre_id"]].assign(hours=1.0)
    things = [
        *dealt(),
        jc.Contributors(rows, "citizen_id", "hours"),
        jc.Release("T1", rows["citizen_id"]),
        jc.DisclosureLedger.create(tmp_path / "exports.ledger"),
    ]
    assert {type(thing).__name__ for thing in things} == NEVER_PICKLED
    for thing in (*things, small_study(), small_panel(), *map(made, NO_WAY_OUT)):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
        assert not IDENTIFIER.search(repr(thing) + str(thing))


def test_control_rows_in_a_result_are_found():
    assert long_arrays(made("fit_glm")), "the fit keeps its rows in memory, and loses them on the way out"
    assert long_arrays({"weights": np.ones(len(data()))})
    assert IDENTIFIER.search(made("leave_one_out, citizens").levels.to_string())
