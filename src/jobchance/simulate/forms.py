"""The forms of a simulated study: measurements and the long table of ratings."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.simulate import beliefs as answers
from jobchance.simulate import calendar as cal
from jobchance.simulate.hazards import World
from jobchance.simulate.histories import History
from jobchance.study.instrument import Instrument

Texts = NDArray[np.object_]
BELIEF_ITEM = "belief_job"


def measurement_table(
    rng: np.random.Generator,
    world: World,
    history: History,
    *,
    ids: dict[str, Texts],
    instrument: Instrument,
) -> pd.DataFrame:
    """Return two forms per wave, on the same day: the caseworker's first, then the citizen's."""
    beliefs = world.beliefs
    rows = np.flatnonzero(history.measured)
    size = rows.size
    twice = np.repeat(rows, 2)
    from_caseworker = np.tile([True, False], size)
    rater = ids["caseworker"][world.tenures.caseworker[beliefs.tenure[twice]]]
    planned = world.planned[beliefs.citizen[twice], beliefs.wave[twice]]
    mode = rng.choice(np.array(["meeting", "phone", "web"], dtype=object), size, p=[0.9, 0.07, 0.03])
    number = np.arange(1, size + 1)
    return pd.DataFrame(
        {
            "measurement_id": np.array(
                [f"M{n:07d}{who}" for n in number for who in ("S", "C")], dtype=object
            ),
            "citizen_id": ids["citizen"][beliefs.citizen[twice]],
            "date": cal.dates(beliefs.day[twice]),
            "wave": beliefs.wave[twice] + 1,
            "planned_date": cal.dates(planned),
            "respondent": np.where(from_caseworker, "caseworker", "citizen").astype(object),
            "caseworker_id": pd.Series(rater).where(from_caseworker),
            "mode": np.repeat(mode, 2),
            "instrument_version": instrument.version,
            "language": "da",
            "phase": pd.Series([None] * (2 * size), dtype="str"),
            "order_in_day": np.where(from_caseworker, 1, 2),
        }
    )


def rating_table(
    rng: np.random.Generator,
    world: World,
    history: History,
    *,
    measurement: pd.DataFrame,
    instrument: Instrument,
) -> pd.DataFrame:
    """Return all answers in long form, ordered by form and by item."""
    beliefs = world.beliefs
    rows = np.flatnonzero(history.measured)
    citizen = beliefs.citizen[rows]
    core = {c.construct_id: c.core7 for c in instrument.constructs}
    halo = world.caseworkers.alpha[world.tenures.caseworker[beliefs.tenure[rows]]]
    blocks = {}
    for respondent in ("caseworker", "citizen"):
        items = [item for item in instrument.items if item.respondent == respondent]
        values = np.empty((rows.size, len(items)))
        reasons = np.empty((rows.size, len(items)), dtype=np.int64)
        for column, item in enumerate(items):
            trait = rng.normal(size=world.citizens.theta.size)[citizen]
            if item.item_id == BELIEF_ITEM:
                values[:, column] = beliefs.answer[rows]
            elif respondent == "caseworker":
                values[:, column] = answers.draw_item(
                    rng, signal=beliefs.seen[rows], halo=halo, trait=trait, core=core[item.construct]
                )
            else:
                values[:, column] = answers.draw_item(
                    rng,
                    signal=world.citizens.theta[citizen],
                    halo=0.0,
                    trait=trait,
                    core=core[item.construct],
                )
            reasons[:, column] = _draw_reasons(
                rng, world, rows.size, item_id=item.item_id, respondent=respondent
            )
        blocks[respondent] = (np.array([item.item_id for item in items], dtype=object), values, reasons)
    return _stack(measurement["measurement_id"].to_numpy(dtype=object), blocks)


def _draw_reasons(
    rng: np.random.Generator, world: World, size: int, *, item_id: str, respondent: str
) -> NDArray[np.int64]:
    """Reasons for no value: citizens refuse more often; the belief item has its own dial."""
    dont_know = world.dials.dont_know_share if item_id == BELIEF_ITEM else answers.DONT_KNOW_OTHER
    refused = answers.MISSING["refused"] if respondent == "caseworker" else answers.REFUSED_CITIZEN
    return answers.draw_missing(rng, size, dont_know=dont_know, refused=refused)


def _stack(
    forms: Texts, blocks: dict[str, tuple[Texts, NDArray[np.float64], NDArray[np.int64]]]
) -> pd.DataFrame:
    """Interleave the caseworker's and the citizen's answers in the order of the forms."""
    (items_s, values_s, reasons_s), (items_c, values_c, reasons_c) = blocks["caseworker"], blocks["citizen"]
    size = values_s.shape[0]
    values = np.hstack((values_s, values_c)).ravel()
    reasons = np.hstack((reasons_s, reasons_c)).ravel()
    per_form = np.tile([items_s.size, items_c.size], size)
    names = np.array([*answers.REASONS, None], dtype=object)
    return pd.DataFrame(
        {
            "measurement_id": np.repeat(forms, per_form),
            "item_id": np.tile(np.concatenate((items_s, items_c)), size),
            "value": np.where(reasons < 0, values, np.nan),
            "missing_reason": names[reasons],
        }
    )
