"""Coverage of 95 % intervals in simulated panels of BIP's shape: linear, logit and ordinal mixed models.

    python benchmarks/mixed/interval_coverage.py run --replications 200 [--minutes 10] [--models linear]
    python benchmarks/mixed/interval_coverage.py summarise

`run` adds one line per estimate to `interval_coverage_draws.csv` (not kept in the repository) and goes on
where it stopped; `summarise` writes `interval_coverage.csv`. Replication r draws from (SEED, r) alone.
`logit_quad` is the logit model with 7 points of adaptive quadrature over citizens, on the same data.
The file is not named coverage.py: that would hide the module which numba imports.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import pandas as pd

from jobchance import fit_mixed

HERE = Path(__file__).resolve().parent
DRAWS, RESULT = HERE / "interval_coverage_draws.csv", HERE / "interval_coverage.csv"
SEED = 20130901
CITIZENS, WAVES, CASEWORKERS, CENTRES = 4_000, 7, 300, 10
CHANGE, MOVE, OBSERVED = 0.15, 0.05, 0.964
X = "age + female + wave + meetings"
GROUPS = "(1 | citizen_id) + (1 | caseworker_id) + (1 | jobcentre_id)"
MODELS = {
    "linear": (f"hours ~ {X} + {GROUPS}", {"family": "gaussian"}),
    "logit": (f"job ~ {X} + {GROUPS}", {"family": "binomial"}),
    "logit_quad": (f"job ~ {X} + {GROUPS}", {"family": "binomial", "n_quad": 7}),
    "ordinal": (f"belief ~ {X} + {GROUPS}", {"family": "ordinal"}),
}
CUTS = (-2.0, -0.8, 0.6, 2.0)
TRUTH = {
    "linear": {"(Intercept)": 20.0, "age": 0.5, "female": -0.4, "wave": 0.3, "meetings": 0.25}
    | {"sd[citizen_id]": 0.8, "sd[caseworker_id]": 0.35, "sd[jobcentre_id]": 0.2, "sigma": 1.0},
    "logit": {"(Intercept)": -1.2, "age": 0.3, "female": -0.2, "wave": 0.15, "meetings": 0.2}
    | {"sd[citizen_id]": 1.0, "sd[caseworker_id]": 0.4, "sd[jobcentre_id]": 0.25},
    "ordinal": {f"{i}|{i + 1}": cut for i, cut in enumerate(CUTS, start=1)}
    | {"age": 0.2, "female": -0.3, "wave": 0.1, "meetings": 0.25}
    | {"sd[citizen_id]": 1.2, "sd[caseworker_id]": 0.5, "sd[jobcentre_id]": 0.25},
}

TRUTH["logit_quad"] = TRUTH["logit"]


def draw_panel(replication: int) -> pd.DataFrame:
    """A panel: citizens keep caseworker and jobcentre, or change them, from wave to wave."""
    rng = np.random.default_rng([SEED, replication])
    centre = np.empty((CITIZENS, WAVES), dtype=np.int64)
    worker = np.empty_like(centre)
    centre[:, 0] = rng.integers(0, CENTRES, CITIZENS)
    worker[:, 0] = _worker_of(centre[:, 0], rng)
    for t in range(1, WAVES):
        changes = rng.random(CITIZENS) < CHANGE
        moves = changes & (rng.random(CITIZENS) < MOVE)
        centre[:, t] = np.where(moves, rng.integers(0, CENTRES, CITIZENS), centre[:, t - 1])
        worker[:, t] = np.where(changes, _worker_of(centre[:, t], rng), worker[:, t - 1])
    n = CITIZENS * WAVES
    citizen = np.repeat(np.arange(CITIZENS), WAVES)
    data = pd.DataFrame(
        {
            "citizen_id": citizen,
            "caseworker_id": worker.ravel(),
            "jobcentre_id": centre.ravel(),
            "wave": np.tile(np.arange(WAVES), CITIZENS),
            "age": rng.normal(size=CITIZENS)[citizen],
            "female": rng.integers(0, 2, CITIZENS)[citizen],
            "meetings": rng.poisson(1.5, n),
        }
    )
    data["hours"] = _predictor("linear", data, rng) + rng.normal(size=n)
    data["job"] = (rng.logistic(size=n) < _predictor("logit", data, rng)).astype(int)
    latent = _predictor("ordinal", data, rng) + rng.logistic(size=n)
    data["belief"] = 1 + (latent[:, None] > np.array(CUTS)).sum(axis=1)
    return data[rng.random(n) < OBSERVED].reset_index(drop=True)


def _worker_of(centre: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A caseworker of the jobcentre: caseworker c works in jobcentre c modulo CENTRES."""
    return centre + CENTRES * rng.integers(0, CASEWORKERS // CENTRES, len(centre))


def _predictor(model: str, data: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Linear predictor with new random effects."""
    truth = TRUTH[model]
    eta = np.full(len(data), truth.get("(Intercept)", 0.0))
    for column in ("age", "female", "wave", "meetings"):
        eta += truth[column] * data[column].to_numpy()
    for group, levels in (
        ("citizen_id", CITIZENS),
        ("caseworker_id", CASEWORKERS),
        ("jobcentre_id", CENTRES),
    ):
        eta += truth[f"sd[{group}]"] * rng.normal(size=levels)[data[group]]
    return eta


def one(model: str, replication: int) -> list[dict[str, object]]:
    """Estimates and intervals of one replication."""
    formula, options = MODELS[model]
    begun = time.perf_counter()
    fit = fit_mixed(formula, draw_panel(replication), **options)
    seconds = time.perf_counter() - begun
    limits = fit.conf_int()
    rows = [(t, fit.params[t], limits.loc[t, "conf_low"], limits.loc[t, "conf_high"]) for t in fit.terms]
    rows += _log_sd_intervals(fit)
    return [
        {"model": model, "replication": replication, "parameter": name, "estimate": estimate}
        | {"conf_low": low, "conf_high": high, "truth": TRUTH[model][name]}
        | {"converged": fit.converged, "seconds": round(seconds, 2)}
        for name, estimate, low, high in rows
    ]


def _log_sd_intervals(fit) -> list[tuple[str, float, float, float]]:
    """Standard deviations with normal intervals for their logarithm, from the joint covariance."""
    scale, C = fit.statistics.get("sigma", 1.0), fit.joint.covariance
    k, made = len(fit.structure), []
    for i, part in enumerate(fit.structure):
        theta = part.theta[0]
        variance = C[i, i] / theta**2 if theta > 0 else np.nan
        if "sigma" in fit.statistics and theta > 0:
            variance += C[k, k] + 2 * C[i, k] / theta
        made.append((f"sd[{part.group}]", scale * theta, variance))
    if "sigma" in fit.statistics:
        made.append(("sigma", scale, C[k, k]))
    reach = [1.959963984540054 * np.sqrt(v) for _, _, v in made]
    return [(n, e, e * np.exp(-r), e * np.exp(r)) for (n, e, _), r in zip(made, reach, strict=True)]


def run(replications: int, minutes: float, models: list[str]) -> None:
    """Replications that are not in the file yet, model after model within each."""
    done = set()
    if DRAWS.exists():
        done = set(pd.read_csv(DRAWS)[["model", "replication"]].itertuples(index=False, name=None))
    end = time.monotonic() + 60 * minutes
    for replication in range(replications):
        for model in models:
            if (model, replication) in done:
                continue
            if time.monotonic() > end:
                return
            rows = one(model, replication)
            new = not DRAWS.exists()
            with DRAWS.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                if new:
                    writer.writeheader()
                writer.writerows(rows)


def summarise() -> pd.DataFrame:
    """Coverage with its simulation error, bias, and standard errors against the spread of the estimates."""
    draws = pd.read_csv(DRAWS)
    draws["covered"] = (draws["conf_low"] <= draws["truth"]) & (draws["truth"] <= draws["conf_high"])
    made = []
    for (model, parameter), part in draws.groupby(["model", "parameter"], sort=False):
        n, coverage = len(part), part["covered"].mean()
        made.append(
            {
                "model": model,
                "parameter": parameter,
                "truth": part["truth"].iloc[0],
                "mean_estimate": part["estimate"].mean(),
                "sd_of_estimates": part["estimate"].std(),
                "coverage": coverage,
                "coverage_error": np.sqrt(0.95 * 0.05 / n),
                "no_interval": int(part["conf_low"].isna().sum()),
                "replications": n,
                "not_converged": int((~part["converged"]).sum()),
                "median_seconds": part["seconds"].median(),
            }
        )
    table = pd.DataFrame(made).sort_values("model", kind="stable")
    table.to_csv(RESULT, index=False, float_format="%.5g")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["run", "summarise"])
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    arguments = parser.parse_args()
    if arguments.what == "run":
        run(arguments.replications, arguments.minutes, arguments.models)
    else:
        print(summarise().to_string(index=False))


if __name__ == "__main__":
    main()
