"""How much caseworkers differ in truth: P(job) of one and the same set of measurements under each of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobchance.simulate import calendar as cal
from jobchance.simulate import calibration
from jobchance.simulate.beliefs import answer_with
from jobchance.simulate.events import CumulativeHazard
from jobchance.simulate.hazards import World
from jobchance.simulate.truth_rows import TruthRows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

COMMON_ROWS = 2000
_WAVES = 6  # waves that fit in 52 weeks, at least 70 days apart, and the one before


def caseworker_spread(world: World, rows: TruthRows, actual: CumulativeHazard) -> dict[str, float]:
    """Standard deviation over caseworkers of P(job) had each been in charge of the same measurements.

    Caseworker j takes the place of the one in charge, from the measurement until the citizen's next
    caseworker: own effect, disposition, and the answers j would give, the last of which stands until the
    next caseworker's first. Activities stay as they are, and so
    does the jobcentre's own effect.

    Returns
    -------
    dict
        `caseworker_sd_pp`: over all caseworkers with a measurement. `caseworker_sd_within_pp`: net of
        jobcentre means, what a comparison inside jobcentres estimates. `caseworker_sd_between_pp`: of the
        jobcentre means. Averaged over at most 2,000 measurements, spread evenly over those in order of
        their risk.
    """
    risk = actual.between(rows.citizen, rows.begin, rows.end)
    common = _evenly(np.argsort(risk, kind="stable"), COMMON_ROWS)
    spells = _Spells(world, rows, common, actual)
    rated = np.unique(world.tenures.caseworker[rows.tenure])
    chance = np.array([spells.probability(world, int(j)) for j in rated])
    offices, place = np.unique(world.caseworkers.jobcentre[rated], return_inverse=True)
    means = np.bincount(place, weights=chance) / np.bincount(place)
    within = chance - means[place]
    freedom = rated.size - offices.size
    return {
        "caseworker_sd_pp": 100 * float(np.std(chance, ddof=1)) if rated.size > 1 else float("nan"),
        "caseworker_sd_within_pp": 100 * float(np.sqrt(within @ within / freedom))
        if freedom
        else float("nan"),
        "caseworker_sd_between_pp": 100 * float(np.std(means, ddof=1)) if offices.size > 1 else float("nan"),
    }


class _Spells:
    """The common measurements: hazard of each wave of the caseworker in charge, and the rest.

    `in_time` is the hazard while the caseworker is in charge, `after` while only the last answer stands.
    """

    def __init__(self, world: World, rows: TruthRows, common: Ints, actual: CumulativeHazard) -> None:
        beliefs = world.beliefs
        citizen, form = rows.citizen[common], rows.form[common]
        begin, until, end = rows.begin[common], rows.until[common], rows.end[common]
        answered = rows.answered[common]
        # every wave from the measurement on; the last one's answer stands for the rest of the time
        each = form[:, None] + np.arange(_WAVES + 1)
        last = np.searchsorted(beliefs.citizen, citizen, side="right")[:, None] - 1
        inside = each <= last
        each = np.minimum(each, last)
        opens = np.where(inside, beliefs.day[each], cal.NEVER)
        opens[:, 0] = begin
        edges = np.clip(opens, begin[:, None], answered[:, None])
        edges[:, -1] = answered
        self.form = each[:, :-1]
        self.in_time, self.after = (
            np.stack([actual.between(citizen, part[:, k], part[:, k + 1]) for k in range(_WAVES)], axis=1)
            for part in (np.minimum(edges, until[:, None]), np.maximum(edges, until[:, None]))
        )
        self.other = actual.between(citizen, answered, end)
        self.in_charge = world.tenures.caseworker[rows.tenure[common]]
        former = np.append(False, beliefs.active[:-1])[self.form] & (beliefs.wave[self.form] > 0)
        self.former = former
        self.latent = beliefs.latent[self.form]
        self.answer = beliefs.answer[self.form]

    def probability(self, world: World, j: int) -> float:
        """Average P(job) with caseworker `j` in charge."""
        workers, dials = world.caseworkers, world.dials
        ratio = np.exp(
            workers.effect[j]
            - workers.effect[self.in_charge]
            + dials.optimism_effect * (workers.alpha[j] - workers.alpha[self.in_charge])
        )
        change: Floats | float = 1.0
        if dials.belief_effect != 0:
            answer = answer_with(
                dials,
                latent=self.latent + calibration.W_OPTIMISM * workers.alpha[j],
                stretch=float(workers.stretch[j]),
                before=self.former,
            )
            change = np.exp(dials.belief_effect * (answer - self.answer))
        total = ratio * (self.in_time * change).sum(axis=1) + (self.after * change).sum(axis=1)
        return float(np.mean(-np.expm1(-(self.other + total))))


def _evenly(order: Ints, most: int) -> Ints:
    """At most so many of the rows, evenly spaced in their order."""
    if order.size <= most:
        return order
    return np.asarray(order[((np.arange(most) + 0.5) * order.size / most).astype(np.int64)])
