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


def test_all_signs_of_few_clusters_are_those_of_the_definition():
    data = data_of(np.random.default_rng(5), clusters=6, m=2)
    fits = {y: fit_glm(f"{y} ~ x", data, family="gaussian", vcov=Cluster("g")) for y in ("y0", "y1")}
    made = romano_wolf(fits, "x", cluster="g", draws=99, seed=1)
    psi = []
    for y, fit in fits.items():
        X = np.column_stack([np.ones(len(data)), data["x"]])
        rows = (X * (data[y] - X @ fit.estimates).to_numpy()[:, None]) @ np.linalg.inv(X.T @ X)
        psi.append(pd.Series(rows[:, 1]).groupby(data["g"].to_numpy()).sum().to_numpy())
    T = np.array([[w @ s / np.sqrt(s @ s) for s in psi] for w in product([1.0, -1.0], repeat=6)])
    expected = step_down_max(made.frame["statistic"].to_numpy(), T)
    assert made.frame["p_romano_wolf"].to_numpy() == pytest.approx(expected, abs=1e-12)
    assert "all 64 sign assignments" in made.conventions["Romano-Wolf"]
    assert "Only 6 clusters" in made.notes[0]


def test_one_false_rejection_in_twenty_at_most_where_nothing_holds():
    rng, runs = np.random.default_rng(11), 200
    wrong = [family_of(data_of(rng)).frame["p_romano_wolf"].min() <= 0.05 for _ in range(runs)]
    assert np.mean(wrong) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_dependent_tests_are_found_more_often_than_by_holm():
    rng = np.random.default_rng(12)
    frames = [family_of(data_of(rng, slopes=(0.22,) * 4, shared=0.97), draws=499).frame for _ in range(60)]
    found = {c: np.mean([(f[c] <= 0.05).mean() for f in frames]) for c in ("p_romano_wolf", "p_holm")}
    assert found["p_romano_wolf"] > found["p_holm"] + 0.05


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
