"""Attacks on words: identifiers and values must not be in errors, warnings, logs, reprs, or on the screen."""

import logging
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.disclosure.attack import audit_tables
from jobchance.disclosure.check import check, protect, require
from jobchance.disclosure.complementary import protect_tables
from jobchance.disclosure.differencing import close_combinations, close_samples, sample_difference_counts
from jobchance.disclosure.dominance import Contributors, dominance
from jobchance.disclosure.ledger import DisclosureLedger
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.release import Release
from jobchance.errors import JobchanceError

WHO = "ZQ7CANARY"
VALUE = 48151.6234217
CANARIES = (WHO, "48151", "6234217")
POLICY = DisclosurePolicy()


def rows(n=60, *, bad=None):
    """Rows of persons whose names and one column are canaries; `bad` breaks one of the columns."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "citizen_id": [f"{WHO}{i // 3:04}" for i in range(n)],
            "caseworker_id": [f"{WHO}-S{i % 6}" for i in range(n)],
            "wave": np.arange(n) % 3 + 1,
            "x": rng.normal(size=n),
            "y": rng.integers(0, 2, n).astype(float),
            "wage": np.full(n, VALUE) + np.arange(n),
        }
    )
    spoil = {
        "text": lambda f: f.assign(x=[f"{WHO} {VALUE}"] * n),
        "infinite": lambda f: f.assign(x=np.where(f.index == 3, np.inf, f["x"])),
        "missing": lambda f: f.assign(x=np.nan),
        "constant": lambda f: f.assign(x=VALUE),
        "separated": lambda f: f.assign(y=(f["x"] > 0).astype(float)),
        "mixed": lambda f: f.assign(wage=[WHO if i == 5 else VALUE for i in range(n)]),
        "one group": lambda f: f.assign(caseworker_id=WHO),
        "few rows": lambda f: f.head(2),
        "huge": lambda f: f.assign(x=f["x"] * 1e300),
        "huge number": lambda f: f.assign(x=10**30),
        "index": lambda f: f.set_axis([VALUE] * n),
        "numbers": lambda f: f.assign(citizen_id=48151 * 10 + np.arange(n) // 3, x=f["wage"]),
        "lists": lambda f: f.assign(x=[[VALUE]] * n),
    }
    return frame if bad is None else spoil[bad](frame)


def _linear(data, formula="y ~ x"):
    return jc.fit_glm(formula, data, family="gaussian", vcov=jc.Cluster("caseworker_id"))


CALLS = {
    "glm": lambda d: jc.fit_glm("y ~ x", d, family="binomial", vcov=jc.Cluster("caseworker_id")),
    "panel": lambda d: jc.fit_panel("y ~ x", d, estimator="within", entity="citizen_id"),
    "mixed": lambda d: jc.fit_mixed("y ~ x + (1 | caseworker_id)", d),
    "wage": lambda d: jc.fit_panel("wage ~ C(citizen_id)", d, estimator="pooled"),
    "category": lambda d: jc.fit_glm("y ~ C(caseworker_id) + C(x)", d, family="binomial"),
    "absent": lambda d: jc.fit_glm("y ~ nowhere", d, family="binomial"),
    "iv": lambda d: jc.fit_iv("y ~ 1 | x ~ wage", d),
    "conditional": lambda d: jc.fit_conditional_logit("y ~ x", d, group="citizen_id"),
    "hazard": lambda d: jc.fit_hazard("y ~ x", d),
    "check": lambda d: check(d, POLICY, output="o"),
    "require": lambda d: require(d, POLICY, output="o"),
    "protect": lambda d: protect(d, POLICY, output="o", totals=["x"]),
    "tables": lambda d: protect_tables(
        {"t": d.assign(N_citizens=d["wage"])}, POLICY, dimensions=["citizen_id"]
    ),
    "audit": lambda d: audit_tables({"t": d.assign(N_citizens=1)}, POLICY, dimensions=["wave"]),
    "dominance": lambda d: dominance(
        Contributors(d, "citizen_id", "wage"), ["wave", "nowhere"], policy=POLICY
    ),
    "samples": lambda d: sample_difference_counts([d["citizen_id"]]),
    "close": lambda d: close_samples([d["wage"]], least=5),
    "combinations": lambda d: close_combinations(d["citizen_id"], [d["wage"]], least=5),
    "release": lambda d: Release("", d["citizen_id"]),
    "wild bootstrap": lambda d: jc.wild_bootstrap(_linear(d), "x", draws=99, seed=1),
    "diagnostics": lambda d: jc.cluster_diagnostics(_linear(d)),
    "jackknife": lambda d: jc.cluster_jackknife(_linear(d), cluster="citizen_id"),
    "leave out": lambda d: jc.leave_one_out(_linear(d), "citizen_id", term="x"),
    "influential": lambda d: jc.most_influential_set(_linear(d), "citizen_id", term="x"),
    "confounding": lambda d: jc.robustness_value(_linear(d), "x"),
    "benchmarks": lambda d: jc.confounder_bounds(_linear(d), "x", benchmarks=["nowhere"]),
    "oster": lambda d: jc.oster_delta(_linear(d, "y ~ x + wage"), "x"),
    "private": lambda d: jc.private_information(_linear(d), "x"),
    "lee": lambda d: jc.lee_bounds(d["wage"], d["y"], d["x"], cells=d["caseworker_id"]),
    "manski": lambda d: jc.manski_bounds(d["wage"], d["y"], limits=(0, 1)),
    "rosenbaum": lambda d: jc.rosenbaum_bounds(d["x"]).frame,
    "imputation": lambda d: jc.multiple_imputation(
        d.assign(y=d["y"].where(d.index % 5 > 0)), "y ~ x + wage", seed=1, imputations=2, iterations=1
    ),
    "dealing": lambda d: jc.Assignment.shuffled(d, "caseworker_id", unit="citizen_id", level="none"),
    "randomisation": lambda d: jc.randomisation_test(
        jc.LinearStatistic("y ~ 1", d),
        jc.Assignment.shuffled(d, "x", within=["wave"]),
        draws_or_all=19,
        seed=1,
    ),
    "romano wolf": lambda d: jc.romano_wolf(
        {"y": _linear(d), "wage": _linear(d, "wage ~ x")}, "x", cluster="caseworker_id", draws=19, seed=1
    ),
    "p-values": lambda d: jc.adjust_pvalues(dict(zip(d["citizen_id"], d["wage"], strict=True))),
    "multiverse": lambda d: jc.run_multiverse({"name": "a", "choices": {"exposure": [WHO]}}, d),
    "two raters": lambda d: jc.fit_two_rater(d, raters=("x", "wage")),
    "cross-lagged": lambda d: jc.fit_cross_lagged(d, x="x", y="wage", random_intercepts=False),
    "dynamic": lambda d: jc.fit_dynamic_panel("wage ~ x", d),
    "new level": lambda d: jc.predictions(
        _linear(d, "y ~ C(caseworker_id)"), data=d.assign(caseworker_id=WHO)
    ),
}


@pytest.mark.parametrize("bad", [None, "text", "infinite", "missing", "constant", "separated", "mixed",
                                 "one group", "few rows", "huge", "huge number", "index", "numbers",
                                 "lists"])  # fmt: skip
@pytest.mark.parametrize("call", sorted(CALLS))
def test_no_canary_in_errors_warnings_logs_or_the_screen(call, bad, caplog, capfd):
    data = rows(bad=bad)
    said, bugs = [], []
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        try:
            result = CALLS[call](data)
            said += [repr(result)] if not isinstance(result, pd.DataFrame) else []
            said += [str(result.summary())] if hasattr(result, "summary") else []
        except JobchanceError as error:
            said += [str(error), repr(error), repr(error.args)]
        except Exception as error:  # another's error: the command line shows its type and place only
            bugs += [type(error).__name__]
    assert bad not in (None, "huge number", "index") or not bugs, "sound data must reach the function"
    said += [str(one.message) for one in warned] + [caplog.text, *capfd.readouterr()]
    leaks = [(canary, text[:200]) for text in said for canary in CANARIES if canary in text]
    assert not [leak for leak in leaks if not _level_of_a_category(call, leak[1])]


def _level_of_a_category(call, text):
    """Levels of a category that the user put into the formula are names of coefficients: theirs to choose."""
    return call in ("category", "wage") and "C(" in text


def test_control_a_careless_message_is_found():
    with pytest.raises(ValueError, match=WHO) as told:
        float(rows(bad="text")["x"].iloc[0])
    assert any(canary in str(told.value) for canary in CANARIES)


def test_a_ledger_says_nothing_about_anybody(tmp_path):
    ids = rows()["citizen_id"]
    ledger = DisclosureLedger.create(tmp_path / "exports.ledger")
    ledger.record([Release("T1", ids)], POLICY)
    clash = ledger.check([Release("T2", ids[3:], cells={WHO: ids[:9]})], POLICY)
    assert clash
    for one in (repr(clash), *map(str, clash), repr(ledger), ledger.entries().to_string()):
        assert WHO not in one.replace(f"{{{WHO}}}", "")


@pytest.mark.parametrize("table", ["measurement", "rating", "outcome", "assignment"])
def test_validation_names_columns_and_counts_but_no_row(table, tmp_path, capfd):
    from jobchance.cli.main import main  # noqa: F401  the command line must be importable beside it

    study = jc.simulate_study(seed=4, n_citizens=60)
    rows_ = study.tables[table]
    spoilt = rows_.copy()
    spoilt["citizen_id" if "citizen_id" in rows_ else "measurement_id"] = f"{WHO}1"
    broken = replace(study, tables={**study.tables, table: spoilt})
    try:
        jc.write_study(broken, tmp_path / "s", format="csv")
        said = jc.validate_study(tmp_path / "s").render("en")
    except JobchanceError as error:
        said = str(error)
    assert WHO not in said
    assert WHO not in "".join(capfd.readouterr())
