"""How far the Laplace approximation and quadrature over citizens miss known standard deviations.

Simulated logit panels: seven yes/no rows per citizen, caseworkers and jobcentres crossed with citizens; true
standard deviations 1.0, 0.4 and 0.25. One line per panel and number of quadrature points (1 = Laplace).

    python benchmarks/mixed/laplace_bias.py [panels] [file.csv]
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import numpy as np

from jobchance.numerics.mixed.block import Slots, index_rows
from jobchance.numerics.mixed.families import BINOMIAL_LOGIT
from jobchance.numerics.mixed.laplace import LaplaceBlock, LaplaceProblem
from jobchance.numerics.mixed.partition import elimination_order, plan_columns
from jobchance.numerics.mixed.pool import LocalPool
from jobchance.numerics.mixed.relative import Template
from jobchance.numerics.mixed.search import minimise

CITIZENS, CASEWORKERS, JOBCENTRES, WAVES = 4_000, 307, 10, 7
SD = np.array([1.0, 0.4, 0.25])
BETA = np.array([-1.2, 0.3, 0.2, 0.15])
POINTS = (1, 3, 5, 7, 11)
NAMES = ("sd_citizen", "sd_caseworker", "sd_jobcentre", "intercept", "age", "meetings", "wave")


def draw(seed: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Codes of citizen, caseworker and jobcentre; covariates; outcome."""
    rng = np.random.default_rng(seed)
    per = np.bincount(np.arange(CASEWORKERS) % JOBCENTRES)
    centre, worker = (np.empty((CITIZENS, WAVES), dtype=np.int64) for _ in range(2))
    for t in range(WAVES):
        change = rng.random(CITIZENS) < (0.15 if t else 1.0)
        move = change & (rng.random(CITIZENS) < (0.05 if t else 1.0))
        before = max(t - 1, 0)
        centre[:, t] = np.where(move, rng.integers(0, JOBCENTRES, CITIZENS), centre[:, before])
        new = centre[:, t] + JOBCENTRES * (rng.random(CITIZENS) * per[centre[:, t]]).astype(np.int64)
        worker[:, t] = np.where(change, new, worker[:, before])
    codes = [np.repeat(np.arange(CITIZENS), WAVES), worker.ravel(), centre.ravel()]
    codes = [np.unique(code, return_inverse=True)[1] for code in codes]
    n = CITIZENS * WAVES
    age = rng.normal(size=CITIZENS)[codes[0]]
    X = np.column_stack(
        [np.ones(n), age, rng.poisson(1.5, n) - 1.5, np.tile(np.arange(WAVES) - 3.0, CITIZENS)]
    )
    eta = X @ BETA
    for code, sd in zip(codes, SD, strict=True):
        eta += sd * rng.normal(size=code.max() + 1)[code]
    return codes, X, (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(float)


def build(codes: list[np.ndarray], X: np.ndarray, y: np.ndarray, n_quad: int) -> LaplaceProblem:
    """The criterion of a model with one intercept per factor."""
    levels, widths = [int(code.max()) + 1 for code in codes], [1] * len(codes)
    assert elimination_order(levels, widths) == list(range(len(codes)))
    partition, slots = plan_columns(codes, levels, widths), Slots(tuple(widths))
    blocks = [
        LaplaceBlock(
            index,
            np.ones((1, len(codes))),
            slots,
            partition.layout,
            family=BINOMIAL_LOGIT,
            X=np.ascontiguousarray(X[index.rows]),
            y=y[index.rows],
            w=np.ones(len(index.rows)),
            offset=np.zeros(len(index.rows)),
            n_quad=n_quad,
        )
        for index in index_rows(codes, partition)
    ]
    return LaplaceProblem(LocalPool(blocks), partition.layout, slots, (Template((1,)),) * len(codes))


def fit(problem: LaplaceProblem) -> tuple[np.ndarray, float, bool]:
    """Estimates, -2 log-likelihood and whether the optimum is proved."""

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        state = problem.evaluate(x[: len(SD)], np.zeros(0), x[len(SD) :])
        return state.value, np.concatenate([state.by_theta, state.by_beta])

    scale = np.array([0.03, 0.03, 0.08, 0.1, 0.03, 0.02, 0.02])
    found = minimise(objective, np.concatenate([SD, BETA]), scale=scale)
    return np.concatenate([np.abs(found.x[: len(SD)]), found.x[len(SD) :]]), found.value, found.converged


def main(panels: int, target: Path) -> None:
    """Fit every panel with every number of points."""
    with target.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["seed", "n_quad", "converged", "minus_2_loglik", *NAMES, "seconds"])
        for seed in range(1, panels + 1):
            codes, X, y = draw(seed)
            for n_quad in POINTS:
                start = time.perf_counter()
                x, value, converged = fit(build(codes, X, y, n_quad))
                numbers = [f"{v:.5f}" for v in x]
                out.writerow(
                    [seed, n_quad, converged, f"{value:.3f}", *numbers, f"{time.perf_counter() - start:.1f}"]
                )
            file.flush()


if __name__ == "__main__":
    default = Path(__file__).with_suffix(".csv")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15, Path(sys.argv[2]) if len(sys.argv) > 2 else default)
