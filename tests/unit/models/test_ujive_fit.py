import numpy as np
import pandas as pd
import pytest

from jobchance import Cluster, Fit
from jobchance.errors import DesignError, IdentificationError, SpecError
from jobchance.models.iv import fit_iv
from jobchance.models.iv_ujive import ujive

METHODS = ["ujive", "ujive_2013", "ijive", "jive1", "jive2"]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    n = 1_200
    caseworker = rng.integers(0, 40, n)
    citizen = rng.integers(0, 450, n)
    cell = rng.integers(0, 4, n)
    belief = rng.normal(size=40)[caseworker] + rng.normal(size=450)[citizen] + rng.normal(size=n)
    age = rng.normal(size=n)
    job = 0.4 * belief + 0.2 * age + rng.normal(size=450)[citizen] + rng.normal(size=n)
    return pd.DataFrame(
        {"job": job, "belief": belief, "caseworker": caseworker, "citizen": citizen, "cell": cell, "age": age}
    )


def fitted(rows, **options):
    given = {"cells": rows.cell, "covariates": rows[["age"]], "leave_out": rows.citizen} | options
    return ujive(rows.job, rows.belief, rows.caseworker, **given)


@pytest.mark.parametrize("method", METHODS)
def test_row_order_and_labels_do_not_matter(rows, method):
    first = fitted(rows, method=method)
    mixed = rows.sample(frac=1, random_state=1)
    renamed = mixed.assign(
        caseworker=mixed.caseworker.map(lambda c: f"k{(c * 7) % 40}"),
        citizen=-mixed.citizen,
        cell=mixed.cell * 10 + 3,
    )
    second = fitted(renamed, method=method)
    assert second.params["belief"] == pytest.approx(first.params["belief"], rel=1e-9)
    assert second.std_errors["belief"] == pytest.approx(first.std_errors["belief"], rel=1e-9)
    assert second.nobs == first.nobs


@pytest.mark.parametrize("leave_out", [False, True])
def test_dropping_rows_of_leverage_one_first_changes_nothing(rows, leave_out):
    few = rows.head(150)
    options = {} if leave_out else {"leave_out": None}
    first = fitted(few, **options)
    gone = first.statistics["n_dropped_leverage_one"]
    assert gone > 0
    assert dict(first.sample.dropped) == {
        (
            "no prediction without the left-out unit"
            if leave_out
            else "leverage one (no prediction without the row itself)"
        ): gone
    }
    second = fitted(few.iloc[first.rows.used], **options)
    assert second.statistics["n_dropped_leverage_one"] == 0
    assert second.params["belief"] == pytest.approx(first.params["belief"], rel=1e-10)


@pytest.mark.parametrize("method", ["ijive", "jive1"])
def test_a_shift_of_outcome_and_exposure_changes_nothing_where_the_definition_says_so(rows, method):
    moved = rows.assign(job=rows.job + 100, belief=rows.belief - 50)
    assert fitted(moved, method=method).params["belief"] == pytest.approx(
        fitted(rows, method=method).params["belief"], rel=1e-8
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_formula_and_the_arrays_give_the_same(rows, method):
    arrays = fitted(rows, method=method, cluster=rows[["caseworker", "citizen"]])
    formula = fit_iv(
        "job ~ age + [belief ~ C(caseworker)]",
        rows,
        method=method,
        absorb=("cell",),
        leave_out="citizen",
        vcov=Cluster("caseworker", "citizen"),
    )
    assert formula.params["belief"] == pytest.approx(arrays.params["belief"], rel=1e-8)
    assert formula.std_errors["belief"] == pytest.approx(arrays.std_errors["belief"], rel=1e-8)
    assert formula.statistics["rank_X"] == arrays.statistics["rank_X"]
    assert "caseworker[" not in str(formula.to_dict())


def test_clusters_are_the_left_out_units_unless_given(rows):
    assert dict(fitted(rows).inference.clusters) == {"leave_out": rows.citizen.nunique()}
    assert fitted(rows, leave_out=None).inference.kind == "HC0"
    by_caseworker = fitted(rows, cluster=rows.caseworker)
    assert dict(by_caseworker.inference.clusters) == {"caseworker": 40}
    assert any("several clusters" in note for note in by_caseworker.notes)


def test_clusters_of_one_row_are_the_robust_errors_with_a_factor(rows):
    plain = fitted(rows, leave_out=None, covariates=None)
    single = fitted(rows, leave_out=None, covariates=None, cluster=np.arange(len(rows)))
    n, k = plain.nobs, 1 + 4
    factor = n / (n - 1) * (n - 1) / (n - k)
    assert single.std_errors["belief"] == pytest.approx(
        plain.std_errors["belief"] * np.sqrt(factor), rel=1e-12
    )


def test_the_estimator_table_has_the_chosen_numbers(rows):
    fit = fitted(rows, method="ijive")
    table = fit.diagnostics["estimators"].set_index("method")
    assert table.loc["ijive", "estimate"] == fit.params["belief"]
    assert table.loc["ijive", "se_hte"] == pytest.approx(fit.std_errors["belief"], rel=1e-12)
    assert table.loc["ijive", "se_robust"] == fit.statistics["se_robust"]
    stored = Fit.from_dict(fit.to_dict())
    assert stored.summary() == fit.summary()


def test_missing_values_are_dropped_and_counted(rows):
    broken = rows.assign(age=rows.age.where(rows.index != 7), belief=rows.belief.where(rows.index > 2))
    broken.loc[9, "citizen"] = np.nan
    fit = fitted(broken)
    assert dict(fit.sample.dropped) == {
        "x is missing": 3,
        "leave_out is missing": 1,
        "covariates is missing": 1,
    }
    whole = fitted(rows.drop([0, 1, 2, 7, 9]))
    assert fit.params["belief"] == pytest.approx(whole.params["belief"], rel=1e-10)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": "ujiv"}, SpecError, "Did you mean 'ujive'"),
        ({"errors": "hc"}, SpecError, "Allowed: hte, robust"),
        ({"cells": np.zeros(3)}, DesignError, "different numbers of rows"),
        ({"cells": np.zeros((1_200, 2))}, DesignError, "cells has 2 dimensions"),
        ({"covariates": pd.DataFrame({"a": ["x"] * 1_200})}, DesignError, "must hold numbers"),
        ({"covariates": np.full(1_200, np.inf)}, DesignError, "1200 infinite"),
        ({"covariates": np.full(1_200, np.nan)}, DesignError, "No complete row"),
        ({"covariates": np.zeros((3, 2, 2))}, DesignError, "covariates has 3 dimensions"),
        ({"cluster": pd.DataFrame(index=range(1_200))}, DesignError, "without columns"),
    ],
)
def test_hostile_arguments_are_refused(rows, change, error, message):
    with pytest.raises(error, match=message):
        fitted(rows, **change)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"cells": "caseworker"}, ("instrument",)),
        ({"leave_out": "nobody"}, ("rows",)),
        ({"cluster": "nobody"}, ("clusters",)),
        ({"x": "cell"}, ("exposure",)),
        ({"x": "cell", "cells": "caseworker"}, ("instrument", "exposure")),
    ],
)
def test_what_cannot_be_identified_says_what_is_missing(rows, change, missing):
    rows = rows.assign(nobody=1)
    given = {"x": "belief", "cells": "cell"} | change
    columns = {name: rows[column] for name, column in given.items()}
    if "x" in change and "cells" in change:
        columns["x"] = pd.Series(np.arange(40.0))[rows.caseworker].reset_index(drop=True)
    with pytest.raises(IdentificationError) as caught:
        ujive(rows.job, columns.pop("x"), rows.caseworker, **columns)
    assert caught.value.missing == missing


def test_text_and_categorical_codes_and_lists_are_read(rows):
    expected = fitted(rows, covariates=None, leave_out=None).params["belief"]
    found = ujive(
        rows.job.tolist(),
        rows.belief.to_numpy(),
        pd.Categorical(rows.caseworker.astype(str)),
        cells=rows.cell.astype("string").array,
    )
    assert found.params["exposure"] == pytest.approx(expected, rel=1e-12)
    assert found.terms == ("exposure",)


def test_an_instrument_without_information_is_said(rows):
    rng = np.random.default_rng(2)
    fit = ujive(rows.job, rng.normal(size=1_200), rows.caseworker, cells=rows.cell)
    assert any("F is below 2" in remark for remark in fit.remarks)
