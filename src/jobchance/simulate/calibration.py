"""Constants that make the simulated study meet the published margins, and the equations they solve.

Letters: theta employability, alpha disposition of the caseworker, s what a caseworker sees of theta, B the
answer 1-5, H the hazard of a job summed over a year, a its log level, b its slope in theta.

    s = lambda theta + sqrt(1 - lambda^2) noise
    B = number of cuts below kappa (W_SEEN s + W_OPTIMISM alpha + W_WAVE noise)  + 1
    H = exp(a + b theta + optimism_effect alpha + belief_effect (B - MEAN_BELIEF)),  P(job) = 1 - exp(-H)

`a` and `b` are solved so that the overall rate and the rate of the top answer meet their targets whatever
the effects are: the published gradient is a fact, and `belief_effect` says how much of it belief makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from jobchance.errors import SpecError
from jobchance.simulate.dials import Dials

Floats = NDArray[np.float64]

BELIEF_SHARES = (0.25, 0.25, 0.24, 0.20, 0.06)
MEAN_BELIEF = 2.57  # of these shares
ITEM_SHARES = (0.12, 0.23, 0.32, 0.23, 0.10)  # other items; invented
W_SEEN, W_OPTIMISM, W_WAVE = 1.25, 0.5, 0.6

# Targets of the equations. They differ a little from the published margins because the margins are computed
# from first waves and later ones, with shifts, and the equations know a single year without any.
BASE_RATE = 0.065
TOP_RATE = 0.303
REFERENCE_SKILL = 0.9
EDUCATION_RATE = 0.0885
EDUCATION_SLOPE = 0.3
_STEEPEST = 4.0  # slopes tried
PROGRESS = 0.08  # log hazard of a job per year since entry: the labour market of 2013-17 improved
EDUCATION_AGE, EDUCATION_AGE_SLOPE = 39, -0.03


@dataclass(frozen=True)
class Hazard:
    """Log yearly hazard of a job: `level + slope * theta + effects`."""

    level: float
    slope: float


def cuts(shares: tuple[float, ...], sd: float, log_stretch_sd: float = 0.0) -> Floats:
    """Cut points that give `shares` when the latent variable is N(0, sd^2) times a lognormal stretch."""
    nodes, weights = hermegauss(21)
    weights = weights / weights.sum()
    scale = sd * np.exp(log_stretch_sd * nodes)
    goals = np.cumsum(shares)[:-1]

    def excess(cut: float, goal: float) -> float:
        return float(np.sum(weights * ndtr(cut / scale))) - goal

    reach = 10 * scale.max()
    return np.array([brentq(excess, -reach, reach, args=(goal,)) for goal in goals])


def belief_cuts(dials: Dials) -> Floats:
    """Cut points of the belief answer."""
    return _belief_cuts(dials.scale_use)


@cache
def _belief_cuts(scale_use: float) -> Floats:
    """Cut points by the spread of stretches; asked for at every wave."""
    return cuts(BELIEF_SHARES, latent_belief_sd(), scale_use)


def solve_hazard(dials: Dials) -> Hazard:
    """Level and slope of the log hazard that meet the base rate and, at the reference skill, the top rate.

    Raises
    ------
    SpecError
        The effects are so strong that no slope meets the published gradient.
    """

    def top_excess(slope: float) -> float:
        level = _solve_level(dials, slope, REFERENCE_SKILL)
        return float(_rates(dials, level, slope, REFERENCE_SKILL)[-1]) - TOP_RATE

    if top_excess(0.0) > 0 or top_excess(_STEEPEST) < 0:
        raise SpecError(
            "belief_effect and optimism_effect together are too far from zero: no influence of employability "
            "could then make the published gradient over answers"
        )
    slope = brentq(top_excess, 0.0, _STEEPEST, xtol=1e-4)
    return Hazard(_solve_level(dials, slope, dials.forecasting_skill), slope)


def _solve_level(dials: Dials, slope: float, skill: float) -> float:
    """Level that gives the base rate."""

    def excess(level: float) -> float:
        return float(np.dot(BELIEF_SHARES, _rates(dials, level, slope, skill))) - BASE_RATE

    return float(brentq(excess, -30.0, 5.0, xtol=1e-6))


def _rates(dials: Dials, level: float, slope: float, skill: float) -> Floats:
    """P(job in a year | B) for each answer, by quadrature over theta and alpha."""
    nodes, weights = hermegauss(31)
    weights = weights / weights.sum()
    theta, alpha = nodes[:, None], nodes[None, :]
    edges = np.concatenate(([-np.inf], cuts(BELIEF_SHARES, latent_belief_sd()), [np.inf]))
    spread = np.sqrt(W_SEEN**2 * (1 - skill**2) + W_WAVE**2)
    centre = W_SEEN * skill * theta + W_OPTIMISM * alpha
    below = ndtr((edges[:, None, None] - centre) / spread)
    answer = np.diff(below, axis=0) * weights[:, None] * weights
    steps = np.arange(1, 6)[:, None, None] - MEAN_BELIEF
    total = np.exp(level + slope * theta + dials.optimism_effect * alpha + dials.belief_effect * steps)
    joint = (answer * -np.expm1(-total)).sum(axis=(1, 2))
    return np.asarray(joint / answer.sum(axis=(1, 2)))


def latent_belief_sd() -> float:
    """Standard deviation of the latent belief."""
    return float(np.sqrt(W_SEEN**2 + W_OPTIMISM**2 + W_WAVE**2))
