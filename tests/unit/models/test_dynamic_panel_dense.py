"""Dynamic panels against dense matrices built entity by entity, loop by loop, with nothing shared."""

import numpy as np
import pandas as pd
import pytest

from jobchance.models.dynamic_panel import fit_dynamic_panel


def panel(seed=3, n=60, periods=7, gaps=True):
    """An outcome with a past, a covariate that reacts to it, one that does not; some periods are absent."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        level = rng.normal()
        y, x = level + rng.normal(), rng.normal()
        for t in range(periods):
            z = rng.normal() + 0.3 * t
            x = 0.4 * x + 0.3 * y + 0.5 * level + rng.normal()
            y = 0.5 * y + 0.4 * x - 0.3 * z + level + rng.normal()
            rows.append({"i": i, "t": t + 3, "y": y, "x": x, "z": z})
    data = pd.DataFrame(rows)
    return data[rng.uniform(size=len(data)) > 0.12].reset_index(drop=True) if gaps else data


def dense(data, transformation, collapse):
    """Stacked y, X, Z and H of every entity for y ~ x + z with x endogenous, one lag, effects of periods."""
    first, last = int(data["t"].min()), int(data["t"].max())
    periods = range(first, last + 1)
    entities = []
    for _, rows in data.groupby("i"):
        at = {int(r.t): r for r in rows.itertuples()}
        complete = [t for t in periods if t in at and t - 1 in at]
        entities.append((at, complete))
    dummies = list(periods)[2:]  # the reference is the first period with a lag
    system = transformation == "system"

    def regressor(at, t):
        row = [at[t - 1].y, at[t].x, at[t].z, *[float(t == s) for s in dummies]]
        return np.array([*row, 1.0] if system else row)

    made = []
    for at, complete in entities:
        M, D, times = [], [], []
        if transformation == "orthogonal_deviations":
            for k, t in enumerate(complete[:-1]):
                r = len(complete) - k - 1
                row = np.zeros(len(complete))
                row[k], row[k + 1 :] = 1, -1 / r
                M.append(row * np.sqrt(r / (r + 1)))
                times.append(t + 1)
        else:
            for k in range(1, len(complete)):
                if complete[k] == complete[k - 1] + 1:
                    row = np.zeros(len(complete))
                    row[k], row[k - 1] = 1, -1
                    M.append(row)
                    times.append(complete[k])
        n_moved = len(M)
        for k in range(1, len(complete)):
            if complete[k] == complete[k - 1] + 1:
                D.append((complete[k], k, k - 1))
        if system:
            M += list(np.eye(len(complete)))
            times += complete
        if not M:
            continue
        M = np.array(M)
        y = np.array([at[t].y for t in complete])
        X = np.array([regressor(at, t) for t in complete])
        Z = []
        for r, t in enumerate(times):
            moved = r < n_moved
            z = {}
            for name in ("y", "x"):
                for s in periods:
                    if moved and s <= t - 2 and s in at:
                        z[(name, t - s) if collapse else (name, t, s)] = getattr(at[s], name)
                if not moved and t - 1 in at and t - 2 in at:
                    key = (name, "d") if collapse else (name, "d", t)
                    z[key] = getattr(at[t - 1], name) - getattr(at[t - 2], name)
            mx = M[r] @ X
            z[("z", moved)] = mx[2]
            for j, s in enumerate(dummies):
                if not system or not moved:
                    z[("t", s)] = mx[3 + j]
            if system and not moved:
                z[("one",)] = 1.0
            Z.append(z)
        made.append((M @ y, M @ X, Z, M @ M.T, [(t, y[a] - y[b], X[a] - X[b]) for t, a, b in D]))
    keys = sorted({k for *_, Z, _, _ in made for z in Z for k, v in z.items() if v != 0}, key=str)
    place = {k: j for j, k in enumerate(keys)}
    out = []
    for y, X, Z, H, D in made:
        full = np.zeros((len(y), len(keys)))
        for r, z in enumerate(Z):
            for k, v in z.items():
                if k in place:
                    full[r, place[k]] = v
        out.append((y, X, full, H, D))
    return out, keys


def solve(entities, A):
    ZX = sum(Z.T @ X for _, X, Z, _, _ in entities)
    Zy = sum(Z.T @ y for y, _, Z, _, _ in entities)
    B = np.linalg.inv(ZX.T @ A @ ZX)
    return B @ ZX.T @ A @ Zy, B, ZX


def outer(entities, beta):
    g = [Z.T @ (y - X @ beta) for y, X, Z, _, _ in entities]
    return sum(np.outer(a, a) for a in g)


def second(entities, beta1):
    return solve(entities, np.linalg.inv(outer(entities, beta1)))[0]


@pytest.mark.parametrize("collapse", [False, True])
@pytest.mark.parametrize("transformation", ["difference", "system", "orthogonal_deviations"])
def test_against_dense_matrices(transformation, collapse):
    data = panel(n=120, periods=6)
    entities, _ = dense(data, transformation, collapse)
    A1 = np.linalg.inv(sum(Z.T @ H @ Z for _, _, Z, H, _ in entities))
    b1, B1, ZX = solve(entities, A1)
    S = outer(entities, b1)
    A2 = np.linalg.inv(S)
    b2, B2, _ = solve(entities, A2)
    options = {
        "entity": "i",
        "time": "t",
        "endogenous": ("x",),
        "transformation": transformation,
        "collapse": collapse,
    }
    shuffled = data.sample(frac=1, random_state=1)
    one = fit_dynamic_panel("y ~ x + z", shuffled, steps="one", **options)
    two = fit_dynamic_panel("y ~ x + z", shuffled, **options)
    assert one.nobs == sum(len(y) for y, *_ in entities)
    assert one.statistics["n_instruments"] == len(A1)
    tight = {"rtol": 1e-8, "atol": 1e-9}
    np.testing.assert_allclose(one.estimates, b1, **tight)
    np.testing.assert_allclose(two.estimates, b2, **tight)
    V1 = B1 @ ZX.T @ A1 @ S @ A1 @ ZX @ B1
    np.testing.assert_allclose(one.covariance, V1, **tight)
    conventional = fit_dynamic_panel("y ~ x + z", data, vcov="model", **options)
    np.testing.assert_allclose(conventional.covariance, B2, **tight)
    # Windmeijer: how the second step moves with the first, here by differences of complete estimations
    step = 1e-6
    moves = np.column_stack(
        [
            (second(entities, b1 + step * e) - second(entities, b1 - step * e)) / (2 * step)
            for e in np.eye(len(b1))
        ]
    )
    V2 = B2 + moves @ B2 + B2 @ moves.T + moves @ V1 @ moves.T
    np.testing.assert_allclose(two.covariance, V2, rtol=1e-5, atol=1e-8)
    g2 = sum(Z.T @ (y - X @ b2) for y, X, Z, _, _ in entities)
    np.testing.assert_allclose(two.statistics["hansen"], g2 @ A2 @ g2, rtol=1e-7)
    for order in (1, 2):
        np.testing.assert_allclose(
            two.statistics[f"m{order}"], m_statistic(entities, b2, B2, A2, ZX, V2, order), rtol=1e-5
        )
        np.testing.assert_allclose(
            one.statistics[f"m{order}"], m_statistic(entities, b1, B1, A1, ZX, V1, order), rtol=1e-7
        )


def m_statistic(entities, beta, B, A, ZX, V, order):
    """Arellano-Bond m, one entity after the other."""
    total, squares, wX, along = 0.0, 0.0, 0.0, 0.0
    for y, X, Z, _, D in entities:
        v = {t: dy - dX @ beta for t, dy, dX in D}
        pairs = [(v[t - order], dX, v[t]) for t, _, dX in D if t - order in v]
        product = sum(w * e for w, _, e in pairs)
        total += product
        squares += product**2
        wX = wX + sum((w * dX for w, dX, _ in pairs), np.zeros(len(beta)))
        along = along + Z.T @ (y - X @ beta) * product
    variance = squares - 2 * wX @ B @ ZX.T @ A @ along + wX @ V @ wX
    return total / np.sqrt(variance)


def test_without_level_instruments():
    data = panel(n=120, periods=6)
    entities, keys = dense(data, "system", True)
    A1 = np.linalg.inv(sum(Z.T @ H @ Z for _, _, Z, H, _ in entities))
    S = outer(entities, solve(entities, A1)[0])
    keep = [j for j, key in enumerate(keys) if key not in (("x", "d"), ("y", "d"))]
    ZX = sum(Z.T @ X for _, X, Z, _, _ in entities)[keep]
    Zy = sum(Z.T @ y for y, _, Z, _, _ in entities)[keep]
    A = np.linalg.inv(S[np.ix_(keep, keep)])
    g = Zy - ZX @ np.linalg.solve(ZX.T @ A @ ZX, ZX.T @ A @ Zy)
    fit = fit_dynamic_panel(
        "y ~ x + z", data, entity="i", time="t", endogenous=("x",), transformation="system", collapse=True
    )
    numbers = fit.statistics
    assert len(keys) - len(keep) == 2 == numbers["hansen_levels_df"]
    np.testing.assert_allclose(numbers["hansen_without_levels"], g @ A @ g, rtol=1e-7)
    np.testing.assert_allclose(numbers["hansen_levels"], numbers["hansen"] - g @ A @ g, rtol=1e-6)


def test_deviations_equal_differences_with_all_instruments():
    """Arellano & Bover (1995): on a balanced panel with every lag as instrument the two are one estimator."""
    data = panel(gaps=False)
    options = {"entity": "i", "time": "t", "predetermined": ("x",), "time_effects": False}
    for steps in ("one", "two"):
        a = fit_dynamic_panel("y ~ x", data, steps=steps, **options)
        b = fit_dynamic_panel("y ~ x", data, steps=steps, transformation="orthogonal_deviations", **options)
        np.testing.assert_allclose(a.estimates, b.estimates, rtol=1e-8)
        np.testing.assert_allclose(a.covariance, b.covariance, rtol=1e-7)
        np.testing.assert_allclose(a.statistics["m2"], b.statistics["m2"], rtol=1e-6)


def test_one_step_model_errors_use_half_the_variance_of_a_difference():
    data = panel(n=120, periods=6)
    entities, _ = dense(data, "difference", True)
    b1, B1, _ = solve(entities, np.linalg.inv(sum(Z.T @ H @ Z for _, _, Z, H, _ in entities)))
    u = np.concatenate([y - X @ b1 for y, X, *_ in entities])
    fit = fit_dynamic_panel(
        "y ~ x + z",
        data,
        entity="i",
        time="t",
        endogenous=("x",),
        collapse=True,
        steps="one",
        vcov="model",
    )
    np.testing.assert_allclose(fit.covariance, u @ u / (len(u) - len(b1)) / 2 * B1, rtol=1e-7)
