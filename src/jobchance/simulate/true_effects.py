"""True average effects of a simulated study, from the hazards.

Effects are differences of P(job in the 52 weeks from the first Monday after the measurement) between two
worlds, averaged over measurements before a first job. With H the hazard summed over the window,
P = 1 - exp(-H): exact given who met whom and who answered what; no outcome is drawn.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from jobchance.simulate import calendar as cal
from jobchance.simulate.hazards import Segments, World, job_hazard
from jobchance.simulate.histories import History
from jobchance.simulate.true_actions import action_truth
from jobchance.simulate.true_caseworkers import caseworker_spread
from jobchance.simulate.truth_rows import TruthRows, first_meetings, truth_rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def true_effects(world: World, segments: Segments, history: History) -> dict[str, float]:
    """Average effects on P(job within 52 weeks), in percentage points; exactly zero where the dial is zero.

    Rows are all measurements before a first job, unless another set is named. "Raised" means that every
    caseworker's disposition is so many standard deviations higher; answers and activities follow. What
    cannot be averaged (no row has the answer, nobody has shifted) is not-a-number.

    Returns
    -------
    dict
        `base_rate`: P(job) as things are; `gradient_low`, `gradient_high`: of those with answer 1 and 5.

        `optimism_sd_pp`: dispositions raised by one, from the measurement until the citizen's next
        caseworker, whose first answer replaces the raised one. `optimism_slope_pp`: raised by a half less
        lowered by a half, which is what a linear regression on disposition estimates. `optimism_sd_steps`,
        `optimism_slope_steps`: how many steps the answer at the measurement moves by the same.
        `relationship_optimism_...` and `mover_...` are the same
        four, averaged over each citizen's first measurement with each caseworker, and over those with
        another caseworker than at the citizen's measurement before.

        `leniency_step_pp`: `optimism_sd_pp / optimism_sd_steps`, what using dispositions as an instrument
        for the answer identifies: an effect of the answer only where dispositions act through the answer
        alone (`optimism_effect=0`). `leniency_belief_step_pp`: the part of it that does go through the
        answer. `relationship_leniency_step_pp` is `relationship_optimism_slope_pp` by its steps.

        `belief_step_pp`: an answer one step higher at this wave and all later ones, activities as they are.
        `belief_step_one_wave_pp`: one step higher until the next wave only. `shift_pp`: having had a shift
        against not having had one. `action_pp`: an activity in all of the 52 weeks against none.

        `caseworker_sd_pp` and others: see `caseworker_spread`; `belief_to_action` and others: see
        `action_truth`.

        Effects come with the same relative to the rate without them (`..._relative`).
    """
    rows = truth_rows(world, history)
    worlds = _Worlds(world, segments, rows)
    met, new = first_meetings(world, rows)
    everything = np.ones(rows.citizen.size, dtype=bool)
    result = {"base_rate": mean_probability(worlds.base), **_optimism(worlds, "optimism", everything)}
    result |= _direct(worlds)
    result |= _optimism(worlds, "relationship_optimism", met)
    result |= _optimism(worlds, "mover", new, sd="mover_sd")
    result |= _leniency(worlds, result)
    result |= caseworker_spread(world, rows, worlds.actual)
    result |= action_truth(world, rows)
    answer = world.beliefs.answer[rows.form]
    for name, category in (("gradient_low", 1), ("gradient_high", 5)):
        result[name] = mean_probability(worlds.base[answer == category])
    return result


class _Worlds:
    """Summed hazards of the rows, as they are and with something changed."""

    def __init__(self, world: World, segments: Segments, rows: TruthRows) -> None:
        self.world, self.segments, self.rows = world, segments, rows
        self.actual = job_hazard(world, segments)
        self.base = self.actual.between(rows.citizen, rows.begin, rows.end)
        self._known = {(0.0, False): self.base}

    def raised(self, raised: float, *, answers_only: bool = False) -> Floats:
        """With dispositions raised, or the answers alone; these stand until the next caseworker's first."""
        if (raised, answers_only) not in self._known:
            rows = self.rows
            answers = self._change(raised, disposition=False)
            both = answers if answers_only else self._change(raised, disposition=True)
            change = both(rows.begin, rows.until) + answers(rows.until, rows.answered)
            self._known[raised, answers_only] = self.base + change
        return self._known[raised, answers_only]

    def _change(self, raised: float, *, disposition: bool) -> Callable[[Ints, Ints], Floats]:
        """Change of the hazard over some days where answers, and maybe dispositions, are raised."""
        citizen = self.rows.citizen
        hazard = job_hazard(
            self.world, self.segments, raised=raised if disposition else 0.0, answers_raised=raised
        )
        return lambda begin, end: np.asarray(
            hazard.between(citizen, begin, end) - self.actual.between(citizen, begin, end)
        )

    def fixed(self, **terms: bool) -> Floats:
        """With a shift or an activity for everybody, or for nobody, at all times."""
        hazard = job_hazard(
            self.world, self.segments, shifted=terms.get("shifted"), active=terms.get("active")
        )
        return hazard.between(self.rows.citizen, self.rows.begin, self.rows.end)

    def steps(self, low: float, high: float) -> Floats:
        """How many steps higher the answer is where dispositions are raised by `high` than by `low`."""
        courses, form = self.world.beliefs.courses, self.rows.form
        return np.asarray(courses[high].answer[form] - courses[low].answer[form], dtype=np.float64)


def _optimism(worlds: _Worlds, name: str, rows: Bools, *, sd: str | None = None) -> dict[str, float]:
    """Dispositions raised by one, and by a half against lowered by a half, averaged over some rows."""
    result: dict[str, float] = {}
    for key, low, high in ((sd or f"{name}_sd", 0.0, 1.0), (f"{name}_slope", -0.5, 0.5)):
        without, with_ = worlds.raised(low)[rows], worlds.raised(high)[rows]
        base = worlds.base[rows]
        result |= _contrast(key, without, with_, relative_to=base)
        result[f"{key}_steps"] = mean(worlds.steps(low, high)[rows])
    return result


def _direct(worlds: _Worlds) -> dict[str, float]:
    """The answer itself, a shift, an activity."""
    world, rows, base = worlds.world, worlds.rows, worlds.base
    step = np.expm1(world.dials.belief_effect)
    next_wave = np.clip(world.beliefs.day[rows.form] + cal.WAVE_DAYS, rows.begin, rows.end)
    one_wave = worlds.actual.between(rows.citizen, rows.begin, next_wave)
    result = _contrast("belief_step", base, base + step * base)
    result |= _contrast("belief_step_one_wave", base, base + step * one_wave)
    result |= _contrast("shift", worlds.fixed(shifted=False), worlds.fixed(shifted=True))
    return result | _contrast("action", worlds.fixed(active=False), worlds.fixed(active=True))


def _leniency(worlds: _Worlds, known: dict[str, float]) -> dict[str, float]:
    """Effects of dispositions per step of the answer."""
    through = _contrast("leniency_belief", worlds.base, worlds.raised(1.0, answers_only=True))
    result: dict[str, float] = {}
    for unit in ("pp", "relative"):
        parts = {
            "leniency_step": (known[f"optimism_sd_{unit}"], known["optimism_sd_steps"]),
            "leniency_belief_step": (through[f"leniency_belief_{unit}"], known["optimism_sd_steps"]),
            "relationship_leniency_step": (
                known[f"relationship_optimism_slope_{unit}"],
                known["relationship_optimism_slope_steps"],
            ),
        }
        result |= {
            f"{name}_{unit}": effect / steps if steps else float("nan")
            for name, (effect, steps) in parts.items()
        }
    return result


def _contrast(
    name: str, without: Floats, with_: Floats, *, relative_to: Floats | None = None
) -> dict[str, float]:
    """Difference of average probabilities in percentage points, and relative to the rate without it."""
    difference = mean_probability(with_) - mean_probability(without)
    base = mean_probability(without if relative_to is None else relative_to)
    return {f"{name}_pp": 100 * difference, f"{name}_relative": difference / base}


def mean_probability(total: Floats) -> float:
    """Average probability of at least one event."""
    return mean(-np.expm1(-total))


def mean(values: Floats) -> float:
    """Average; not-a-number where there is nothing to average."""
    return float(np.mean(values)) if values.size else float("nan")
