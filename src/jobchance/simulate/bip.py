"""`simulate_study`: a study that obeys the published BIP margins, with known truth.

How it works, what it meets and what gave way: docs/decisions/0002-simulated-bip-study.md.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from jobchance.options import check_option
from jobchance.simulate import calendar as cal
from jobchance.simulate.actions import draw_propensity, plan_runs
from jobchance.simulate.beliefs import draw_beliefs
from jobchance.simulate.calibration import solve_hazard
from jobchance.simulate.caseload import draw_tenures, plan_waves
from jobchance.simulate.dials import Dials, read_dials, read_seed
from jobchance.simulate.hazards import World, build_segments, education_hazard, job_hazard
from jobchance.simulate.histories import draw_history
from jobchance.simulate.people import draw_caseworkers, draw_citizens, draw_offices
from jobchance.simulate.tables import build_tables, make_ids
from jobchance.simulate.truth import build_truth
from jobchance.study.instrument import read_instrument
from jobchance.study.model import Study

PRESETS = ("bip",)
_STREAMS = ("people", "plan", "tenures", "beliefs", "history", "tables", "actions")


def simulate_study(
    preset: str = "bip", *, seed: int, n_citizens: int | None = None, **dials: object
) -> Study:
    """Simulate a whole study, all eleven tables, with known truth.

    Citizens with latent employability meet caseworkers with a disposition (optimism). Every third month the
    caseworker answers whether the citizen will get a job, from what the caseworker sees of employability,
    the disposition, and noise. Jobs come with the hazard

        h = exp(a + b employability + optimism_effect * optimism + belief_effect * (answer - 2.57) + ...)

    so that the raw gradient over answers is prediction, except for what `belief_effect` adds.

    Parameters
    ----------
    preset : {"bip"}
        Which study's margins to meet.
    seed : int
        Whole number from zero up. Same seed and dials, same study.
    n_citizens : int or None
        None: 4,000. Caseworkers follow in proportion (300 per 4,000) unless `n_caseworkers` is given.
    **dials
        `belief_effect` (log hazard ratio per step of the answer, default 0), `optimism_effect` (per standard
        deviation of disposition), `shift_effect` (from the first caseworker shift on), `forecasting_skill`
        (0-1), `sorting` (-1-1), `attrition` (factor on the drop-out rate), `scale_use` (0-1),
        `dont_know_share` (0-0.9), `belief_action` (log odds of an activity at the next wave per step of the
        answer), `action_feedback` (from an activity to the next belief, in standard deviations),
        `action_effect` (log hazard ratio of a job during an activity), `n_caseworkers`, `n_jobcentres`.

    Returns
    -------
    Study
        `study.truth` holds the dials, all parameters, the true average effects in percentage points
        (`truth["effects"]`) and the latent variables; none of these is in the tables.

    Raises
    ------
    SpecError
        An unknown preset or dial, or impossible values; one message lists them all.

    Notes
    -----
    Drawn with sampling noise of the nominal size: margins vary between seeds as they would between studies.

    Examples
    --------
    >>> study = simulate_study(seed=1, n_citizens=200)
    >>> study.data_kind
    'simulated'
    """
    check_option("preset", preset, PRESETS)
    settings = read_dials(n_citizens, dials)
    number = read_seed(seed)
    # one stream for each part: turning a dial changes what it governs and leaves the other draws alone
    streams = {
        name: np.random.default_rng(child)
        for name, child in zip(_STREAMS, np.random.SeedSequence(number).spawn(len(_STREAMS)), strict=True)
    }
    instrument = read_instrument("bip")
    world = _draw_world(streams, settings)
    segments = build_segments(world)
    history = draw_history(
        streams["history"], world, job_hazard(world, segments), education_hazard(world, segments)
    )
    ids = make_ids(streams["tables"], world)
    return Study(
        tables=build_tables(
            streams["tables"], streams["actions"], world, history, ids=ids, instrument=instrument
        ),
        instrument=instrument,
        name="Simuleret BIP-studie",
        source="simulerede data med kendt sandhed (jobchance)",
        data_kind="simulated",
        language="da",
        data_through=date(1970, 1, 1) + timedelta(days=cal.END),
        truth=build_truth(world, segments, history, seed=number, ids=ids),
    )


def _draw_world(streams: dict[str, np.random.Generator], dials: Dials) -> World:
    """Draw all that comes before any job."""
    offices = draw_offices(streams["people"], dials)
    caseworkers = draw_caseworkers(streams["people"], dials, offices)
    citizens = draw_citizens(streams["people"], dials, offices)
    plan = plan_waves(streams["plan"], dials, citizens)
    tenures = draw_tenures(streams["tenures"], dials, citizens, caseworkers, plan)
    propensity = draw_propensity(streams["actions"], citizens, plan)
    beliefs = draw_beliefs(streams["beliefs"], dials, citizens, caseworkers, plan, tenures, propensity)
    runs = {
        raise_: plan_runs(
            propensity,
            citizen=beliefs.citizen,
            wave=beliefs.wave,
            day=beliefs.day,
            active=course.active,
            entry=citizens.entry,
            case_end=plan.case_end,
        )
        for raise_, course in beliefs.courses.items()
    }
    return World(
        dials=dials,
        offices=offices,
        caseworkers=caseworkers,
        citizens=citizens,
        propensity=propensity,
        planned=plan.planned,
        tenures=tenures,
        beliefs=beliefs,
        runs=runs,
        hazard=solve_hazard(dials),
    )
