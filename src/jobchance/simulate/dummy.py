"""Dummy tables drawn from the schema files alone: right in form, without any meaning.

For trying out a folder, a form or a program before real data are there. Types, limits, code lists and keys
come from `data/schemas`; only keys and dates are laid out by hand, so that the cross-table rules hold. For
data with a known truth use `simulate_study`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from jobchance.study.conform import conform_tables
from jobchance.study.schema import TABLES, Field, load_codelist, load_schemas

FIRST_DAY = pd.Timestamp("2013-01-07")
DATA_THROUGH = pd.Timestamp("2016-12-31")
WAVES = 3
ITEMS_PER_RESPONDENT = 3
_DAYS_BETWEEN_WAVES = 91
_WINDOW_DAYS = 364
_CITIZENS_PER_CASEWORKER = 20
_CASEWORKERS_PER_JOBCENTRE = 5


def dummy_tables(*, n_citizens: int, seed: int) -> dict[str, pd.DataFrame]:
    """Draw all eleven study tables at random from their schemas.

    Parameters
    ----------
    n_citizens : int
        At least 1.
    seed : int
        Seed of the random numbers; the same seed gives the same tables.

    Returns
    -------
    dict of str to DataFrame
        Every table with every column of its schema; valid, complete and without meaning. The data reach to
        31 December 2016.

    Raises
    ------
    ValueError
        `n_citizens` is below 1.

    Examples
    --------
    >>> sorted(dummy_tables(n_citizens=2, seed=1))[:3]
    ['activity', 'assignment', 'caseworker']
    """
    if n_citizens < 1:
        raise ValueError("n_citizens must be at least 1")
    rng = np.random.default_rng(seed)
    skeleton = _skeleton(n_citizens, rng)
    tables = {name: _filled(name, skeleton[name], rng) for name in TABLES}
    return conform_tables(tables)[0]


def draw_field(field: Field, n: int, rng: np.random.Generator) -> npt.NDArray[np.object_]:
    """Draw `n` values that a field allows.

    Parameters
    ----------
    field : Field
        A column of a schema.
    n : int
        Number of values.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array of object
        Codes of the code list; numbers within the limits; dates inside the period; else short texts.
    """
    limits = field.constraints
    if field.allowed:
        return rng.choice(_objects(list(field.allowed)), n)
    if field.codes:
        return _digits([code.code for code in load_codelist(field.codes)], n, rng)
    if field.type == "boolean":
        return rng.integers(0, 2, n).astype(object)
    if field.type == "integer":
        first = int(limits.get("minimum", 0))
        return rng.integers(first, int(limits.get("maximum", first + 9)) + 1, n).astype(object)
    if field.type == "number":
        low = float(limits.get("minimum", limits.get("exclusiveMinimum", 0)))
        high = float(limits.get("maximum", low + 1))
        return np.round(high - (high - low) * rng.random(n) * 0.99, 3).astype(object)
    if field.type == "date":
        return _objects([FIRST_DAY] * n)
    if field.example:
        return _objects([field.example] * n)
    return _objects([f"{field.name} {number}" for number in range(1, n + 1)])


def _objects(values: list[object] | list[str] | list[pd.Timestamp]) -> npt.NDArray[np.object_]:
    """Values as an array of Python objects."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _digits(families: list[str], n: int, rng: np.random.Generator) -> npt.NDArray[np.object_]:
    """Codes of open lists, where x stands for any digit."""
    chosen = rng.choice(_objects(families), n)
    return _objects([str(family).replace("x", str(rng.integers(0, 10))) for family in chosen])


def _filled(table: str, frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The laid-out columns of a table, and all its other columns drawn."""
    drawn = {
        field.name: frame[field.name] if field.name in frame else draw_field(field, len(frame), rng)
        for field in load_schemas()[table].fields
    }
    return pd.DataFrame(drawn)


def _skeleton(n: int, rng: np.random.Generator) -> Mapping[str, pd.DataFrame]:
    """Keys and dates of every table, such that all cross-table rules hold."""
    citizen = _ids("citizen", n)
    n_caseworkers = -(-n // _CITIZENS_PER_CASEWORKER)
    caseworker = _ids("caseworker", n_caseworkers)
    jobcentre = _ids("jobcentre", -(-n_caseworkers // _CASEWORKERS_PER_JOBCENTRE))
    municipality = np.array([str(101 + place) for place in range(len(jobcentre))], dtype=object)
    entry = FIRST_DAY + pd.to_timedelta(rng.integers(0, 365, n), unit="D")
    rater = caseworker[np.arange(n) // _CITIZENS_PER_CASEWORKER]
    items = _items()
    measurement = _measurements(citizen, rater, entry)
    return {
        "citizen": pd.DataFrame(
            {
                "citizen_id": citizen,
                "entry_date": entry,
                "municipality_at_entry": rng.choice(municipality, n),
            }
        ),
        "jobcentre": pd.DataFrame(
            {"jobcentre_id": jobcentre, "municipality_code": municipality, "valid_to": DATA_THROUGH}
        ),
        "caseworker": pd.DataFrame(
            {
                "caseworker_id": caseworker,
                "jobcentre_id": jobcentre[np.arange(n_caseworkers) // _CASEWORKERS_PER_JOBCENTRE],
                "left": pd.NaT,
            }
        ),
        "assignment": pd.DataFrame(
            {
                "assignment_id": _ids("assignment", n),
                "citizen_id": citizen,
                "caseworker_id": rater,
                "start": entry,
                "end": pd.NaT,
                "role": "lead",
            }
        ),
        "measurement": measurement,
        "item": items,
        "rating": _ratings(measurement, items, rng),
        "outcome": _outcomes(measurement, rng),
        "follow_up": pd.DataFrame(
            {
                "citizen_id": citizen,
                "observed_from": entry,
                "observed_to": DATA_THROUGH + pd.Timedelta(days=1),
                "exit_reason": "end_of_data",
            }
        ),
        "activity": pd.DataFrame(
            {
                "activity_id": _ids("activity", n),
                "citizen_id": citizen,
                "decided_by": rater,
                "start": entry + pd.Timedelta(days=_DAYS_BETWEEN_WAVES),
                "end": entry + pd.Timedelta(days=2 * _DAYS_BETWEEN_WAVES),
                "available_to": pd.NaT,
            }
        ),
        "extract": pd.DataFrame({"table_name": list(TABLES), "data_through": DATA_THROUGH}),
    }


def _ids(table: str, n: int) -> npt.NDArray[np.object_]:
    """Zero-padded ids with the table's first letter."""
    return np.array([f"{table[0].upper()}{number:06d}" for number in range(1, n + 1)], dtype=object)


def _items() -> pd.DataFrame:
    """A few items per respondent on a scale of five."""
    respondents = load_schemas()["item"].field("respondent").allowed
    rows = [(f"{who}_{number}", who) for who in respondents for number in range(1, ITEMS_PER_RESPONDENT + 1)]
    items = pd.DataFrame(rows, columns=["item_id", "respondent"])
    return items.assign(instrument_version="dummy", scale_min=1.0, scale_max=5.0)


def _measurements(
    citizen: npt.NDArray[np.object_], rater: npt.NDArray[np.object_], entry: pd.DatetimeIndex
) -> pd.DataFrame:
    """A citizen form and a caseworker form in every wave."""
    parts = []
    for wave in range(1, WAVES + 1):
        date = entry + pd.Timedelta(days=_DAYS_BETWEEN_WAVES * (wave - 1) + 14)
        for who in ("citizen", "caseworker"):
            raters = rater if who == "caseworker" else np.full(len(citizen), None, dtype=object)
            parts.append(
                pd.DataFrame(
                    {
                        "citizen_id": citizen,
                        "date": date,
                        "planned_date": date,
                        "wave": wave,
                        "respondent": who,
                        "caseworker_id": raters,
                    }
                )
            )
    table = pd.concat(parts, ignore_index=True)
    return table.assign(measurement_id=_ids("measurement", len(table)), instrument_version="dummy")


def _ratings(measurement: pd.DataFrame, items: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Every item of the respondent at every measurement; one answer in twenty has no number."""
    asked = measurement[["measurement_id", "respondent"]].merge(
        items[["item_id", "respondent"]], on="respondent"
    )
    value = rng.integers(1, 6, len(asked)).astype(float)
    silent = rng.random(len(asked)) < 0.05
    reasons = draw_field(load_schemas()["rating"].field("missing_reason"), len(asked), rng)
    reasons[~silent] = None
    value[silent] = np.nan
    return pd.DataFrame(
        {
            "measurement_id": asked["measurement_id"],
            "item_id": asked["item_id"],
            "value": value,
            "missing_reason": reasons,
        }
    )


def _outcomes(measurement: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A window of 52 weeks after each caseworker form, linked to it."""
    asked = measurement[measurement["respondent"] == "caseworker"].reset_index(drop=True)
    start = asked["date"] + pd.Timedelta(days=7)
    value = rng.integers(0, 2, len(asked))
    event = (start + pd.to_timedelta(rng.integers(0, _WINDOW_DAYS, len(asked)), unit="D")).where(value == 1)
    return pd.DataFrame(
        {
            "citizen_id": asked["citizen_id"],
            "outcome": "job",
            "window_start": start,
            "window_end": start + pd.Timedelta(days=_WINDOW_DAYS),
            "value": value,
            "event_date": event,
            "event_end": pd.NaT,
            "measurement_id": asked["measurement_id"],
        }
    )
