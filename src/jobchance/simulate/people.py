"""Jobcentres, caseworkers and citizens of the simulated study.

Letters: theta is latent employability, N(0, 1) over citizens; alpha is a caseworker's disposition
(optimism), N(0, 1) over caseworkers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from jobchance.simulate import calendar as cal
from jobchance.simulate.calendar import Days
from jobchance.simulate.dials import Dials

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CULTURE_SHARE = 0.04  # of the variance of alpha, lies between jobcentres
JOBCENTRE_SD = 0.06  # log hazard of job and of education
CASEWORKER_SD = 0.10  # log hazard, apart from optimism: effort, offers, skill
LATE, LEAVERS = 0.1, 0.5  # shares of caseworkers hired, and leaving, while most cases are open

# Margins of the citizens (published) and their correlation with theta (invented).
TRAITS = {
    "psychiatric_diagnosis": (0.46, -0.25),
    "musculoskeletal_diagnosis": (0.20, -0.15),
    "no_vocational_qualification": (0.70, -0.20),
    "convicted_men": (0.25, -0.15),
    "convicted_women": (0.06, -0.15),
    "any_intervention": (0.75, 0.10),
}
JOB_EDUCATION_SHARE_5Y = (0.14, 0.45)
AGE_AT_ENTRY = (18, 60, -0.20)  # lowest, below, correlation with theta


@dataclass(frozen=True)
class Offices:
    """Jobcentres, shape (C,)."""

    opened: Days
    effect: Floats
    culture: Floats


@dataclass(frozen=True)
class Caseworkers:
    """Caseworkers, shape (J,); ordered by jobcentre and, inside it, by disposition."""

    jobcentre: Ints
    alpha: Floats
    effect: Floats
    stretch: Floats
    hired: Days
    left: Days
    first: Ints  # shape (C,): position of each jobcentre's first caseworker
    count: Ints  # shape (C,)


@dataclass(frozen=True)
class Citizens:
    """Citizens, shape (N,)."""

    jobcentre: Ints
    entry: Days
    theta: Floats
    man: Bools
    age: Ints
    traits: dict[str, Bools]
    job_education_share_5y: Floats


def draw_offices(rng: np.random.Generator, dials: Dials) -> Offices:
    """Draw jobcentres, which join the project over the first four months."""
    size = dials.n_jobcentres
    opened = cal.FIRST_ENTRY + np.sort(rng.integers(0, 120, size))
    opened[0] = cal.FIRST_ENTRY
    return Offices(opened.astype(np.int64), rng.normal(0, JOBCENTRE_SD, size), rng.normal(size=size))


def draw_caseworkers(rng: np.random.Generator, dials: Dials, offices: Offices) -> Caseworkers:
    """Draw caseworkers; two in each jobcentre stay throughout, so that nobody is left without."""
    size, n_offices = dials.n_caseworkers, dials.n_jobcentres
    jobcentre = np.sort(np.arange(size) % n_offices)
    alpha = np.sqrt(CULTURE_SHARE) * offices.culture[jobcentre] + np.sqrt(1 - CULTURE_SHARE) * rng.normal(
        size=size
    )
    order = np.lexsort((alpha, jobcentre))
    count = np.bincount(jobcentre, minlength=n_offices)
    first = np.concatenate(([0], np.cumsum(count)[:-1]))
    stays = np.argsort(np.argsort(jobcentre + rng.random(size))) - first[jobcentre] < 2
    late = (rng.random(size) < LATE) & ~stays
    leaves = (rng.random(size) < LEAVERS) & ~stays
    hired_before = cal.FIRST_ENTRY - rng.integers(60, 5000, size)
    hired = np.where(late, rng.integers(cal.FIRST_ENTRY, cal.day("2013-12-31"), size), hired_before)
    left = np.maximum(rng.integers(cal.day("2013-10-01"), cal.day("2015-06-30"), size), hired + 180)
    leaves &= left < cal.PROJECT_END
    return Caseworkers(
        jobcentre=jobcentre,
        alpha=alpha[order],
        effect=rng.normal(0, CASEWORKER_SD, size),
        stretch=np.exp(dials.scale_use * rng.normal(size=size)),
        hired=hired.astype(np.int64),
        left=np.where(leaves, left, cal.NEVER).astype(np.int64),
        first=first,
        count=count,
    )


def draw_citizens(rng: np.random.Generator, dials: Dials, offices: Offices) -> Citizens:
    """Draw citizens entering in 2013; traits share the published margins and correlate with theta."""
    size = dials.n_citizens
    theta = rng.normal(size=size)
    jobcentre = rng.integers(0, dials.n_jobcentres, size)
    opened = offices.opened[jobcentre]
    entry = opened + (rng.random(size) * (cal.LAST_ENTRY - opened)).astype(np.int64)
    lowest, below, correlation = AGE_AT_ENTRY
    traits = {
        name: _related(rng, theta, strength) > ndtri(1 - share) for name, (share, strength) in TRAITS.items()
    }
    man = rng.random(size) < 0.5
    mean, strength = JOB_EDUCATION_SHARE_5Y
    return Citizens(
        jobcentre=jobcentre,
        entry=entry,
        theta=theta,
        man=man,
        age=lowest + (ndtr(_related(rng, theta, correlation)) * (below - lowest)).astype(np.int64),
        traits=traits,
        # a power of a uniform variable: mean exactly `mean`, many citizens near zero
        job_education_share_5y=np.round(ndtr(_related(rng, theta, strength)) ** (1 / mean - 1), 3),
    )


def _related(rng: np.random.Generator, theta: Floats, correlation: float) -> Floats:
    """Return a standard normal variable with the given correlation with theta."""
    return np.asarray(correlation * theta + np.sqrt(1 - correlation**2) * rng.normal(size=theta.shape))
