"""Published BIP numbers as data, each with its status: what may be shown as published, and what may not."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from jobchance.errors import SpecError
from jobchance.resources import read_data_text

SHOWABLE = ("verified", "arithmetic")


@dataclass(frozen=True)
class PublishedValue:
    """One published number.

    Parameters
    ----------
    key : str
        Name in `data/codelists/published_bip.csv`.
    value : float
        Shares as fractions of one.
    unit : str
        `share`, `ratio`, `count`, ...
    outcome, respondent : str
        What it is about; empty where that does not apply.
    horizon_weeks : int or None
        None where the source does not say: then nothing can be said to match it.
    status : str
        `verified` (a source states it), `arithmetic` (our calculation from stated numbers), `inferred` or
        `placeholder` (not published).
    source_key, note : str
        Where it stands, and its caveat.
    """

    key: str
    value: float
    unit: str
    outcome: str
    horizon_weeks: int | None
    respondent: str
    status: str
    source_key: str
    note: str

    @property
    def is_own_calculation(self) -> bool:
        """Whether the number must be labelled as calculated from published ones."""
        return self.status == "arithmetic"


def published_value(key: str) -> PublishedValue:
    """Return a number that may be shown as published.

    Parameters
    ----------
    key : str
        Name in `data/codelists/published_bip.csv`.

    Returns
    -------
    PublishedValue
        Status `verified`, or `arithmetic`, which must be labelled as a calculation.

    Raises
    ------
    SpecError
        The key is unknown, or its value is inferred or a placeholder and so was never published.

    Examples
    --------
    >>> published_value("p_job_1y_belief_high").value
    0.27
    """
    values = published_values()
    if key not in values:
        near = get_close_matches(str(key), list(values), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SpecError(f"No published number is called {key!r}.{hint}")
    if values[key].status not in SHOWABLE:
        raise SpecError(f"{key!r} is {values[key].status}, not published, and may not be shown as published.")
    return values[key]


@cache
def published_values() -> dict[str, PublishedValue]:
    """Return all numbers by key, whatever their status; the status must be looked at."""
    rows = csv.DictReader(read_data_text("codelists", "published_bip.csv").splitlines())
    return {row["key"]: _value(row) for row in rows}


def _value(row: dict[str, str]) -> PublishedValue:
    """One row of the file."""
    return PublishedValue(
        key=row["key"],
        value=float(row["value"]),
        unit=row["unit"],
        outcome=row["outcome"],
        horizon_weeks=int(row["horizon_weeks"]) if row["horizon_weeks"] else None,
        respondent=row["respondent"],
        status=row["status"],
        source_key=row["source_key"],
        note=row["note"],
    )
