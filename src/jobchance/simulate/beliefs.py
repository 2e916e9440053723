"""Beliefs and the other items: what caseworkers see, and which category they and the citizens answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from jobchance.simulate import calendar as cal
from jobchance.simulate import calibration
from jobchance.simulate.actions import Propensity, first_probability, next_probability
from jobchance.simulate.caseload import Plan, Tenures
from jobchance.simulate.dials import Dials
from jobchance.simulate.people import Caseworkers, Citizens

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Shares of an item's variance: what its construct has to do with theta, the rater's disposition (halo), a
# lasting trait of the citizen; the rest is noise of the wave. Invented; core indicators weigh more.
CORE_LOADING, OTHER_LOADING = 0.60, 0.15
HALO = 0.20
TRAIT = 0.50
MISSING = {"not_asked": 0.004, "refused": 0.002, "not_applicable": 0.001, "technical": 0.002}
DONT_KNOW_OTHER = 0.03
REFUSED_CITIZEN = 0.010

REASONS = ("dont_know", *MISSING)


# By how much every disposition is raised, in its standard deviations, in the worlds that truth compares.
RAISES = (0.0, 1.0, -0.5, 0.5)


@dataclass(frozen=True)
class Course:
    """What follows at the planned waves, in one world; shape (M,).

    `answer` is the category 1-5 that stands behind the form even where the form says "don't know"; `active`
    says whether an activity is going on on the day.
    """

    answer: Ints
    active: Bools


@dataclass(frozen=True)
class Beliefs:
    """Planned waves, one row per citizen and wave, ordered so; shape (M,).

    `courses` has what follows by how much every caseworker's disposition is raised from entry on, in its
    standard deviations; 0 is the world as it is.
    """

    citizen: Ints
    wave: Ints  # from 0
    day: Ints
    tenure: Ints  # row in `Tenures`
    seen: Floats
    latent: Floats  # latent belief without the disposition and what activities add
    courses: Mapping[float, Course]

    @property
    def answer(self) -> Ints:
        """Answers in the world as it is."""
        return self.courses[0.0].answer

    @property
    def active(self) -> Bools:
        """Activities in the world as it is."""
        return self.courses[0.0].active


def draw_beliefs(
    rng: np.random.Generator,
    dials: Dials,
    citizens: Citizens,
    caseworkers: Caseworkers,
    plan: Plan,
    tenures: Tenures,
    propensity: Propensity,
) -> Beliefs:
    """Let the caseworker in charge answer at every planned wave, and activities follow from the answers.

    What a caseworker sees of one citizen stays the same over waves; another caseworker sees it anew.
    """
    citizen = np.repeat(np.arange(plan.n_waves.size), plan.n_waves)
    wave = np.arange(citizen.size) - np.repeat(np.cumsum(plan.n_waves) - plan.n_waves, plan.n_waves)
    when = plan.measured[citizen, wave]
    tenure = (
        np.searchsorted(cal.key(tenures.citizen, tenures.start), cal.key(citizen, when), side="right") - 1
    )
    skill = dials.forecasting_skill
    misread = rng.normal(size=tenures.citizen.size)
    seen = skill * citizens.theta[citizen] + np.sqrt(1 - skill**2) * misread[tenure]
    noise = rng.normal(size=citizen.size)
    rater = tenures.caseworker[tenure]
    latent = calibration.W_SEEN * seen + calibration.W_WAVE * noise
    courses = {
        raise_: follow_waves(
            dials,
            propensity,
            citizen=citizen,
            wave=wave,
            latent=latent + calibration.W_OPTIMISM * (caseworkers.alpha[rater] + raise_),
            stretch=caseworkers.stretch[rater],
        )
        for raise_ in RAISES
    }
    return Beliefs(citizen, wave, when, tenure, seen, latent, courses)


def follow_waves(
    dials: Dials, propensity: Propensity, *, citizen: Ints, wave: Ints, latent: Floats, stretch: Floats
) -> Course:
    """Answers and activities wave by wave, all citizens at once; rows ordered by citizen and wave."""
    answer = np.zeros(citizen.size, dtype=np.int64)
    active = np.zeros(citizen.size, dtype=bool)
    by_wave = np.argsort(wave, kind="stable")
    bounds = np.searchsorted(wave[by_wave], np.arange(wave.max(initial=0) + 2))
    for number, (begin, end) in enumerate(pairwise(bounds)):
        rows = by_wave[begin:end]
        who = citizen[rows]
        if number == 0:
            before = np.zeros(rows.size, dtype=bool)
            chance = first_probability(propensity, who)
        else:
            before = active[rows - 1]
            chance = next_probability(dials, propensity, who, before, answer[rows - 1])
        answer[rows] = answer_with(dials, latent=latent[rows], stretch=stretch[rows], before=before)
        active[rows] = propensity.luck[rows] < chance
    return Course(answer, active)


def answer_with(dials: Dials, *, latent: Floats, stretch: Floats | float, before: Bools | bool) -> Ints:
    """Answer from the latent belief; `before` says whether an activity went on at the wave before."""
    shift = dials.action_feedback * calibration.latent_belief_sd()
    below = np.searchsorted(calibration.belief_cuts(dials), stretch * (latent + shift * before))
    return np.asarray(1 + below)


def draw_item(
    rng: np.random.Generator, *, signal: Floats, halo: Floats | float, trait: Floats, core: bool
) -> Ints:
    """Draw the category of one item: loading * signal + halo + lasting trait + noise of the wave, cut."""
    loading = CORE_LOADING if core else OTHER_LOADING
    weight = HALO if isinstance(halo, np.ndarray) else 0.0
    rest = 1 - loading**2 - weight**2
    latent = (
        loading * signal
        + weight * halo
        + np.sqrt(TRAIT * rest) * trait
        + np.sqrt((1 - TRAIT) * rest) * rng.normal(size=signal.size)
    )
    return np.asarray(1 + np.searchsorted(calibration.cuts(calibration.ITEM_SHARES, 1.0), latent))


def draw_missing(rng: np.random.Generator, size: int, *, dont_know: float, refused: float) -> Ints:
    """Position in `REASONS` of the reason for no value, or -1 where there is one."""
    shares = np.cumsum([dont_know, *(MISSING | {"refused": refused}).values()])
    drawn = np.searchsorted(shares, rng.random(size), side="right")
    return np.where(drawn == len(REASONS), -1, drawn)
