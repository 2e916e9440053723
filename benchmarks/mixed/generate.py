"""Panels for the timing of mixed models: citizens x waves, crossed with caseworkers and jobcentres.

    python generate.py --citizens 4000 --generator centres10 --out FOLDER

Every column is one binary file (little-endian float64 or int32), so that R and Python read the same numbers
without parsing and a peak of memory belongs to the fit.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]

SEED = 20260101
JOBCENTRES = {"centres10": 10, "centres100": 100}
WAVES = 7
CITIZENS_PER_CASEWORKER = 13
CHANGES_CASEWORKER = 0.15  # per wave
LEAVES_JOBCENTRE = 0.05  # of those who change caseworker
OBSERVED = 0.964
GROUPS = ("citizen", "caseworker", "jobcentre")
TRUTH = {
    "linear": {
        "beta": {"Intercept": 20.0, "age": 0.5, "female": -0.4, "wave": 0.3, "meetings": 0.25},
        "sd": {"citizen": 0.8, "caseworker": 0.35, "jobcentre": 0.2, "residual": 1.0},
    },
    "logit": {
        "beta": {"Intercept": -1.2, "age": 0.3, "female": -0.2, "wave": 0.15, "meetings": 0.2},
        "sd": {"citizen": 1.0, "caseworker": 0.4, "jobcentre": 0.25},
    },
    "ordinal": {
        "beta": {"Intercept": 0.0, "age": 0.2, "female": -0.3, "wave": 0.1, "meetings": 0.25},
        "sd": {"citizen": 1.2, "caseworker": 0.5, "jobcentre": 0.25},
        "thresholds": {"1|2": -2.0, "2|3": -0.8, "3|4": 0.6, "4|5": 2.0},
    },
}


def draw_panel(n_citizens: int, *, generator: str, seed: int = SEED) -> dict[str, Floats | Codes]:
    """Columns of one panel, sorted by citizen and wave, rows that were not observed left out."""
    rng = np.random.default_rng(seed)
    n_jobcentres = JOBCENTRES[generator]
    n_caseworkers = max(2 * n_jobcentres, round(n_citizens / CITIZENS_PER_CASEWORKER))
    jobcentre, caseworker = draw_offices(rng, n_citizens, n_caseworkers, n_jobcentres)
    citizen = np.repeat(np.arange(n_citizens), WAVES)
    n = len(citizen)
    age, female = rng.normal(size=n_citizens)[citizen], rng.integers(0, 2, n_citizens)[citizen]
    covariates = {
        "age": age,
        "female": female,
        "wave": np.tile(np.arange(WAVES), n_citizens),
        "meetings": rng.poisson(1.5, n),
    }
    codes = {"citizen": citizen, "caseworker": caseworker.ravel(), "jobcentre": jobcentre.ravel()}
    sizes = {"citizen": n_citizens, "caseworker": n_caseworkers, "jobcentre": n_jobcentres}

    def predictor(model: str) -> Floats:
        """Linear predictor with the true fixed effects and freshly drawn random effects."""
        beta, sd = TRUTH[model]["beta"], TRUTH[model]["sd"]
        eta = beta["Intercept"] + sum(beta[name] * column for name, column in covariates.items())
        for group in GROUPS:
            eta = eta + rng.normal(0, sd[group], sizes[group])[codes[group]]
        return eta

    hours = predictor("linear") + rng.normal(0, TRUTH["linear"]["sd"]["residual"], n)
    chance = rng.random(n)
    job = chance < 1 / (1 + np.exp(-predictor("logit")))
    latent = predictor("ordinal") + rng.logistic(size=n)
    thresholds = np.array(list(TRUTH["ordinal"]["thresholds"].values()))
    belief = 1 + np.searchsorted(thresholds, latent)
    seen = rng.random(n) < OBSERVED
    numbers = {**covariates, "hours": hours, "job": job}
    return {
        **{name: column[seen].astype("<i4") for name, column in {**codes, "belief": belief}.items()},
        **{name: column[seen].astype("<f8") for name, column in numbers.items()},
    }


def draw_offices(
    rng: np.random.Generator, n_citizens: int, n_caseworkers: int, n_jobcentres: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Jobcentre and caseworker (n_citizens, waves): caseworker c belongs to jobcentre c mod n_jobcentres."""
    staff = np.bincount(np.arange(n_caseworkers) % n_jobcentres, minlength=n_jobcentres)

    def one_of(office: NDArray[np.int64]) -> NDArray[np.int64]:
        """A caseworker of each citizen's jobcentre."""
        return office + n_jobcentres * (rng.random(n_citizens) * staff[office]).astype(np.int64)

    jobcentre = np.empty((n_citizens, WAVES), np.int64)
    caseworker = np.empty_like(jobcentre)
    jobcentre[:, 0] = rng.integers(0, n_jobcentres, n_citizens)
    caseworker[:, 0] = one_of(jobcentre[:, 0])
    for t in range(1, WAVES):
        changes = rng.random(n_citizens) < CHANGES_CASEWORKER
        leaves = changes & (rng.random(n_citizens) < LEAVES_JOBCENTRE)
        elsewhere = rng.integers(0, n_jobcentres, n_citizens)
        jobcentre[:, t] = np.where(leaves, elsewhere, jobcentre[:, t - 1])
        caseworker[:, t] = np.where(changes, one_of(jobcentre[:, t]), caseworker[:, t - 1])
    return jobcentre, caseworker


def write_panel(folder: Path, n_citizens: int, *, generator: str, seed: int = SEED) -> Path:
    """Write one panel unless the folder already holds it; `columns.json` comes last and marks it complete."""
    marker = folder / "columns.json"
    if marker.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    panel = draw_panel(n_citizens, generator=generator, seed=seed)
    for name, column in panel.items():
        column.tofile(folder / f"{name}.bin")
    described = {
        "generator": generator,
        "seed": seed,
        "n_citizens": n_citizens,
        "n_rows": len(panel["citizen"]),
        "levels": {group: len(np.unique(panel[group])) for group in GROUPS},
        "columns": {name: column.dtype.str[1:] for name, column in panel.items()},
    }
    marker.write_text(json.dumps(described, indent=1), encoding="utf-8")
    return folder


def read_panel(folder: Path) -> dict[str, Floats | Codes]:
    """Columns of a panel that `write_panel` wrote."""
    described = json.loads((folder / "columns.json").read_text(encoding="utf-8"))
    return {
        name: np.fromfile(folder / f"{name}.bin", dtype="<" + kind)
        for name, kind in described["columns"].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--citizens", type=int, required=True)
    parser.add_argument("--generator", choices=sorted(JOBCENTRES), default="centres10")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    folder = write_panel(args.out, args.citizens, generator=args.generator, seed=args.seed)
    print((folder / "columns.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
