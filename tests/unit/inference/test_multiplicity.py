"""Families of hypotheses: adjusted p-values against R, step-down against its definition, size and power."""

from __future__ import annotations

import json
import pickle
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jobchance.errors import DesignError, SpecError
from jobchance.inference.multiplicity import METHODS, adjust_pvalues, romano_wolf
from jobchance.models.glm import fit_glm
from jobchance.models.mixed import fit_mixed
from jobchance.models.panel import fit_panel
from jobchance.numerics.shared_signs import under_the_null
from jobchance.numerics.step_down import step_down_max
from jobchance.results.vcov import Cluster

R_NUMBERS = Path(__file__).parents[2] / "reference" / "multiplicity" / "p_adjust.json"


@pytest.mark.parametrize("method", METHODS)
def test_adjusted_p_values_are_those_of_r(method):
    case = json.loads(R_NUMBERS.read_text())
    assert adjust_pvalues(case["p"], method=method).to_numpy() == pytest.approx(
        case["adjusted"][method], rel=1e-13
    )


def test_missing_p_values_stay_missing_and_do_not_count():
    found = adjust_pvalues(pd.Series([0.01, np.nan, 0.04], index=["a", "b", "c"]), method="bonferroni")
    assert found.isna().tolist() == [False, True, False]
    assert found[["a", "c"]].tolist() == pytest.approx([0.02, 0.08])


def test_p_values_come_as_lists_mappings_arrays_and_series():
    expected = [0.02, 0.3]
    given = ([0.01, 0.3], (0.01, 0.3), np.array([0.01, 0.3]), {"a": 0.01, "b": 0.3}, [0.01, 0.3, pd.NA, None])
    for p in (*given, pd.Series([0.01, 0.3, pd.NA], dtype="Float64")):
        assert adjust_pvalues(p).dropna().tolist() == pytest.approx(expected)
    assert adjust_pvalues({"a": 0.01, "b": 0.3}).index.tolist() == ["a", "b"]
    assert adjust_pvalues([]).empty
    assert adjust_pvalues([np.nan]).isna().all()
    for wrong in (0.05, "0.05", ["u0193"], np.ones((2, 2)), pd.DataFrame({"p": [0.1]}), None):
        with pytest.raises(SpecError, match="list, mapping or Series") as seen:
            adjust_pvalues(wrong)
        assert "u0193" not in str(seen.value)


@pytest.mark.parametrize("p", [[-0.1, 0.5], [0.5, 1.2]])
def test_what_is_no_p_value_is_refused(p):
    with pytest.raises(SpecError, match="1 value outside 0 to 1"):
        adjust_pvalues(p)


def test_the_step_down_rule_is_its_definition():
    rng = np.random.default_rng(3)
    t, T = rng.normal(size=5) * 2, rng.normal(size=(200, 5))
    order = np.argsort(-np.abs(t))
    expected, before = np.empty(5), 0.0
    for place, j in enumerate(order):
        count = sum(max(abs(row[k]) for k in order[place:]) >= abs(t[j]) for row in T)
        before = max(before, (1 + count) / 201)
        expected[j] = before
    assert step_down_max(t, T) == pytest.approx(expected, abs=0)


def data_of(rng, *, clusters=40, size=6, m=4, slopes=(0, 0, 0, 0), shared=0.8):
    """Outcomes that share a part; the exposure and the errors vary with the cluster."""
    g = np.repeat(np.arange(clusters), size)
    x = rng.normal(size=clusters)[g] + rng.normal(size=len(g))
    common = rng.normal(size=clusters)[g] + rng.normal(size=len(g))
    data = pd.DataFrame({"x": x, "g": g.astype(str)})
    for j in range(m):
        own = rng.normal(size=clusters)[g] + rng.normal(size=len(g))
        data[f"y{j}"] = slopes[j] * x + shared * common + np.sqrt(1 - shared**2) * own
    return data


def family_of(data, m=4, **options):
    fits = {f"y{j}": fit_glm(f"y{j} ~ x", data, family="gaussian", vcov=Cluster("g")) for j in range(m)}
    return romano_wolf(fits, "x", cluster="g", **{"draws": 299, "seed": 1} | options)


def test_all_signs_of_few_clusters_are_the_restricted_bootstrap_by_hand():
    data = data_of(np.random.default_rng(5), clusters=6, m=2).assign(w=lambda d: np.cos(7 * d["x"]))
    fits = {y: fit_glm(f"{y} ~ x + w", data, family="gaussian", vcov=Cluster("g")) for y in ("y0", "y1")}
    made = romano_wolf(fits, "x", cluster="g", draws=99, seed=1)
    signs = [dict(zip(sorted(data["g"].unique()), w, strict=True)) for w in product([1.0, -1.0], repeat=6)]
    T = np.empty((64, 2))
    for j, y in enumerate(fits):
        null = fit_glm(f"{y} ~ w", data, family="gaussian", vcov="model")
        for row, sign in enumerate(signs):
            drawn = data.assign(s=null.rows.fitted + data["g"].map(sign) * (data[y] - null.rows.fitted))
            again = fit_glm("s ~ x + w", drawn, family="gaussian", vcov=Cluster("g"))
            T[row, j] = again.statistic["x"]
    expected = step_down_max(made.frame["statistic"].to_numpy(), T)
    assert made.frame["p_romano_wolf"].to_numpy() == pytest.approx(expected, abs=1e-12)
    assert "all 64 sign assignments" in made.conventions["Romano-Wolf"]
    assert not made.notes


def test_effects_absorbed_across_clusters_are_absorbed_again_in_every_draw():
    data = data_of(np.random.default_rng(9), clusters=7, m=1).assign(
        i=np.tile(np.arange(14), 3), t=np.repeat(np.arange(3), 14), w=lambda d: np.cos(7 * d["x"])
    )

    def fitted(formula, rows):
        return fit_panel(formula, rows, entity="i", time=None, absorb=("t",), vcov=Cluster("g"))

    fit, null = fitted("y0 ~ x + w", data), fitted("y0 ~ w", data)
    made = romano_wolf({"a": fit}, "x", cluster="g", draws=128, seed=1)
    levels, t = sorted(data["g"].unique()), []
    for w in product([1.0, -1.0], repeat=7):
        sign = data["g"].map(dict(zip(levels, w, strict=True)))
        drawn = data.assign(s=null.rows.fitted + sign * (data["y0"] - null.rows.fitted))
        t.append(fitted("s ~ x + w", drawn).statistic["x"])
    count = np.sum(np.abs(t) >= abs(fit.statistic["x"]) * (1 - 1e-9))
    assert made.frame["p_romano_wolf"].iloc[0] == pytest.approx((1 + count) / 129, abs=1e-12)


def test_signs_are_put_on_influence_of_models_without_a_regression():
    data = data_of(np.random.default_rng(5), clusters=6, m=2)
    fits = {
        "mixed": fit_mixed("y0 ~ x + (1 | g)", data),
        "within": fit_panel("y1 ~ x", data, entity="g", time=None, vcov=Cluster("g")),
    }
    made = romano_wolf(fits, "x", cluster="g", draws=99, seed=1)
    assert "restricted in 1 and on influence in 1 of the models" in made.conventions["Romano-Wolf"]
    assert "Only 6 clusters of g" in made.notes[0]
    rows = fits["mixed"].rows
    psi = np.bincount(data["g"].astype(int), weights=(rows.row_scores @ rows.bread)[:, 1])
    V = np.array(list(product([1.0, -1.0], repeat=6)))
    q = V @ psi
    t = q / np.sqrt(psi @ psi - q**2 / 6)
    alone = romano_wolf({"mixed": fits["mixed"]}, "x", cluster="g", draws=99, seed=1).frame
    observed = abs(fits["mixed"].params["x"]) / np.sqrt(psi @ psi)
    expected = (1 + np.sum(np.abs(t) >= observed)) / 65
    assert alone["p_romano_wolf"].iloc[0] == pytest.approx(expected, abs=1e-12)


def test_weighted_and_logit_models_are_restricted_too():
    data = data_of(np.random.default_rng(5), clusters=7, m=1).assign(
        w=lambda d: np.cos(7 * d["x"]), v=lambda d: 1.5 + np.sin(9 * d["x"])
    )

    def fitted(formula, rows):
        return fit_glm(formula, rows, family="gaussian", weights="v", vcov=Cluster("g"))

    fit, null = fitted("y0 ~ x + w", data), fitted("y0 ~ w", data)
    levels, t = sorted(data["g"].unique()), []
    for w in product([1.0, -1.0], repeat=7):
        sign = data["g"].map(dict(zip(levels, w, strict=True)))
        drawn = data.assign(s=null.rows.fitted + sign * (data["y0"] - null.rows.fitted))
        t.append(fitted("s ~ x + w", drawn).statistic["x"])
    count = np.sum(np.abs(t) >= abs(fit.statistic["x"]) * (1 - 1e-9))
    logit = fit_glm("z ~ x", data.assign(z=(data["y0"] > 0) * 1.0), family="binomial", vcov=Cluster("g"))
    alone = romano_wolf({"a": fit}, "x", cluster="g", draws=128, seed=1)
    assert alone.frame["p_romano_wolf"].iloc[0] == pytest.approx((1 + count) / 129, abs=1e-12)
    both = romano_wolf({"a": fit, "z": logit}, "x", cluster="g", draws=128, seed=1)
    assert "restricted in 2 and on influence in 0" in both.conventions["Romano-Wolf"]


def test_the_standard_errors_of_the_fits_do_not_change_romano_wolf():
    data = data_of(np.random.default_rng(7), clusters=12)
    p = [
        romano_wolf(
            {y: fit_glm(f"{y} ~ x", data, family="gaussian", vcov=vcov) for y in ("y0", "y1")},
            "x", cluster="g", draws=199, seed=1,
        ).frame["p_romano_wolf"].tolist()
        for vcov in ("model", Cluster("g"), Cluster("g", kind="CR1"))
    ]  # fmt: skip
    assert p[0] == p[1] == p[2]


def test_models_of_other_rows_and_kinds_of_cluster():
    data = data_of(np.random.default_rng(7), clusters=12)
    part = data[data["g"].astype(int) >= 3]
    fits = {
        "all": fit_glm("y0 ~ x", data, family="gaussian", vcov=Cluster("g")),
        "part": fit_glm("y1 ~ x", part, family="gaussian", vcov=Cluster("g")),
        "twice": fit_glm(
            "y1 ~ x", part.assign(g=pd.Categorical(part["g"])), family="gaussian", vcov=Cluster("g")
        ),
    }
    made = romano_wolf(fits, "x", cluster="g", draws=199, seed=1).frame.set_index("model")
    assert made.loc["part", "p_romano_wolf"] == made.loc["twice", "p_romano_wolf"]
    numbers = fit_glm("y1 ~ x", data.assign(g=data["g"].astype(int)), family="gaussian", vcov=Cluster("g"))
    with pytest.raises(DesignError, match="numbers in one model and strings in another"):
        romano_wolf({"all": fits["all"], "numbers": numbers}, "x", cluster="g", draws=199, seed=1)


def test_one_false_rejection_in_twenty_at_most_with_eight_clusters():
    rng, runs, wrong = np.random.default_rng(11), 300, 0
    for _ in range(runs):
        data = data_of(rng, clusters=8, size=8)
        X, codes = np.column_stack([np.ones(64), data["x"]]), data["g"].astype(int).to_numpy()
        bread, t, models = np.linalg.inv(X.T @ X), [], []
        for y in ("y0", "y1", "y2", "y3"):
            beta = bread @ (X.T @ data[y].to_numpy())
            e = data[y].to_numpy() - X @ beta
            psi = np.bincount(codes, weights=X @ bread[:, 1] * e)
            t.append(beta[1] / np.sqrt(psi @ psi))
            models.append(under_the_null(X, e, codes, 8, place=1, b=beta[1]))
        V = np.array(list(product([1.0, -1.0], repeat=8)))
        T = np.column_stack([model.t(V) for model in models])
        wrong += step_down_max(np.array(t), T).min() <= 0.05
    assert wrong / runs < 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / runs)


def test_dependent_tests_are_found_more_often_than_by_holm():
    rng = np.random.default_rng(12)
    frames = [family_of(data_of(rng, slopes=(0.22,) * 4, shared=0.97), draws=499).frame for _ in range(40)]
    found = {c: np.mean([(f[c] <= 0.05).mean() for f in frames]) for c in ("p_romano_wolf", "p_holm")}
    assert found["p_romano_wolf"] > found["p_holm"] + 0.02


def test_the_same_seed_gives_the_same_numbers_and_order_does_not_matter():
    data = data_of(np.random.default_rng(2))
    first, again = family_of(data), family_of(data.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(first.frame, again.frame, rtol=1e-9)
    assert family_of(data).frame.equals(first.frame)
    copy = pickle.loads(pickle.dumps(first))
    assert copy.frame.equals(first.frame)
    assert "p_romano_wolf" in copy.summary()


def test_everything_wrong_is_said_at_once():
    data = data_of(np.random.default_rng(2))
    fit = fit_glm("y0 ~ x", data, family="gaussian", vcov=Cluster("g"))
    stored = type(fit).from_dict(fit.to_dict())
    with pytest.raises(SpecError) as seen:
        romano_wolf({"a": fit, "b": stored}, {"a": "z"}, cluster="g", draws=5, seed=-1)
    for words in ("no entry for 'b'", "no term 'z'", "no rows", "99 or more", "seed is a whole number"):
        assert words in str(seen.value)
    with pytest.raises(DesignError, match="no column team"):
        romano_wolf({"a": fit}, "x", cluster="team", draws=99, seed=1)
