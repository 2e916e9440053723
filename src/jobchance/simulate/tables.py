"""The eleven study tables of a simulated history."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.simulate import calendar as cal
from jobchance.simulate import forms
from jobchance.simulate.activity_table import activity_table
from jobchance.simulate.caseload import CASEWORKER_LEFT, CLOSED, OPEN, OTHER_SHIFT
from jobchance.simulate.events import Spells
from jobchance.simulate.hazards import World
from jobchance.simulate.histories import EXITS, History
from jobchance.simulate.windows import tile_windows, union
from jobchance.study.instrument import Instrument

Ints = NDArray[np.int64]
Texts = NDArray[np.object_]

# Codes between 102 and 146 and between 502 and 538 belong to no Danish municipality: nobody is meant.
_MUNICIPALITY_CODES = [*range(102, 147), *range(502, 539)]
# what ends a caseworker spell -> reasons given, with shares (invented)
_END_REASONS = (
    (CASEWORKER_LEFT, ("caseworker_left",), (1.0,)),
    (OTHER_SHIFT, ("reorganised", "leave", "unknown"), (0.55, 0.25, 0.2)),
    (CLOSED, ("closed", "target_group_change", "citizen_moved"), (0.5, 0.35, 0.15)),
)
_REGIONS = (1081, 1082, 1083, 1084, 1085)


def make_ids(rng: np.random.Generator, world: World) -> dict[str, Texts]:
    """Text ids by kind; a letter in front keeps them from being read as numbers.

    Caseworkers lie in order of disposition, so their ids are shuffled: nothing in the tables may tell it.
    """
    sizes = {
        "citizen": world.citizens.entry.size,
        "caseworker": world.caseworkers.alpha.size,
        "jobcentre": world.offices.effect.size,
    }
    ids = {
        kind: numbered(prefix, sizes[kind], digits)
        for kind, prefix, digits in (("citizen", "C", 6), ("caseworker", "S", 5), ("jobcentre", "J", 2))
    }
    ids["caseworker"] = rng.permutation(ids["caseworker"])
    return ids


def numbered(prefix: str, size: int, digits: int) -> Texts:
    """Ids `prefix` + running number from 1."""
    return np.array([f"{prefix}{number:0{digits}d}" for number in range(1, size + 1)], dtype=object)


def build_tables(
    rng: np.random.Generator,
    action_rng: np.random.Generator,
    world: World,
    history: History,
    *,
    ids: dict[str, Texts],
    instrument: Instrument,
) -> dict[str, pd.DataFrame]:
    """Write a simulated history as study tables; activities have random numbers of their own."""
    tables = {
        "citizen": _citizen(rng, world, ids),
        "caseworker": _caseworker(rng, world, ids),
        "jobcentre": _jobcentre(world, ids),
        "assignment": _assignment(rng, world, history, ids),
        "measurement": forms.measurement_table(rng, world, history, ids=ids, instrument=instrument),
        "item": instrument.item_table(),
        "outcome": _outcome(world, history, ids),
        "follow_up": _follow_up(world, history, ids),
    }
    tables["rating"] = forms.rating_table(
        rng, world, history, measurement=tables["measurement"], instrument=instrument
    )
    tables["activity"] = activity_table(action_rng, world, history, ids=ids)
    tables["extract"] = _extract([*tables, "extract"])
    return {name: table.reset_index(drop=True) for name, table in tables.items()}


def _citizen(rng: np.random.Generator, world: World, ids: dict[str, Texts]) -> pd.DataFrame:
    """Traits at entry."""
    citizens = world.citizens
    size = citizens.entry.size
    year = citizens.entry.astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
    qualified = rng.choice(
        ["vocational", "short_tertiary", "medium_tertiary", "long_tertiary"], size, p=[0.8, 0.07, 0.1, 0.03]
    )
    unqualified = rng.choice(["primary", "upper_secondary"], size, p=[0.88, 0.12])
    traits = citizens.traits
    return pd.DataFrame(
        {
            "citizen_id": ids["citizen"],
            "birth_year": year - citizens.age,
            "sex": np.where(citizens.man, 1, 2),
            "origin": rng.choice(
                ["danish", "immigrant_western", "immigrant_nonwestern", "descendant"],
                size,
                p=[0.78, 0.04, 0.15, 0.03],
            ),
            "education": np.where(traits["no_vocational_qualification"], unqualified, qualified),
            "civil_status": rng.choice(
                ["never_married", "married", "divorced", "widowed"], size, p=[0.58, 0.2, 0.205, 0.015]
            ),
            "children_at_home": np.minimum(rng.poisson(0.7, size), 15),
            "entry_date": cal.dates(citizens.entry),
            "target_group": "aktivitetsparat",
            "benefit_at_entry": "730",
            "municipality_at_entry": _municipalities(world)[citizens.jobcentre],
            "job_education_share_5y": citizens.job_education_share_5y,
            "psychiatric_diagnosis": traits["psychiatric_diagnosis"],
            "musculoskeletal_diagnosis": traits["musculoskeletal_diagnosis"],
            "convicted": np.where(citizens.man, traits["convicted_men"], traits["convicted_women"]),
            "any_intervention": traits["any_intervention"],
        }
    )


def _municipalities(world: World) -> Texts:
    """Municipality code of each jobcentre."""
    return np.array([str(code) for code in _MUNICIPALITY_CODES[: world.offices.effect.size]], dtype=object)


def _caseworker(rng: np.random.Generator, world: World, ids: dict[str, Texts]) -> pd.DataFrame:
    """Where caseworkers work and when."""
    caseworkers = world.caseworkers
    size = caseworkers.alpha.size
    team = rng.integers(1, 4, size)
    table = pd.DataFrame(
        {
            "caseworker_id": ids["caseworker"],
            "jobcentre_id": ids["jobcentre"][caseworkers.jobcentre],
            "team_id": ids["jobcentre"][caseworkers.jobcentre]
            + np.array(["-T1", "-T2", "-T3"], dtype=object)[team - 1],
            "profession": rng.choice(["social_worker", "admin", "other"], size, p=[0.7, 0.2, 0.1]),
            "hired": cal.dates(caseworkers.hired),
            "left": cal.dates(caseworkers.left),
            "fte": rng.choice([1.0, 0.86, 0.8], size, p=[0.7, 0.15, 0.15]),
            "consent": True,
        }
    )
    return table.sort_values("caseworker_id")


def _jobcentre(world: World, ids: dict[str, Texts]) -> pd.DataFrame:
    """Offices, from the day they joined the project."""
    size = world.offices.effect.size
    return pd.DataFrame(
        {
            "jobcentre_id": ids["jobcentre"],
            "municipality_code": _municipalities(world),
            "region": np.resize(_REGIONS, size),
            "valid_from": cal.dates(world.offices.opened),
            "valid_to": cal.dates(np.full(size, cal.NEVER)),
            "participates": True,
        }
    )


def _assignment(
    rng: np.random.Generator, world: World, history: History, ids: dict[str, Texts]
) -> pd.DataFrame:
    """Caseload spells."""
    tenures = history.tenures
    size = tenures.citizen.size
    reasons = np.full(size, None, dtype=object)
    for ending, choices, shares in _END_REASONS:
        rows = tenures.ending == ending
        reasons[rows] = rng.choice(np.array(choices, dtype=object), rows.sum(), p=shares)
    by_chance = np.array(["day_of_birth", "next_free", "geography"], dtype=object)
    rule = rng.choice(by_chance, world.offices.effect.size)[world.citizens.jobcentre[tenures.citizen]]
    if world.dials.sorting != 0:
        rule = np.full(size, "discretionary", dtype=object)
    return pd.DataFrame(
        {
            "assignment_id": numbered("A", size, 7),
            "citizen_id": ids["citizen"][tenures.citizen],
            "caseworker_id": ids["caseworker"][tenures.caseworker],
            "start": cal.dates(tenures.start),
            "end": cal.dates(np.where(tenures.ending == OPEN, cal.NEVER, tenures.end)),
            "role": "lead",
            "end_reason": reasons,
            "assignment_rule": rule,
        }
    )


def _outcome(world: World, history: History, ids: dict[str, Texts]) -> pd.DataFrame:
    """Windows that tile each citizen's follow-up, for each outcome."""
    either = union(history.jobs, history.education)
    parts = []
    spells: Spells
    for name, spells in (("job", history.jobs), ("job_or_education", either)):
        windows = tile_windows(spells, world.citizens.entry, history.observed_to)
        parts.append(
            pd.DataFrame(
                {
                    "citizen_id": ids["citizen"][windows.citizen],
                    "outcome": name,
                    "window_start": cal.dates(windows.start),
                    "window_end": cal.dates(windows.end),
                    "value": windows.value,
                    "event_date": cal.dates(windows.event),
                    "event_end": cal.dates(windows.event_end),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _follow_up(world: World, history: History, ids: dict[str, Texts]) -> pd.DataFrame:
    """When the registers see each citizen."""
    reasons = np.array([*EXITS, "end_of_data"], dtype=object)
    return pd.DataFrame(
        {
            "citizen_id": ids["citizen"],
            "observed_from": cal.dates(world.citizens.entry),
            "observed_to": cal.dates(history.observed_to),
            "exit_reason": reasons[history.exit_reason],
        }
    )


def _extract(names: list[str]) -> pd.DataFrame:
    """Provenance: simulated, so that no table can be taken for a register."""
    return pd.DataFrame(
        {
            "table_name": names,
            "extracted_on": np.datetime64("2018-03-01", "s"),
            "data_through": np.datetime64(cal.END, "D").astype("datetime64[s]"),
            "source_version": "simulated-bip-1",
            "sha256": pd.Series([None] * len(names), dtype="str"),
            "reference_type": pd.Series([None] * len(names), dtype="str"),
            "vintage": "2017",
        }
    )
