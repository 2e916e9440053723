"""Mixed models on data made here, against R fits polished to their optimum (`mixed/make.R`)."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cases import read_quantity
from mixed.make_data import checksum, frame

from jobchance import fit_mixed

CASES = {
    path.stem: json.loads(path.read_text("utf-8")) for path in Path(__file__).parent.glob("mixed/*.json")
}
FITS = [(case, number) for case in sorted(CASES) for number in range(len(CASES[case]["fits"]))]


def _label(case, number):
    options = CASES[case]["fits"][number]["options"]
    return "-".join([case, *(str(value) for name, value in options.items() if name in ("method", "n_quad"))])


each_fit = pytest.mark.parametrize(("case", "number"), FITS, ids=[_label(*which) for which in FITS])


@cache
def _data(name):
    return frame(name)


@cache
def _fit(case, number):
    entry = CASES[case]
    return fit_mixed(entry["formula"], _data(entry["data"]), **entry["fits"][number]["options"])


def _disagreements(case, number, kinds):
    """A line for every quantity of those kinds that is not within its tolerance."""
    entry, fit = CASES[case]["fits"][number], _fit(case, number)
    keys = [key for key in entry["quantities"] if key.partition(".")[0] in kinds]
    assert keys, f"no {kinds} in {case}"
    lines = []
    for key in keys:
        labels = entry["labels"].get(key)
        value = np.asarray(read_quantity(fit, key, _data(CASES[case]["data"]), labels), dtype=float)
        expected = np.asarray(entry["quantities"][key], dtype=float)
        tolerance = entry["tolerance"][key]
        allowed = tolerance.get("abs", 0) + tolerance.get("rel", 0) * np.abs(expected)
        if not np.all(np.abs(value - expected) <= allowed):
            lines.append(f"{key}: {value} against {expected}, allowed {allowed}")
    return "\n".join(lines)


def _has(case, number, kind):
    return any(key.startswith(kind) for key in CASES[case]["fits"][number]["quantities"])


def _with(kind):
    chosen = [which for which in FITS if _has(*which, kind)]
    return pytest.mark.parametrize(("case", "number"), chosen, ids=[_label(*which) for which in chosen])


def test_every_kind_of_model_has_a_reference():
    assert len(CASES) >= 29
    assert len(FITS) >= 44


@pytest.mark.parametrize("name", sorted({entry["data"] for entry in CASES.values()}))
def test_the_data_are_those_that_r_read(name):
    assert {entry["checksum"] for entry in CASES.values() if entry["data"] == name} == {checksum(_data(name))}


@each_fit
def test_log_likelihood_is_no_worse_than_the_best_known(case, number):
    entry, fit = CASES[case]["fits"][number], _fit(case, number)
    best = entry["quantities"]["loglik"]
    assert fit.converged
    assert (
        -entry["tolerance"]["loglik"]["worse"] <= fit.loglik - best <= entry["tolerance"]["loglik"]["better"]
    )


@each_fit
def test_coefficients_and_thresholds(case, number):
    problems = _disagreements(case, number, ("fixef", "threshold"))
    assert not problems, problems


@each_fit
def test_standard_errors(case, number):
    problems = _disagreements(case, number, ("se",))
    assert not problems, problems


@each_fit
def test_standard_deviations_and_correlations(case, number):
    problems = _disagreements(case, number, ("sd", "cor", "sigma"))
    assert not problems, problems


@_with("mode.")
def test_conditional_modes_and_their_standard_deviations(case, number):
    problems = _disagreements(case, number, ("mode", "mode_sd"))
    assert not problems, problems


@_with("se_log_sd")
def test_standard_errors_of_log_standard_deviations(case, number):
    problems = _disagreements(case, number, ("se_log_sd",))
    assert not problems, problems


@_with("df.")
def test_satterthwaite_degrees_of_freedom(case, number):
    if np.all(np.isinf(_fit(case, number).df)):
        pytest.skip("this fit refers its tests to the normal distribution")
    problems = _disagreements(case, number, ("df",))
    assert not problems, problems


@each_fit
def test_singular_fits_are_said_to_be(case, number):
    quantities = CASES[case]["fits"][number]["quantities"]
    zero = any(key.startswith("sd.") and value == 0 for key, value in quantities.items())
    one = any(key.startswith("cor.") and abs(value) > 1 - 1e-9 for key, value in quantities.items())
    assert _fit(case, number).is_singular == (zero or one)


def test_a_share_with_trials_is_the_same_as_successes_and_failures():
    data = _data("grouped").assign(share=lambda d: d["yes"] / d["trials"])
    whole = _fit("bin_grouped", 0)
    share = fit_mixed("share ~ x + (1 | g)", data, family="binomial", weights="trials")
    assert share.loglik == pytest.approx(whole.loglik, abs=1e-7)
    assert np.allclose(share.params, whole.params, rtol=0, atol=1e-7)
    assert np.allclose(share.std_errors, whole.std_errors, rtol=1e-6)
