"""Which specifications rest on nearly the same persons, so that two rows of the curve could be subtracted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import JobchanceError
from jobchance.numerics.set_differences import Apart, close_pairs, connected, gather
from jobchance.sensitivity.multiverse.specification import Specification
from jobchance.sensitivity.multiverse.workbench import Workbench
from jobchance.sensitivity.multiverse.workbench_panels import Key, panel_key

Ints = NDArray[np.int64]

PAIR_COLUMNS = ("sample", "other", "only_sample", "only_other", "few_persons", "few_events")


@dataclass(frozen=True, eq=False)
class SampleDifferences:
    """Samples of a multiverse by how far apart they are; holds numbers of samples and bands, never a person.

    Parameters
    ----------
    specifications : DataFrame
        One row per specification with a sample: `key sample group`. `sample` numbers the distinct sets of
        rows from 1 in the order of the specifications; `group` numbers what is joined by unsafe pairs.
    pairs : DataFrame
        The unsafe pairs of distinct samples: `sample other`; `only_sample` and `only_other`, persons behind
        the rows that one has and the other lacks, in bands (`"0"`, `"1 to 4"`, `"5 or more"` for a threshold
        of 5); empty for pairs that are unsafe for another reason; `few_persons` (1 to threshold - 1 in one of
        the two) and `few_events` (enough persons, but too few of them with or without the outcome).
    n_pairs : int
        Pairs of distinct samples that were compared.
    min_persons : int
        The threshold.
    """

    specifications: pd.DataFrame
    pairs: pd.DataFrame
    n_pairs: int
    min_persons: int

    @property
    def n_samples(self) -> int:
        """Distinct samples."""
        return int(self.specifications["sample"].nunique())

    @property
    def n_groups(self) -> int:
        """Groups of samples that may not show different counts."""
        return int(self.specifications["group"].nunique())

    def __repr__(self) -> str:
        return (
            f"SampleDifferences({self.n_samples} samples of {len(self.specifications)} specifications in "
            f"{self.n_groups} groups; {len(self.pairs)} of {self.n_pairs} pairs unsafe)"
        )


@dataclass(frozen=True, eq=False, repr=False)
class _Rows:
    """Every measurement of all panels under one number, with its person; outcomes by panel (microdata)."""

    number: dict[Key, Ints]
    person: Ints
    outcome: dict[Key, NDArray[np.float64]]


def sample_differences(
    workbench: Workbench, specs: Sequence[Specification], *, policy: DisclosurePolicy
) -> SampleDifferences:
    """Compare the samples of all specifications, each with each.

    For two samples A and B the persons behind a difference are those with a measurement in A that is not in
    B: with two published numbers, one for A and one for B, it is their rows that subtraction would bring to
    light. A pair is unsafe where these are 1 to `policy.min_persons` - 1 persons in either direction, or
    where they are more, but both samples come from one panel and the difference has fewer than
    `policy.min_events` persons with or without the outcome. A pair without any difference in one direction (a
    subset) is judged by the other direction.

    Parameters
    ----------
    workbench : Workbench
        Of the multiverse.
    specs : sequence of Specification
        To compare; those without a sample (no row left, a column that is absent) are left out.
    policy : DisclosurePolicy
        `min_persons`, `min_events`.

    Returns
    -------
    SampleDifferences

    Notes
    -----
    Equal samples are compared once, and rows that stand in the same samples are counted once, with a weight;
    10,000 specifications on some hundred samples take seconds. Differences of three or more samples are not
    looked for: whoever publishes counts rounds them as well (see `findings.specification_curve`). The sample
    of a rung of the ladder is the one that its conditions leave; what the design itself leaves out is not
    seen.
    """
    rows = _numbered(workbench)
    keys, places, samples = _distinct(workbench, specs)
    patterns = gather([rows.number[panel][at] for panel, at in samples], len(rows.person))
    unsafe = list(close_pairs(patterns, rows.person, fewer_than=policy.min_persons))
    few_persons = {(pair.first, pair.second) for pair in unsafe}
    unsafe += _few_events(rows, samples, policy, skip=few_persons)
    group = connected(len(samples), [(pair.first, pair.second) for pair in unsafe])
    records = [_record(pair, policy.min_persons, (pair.first, pair.second) in few_persons) for pair in unsafe]
    numbers = np.array(places, dtype=np.int64)
    table = pd.DataFrame({"key": keys, "sample": numbers + 1, "group": group[numbers] + 1})
    pairs = pd.DataFrame(records, columns=list(PAIR_COLUMNS)).sort_values(["sample", "other"])
    n = len(samples)
    return SampleDifferences(table, pairs.reset_index(drop=True), n * (n - 1) // 2, policy.min_persons)


def _numbered(workbench: Workbench) -> _Rows:
    """One number for each measurement, the same in every panel."""
    ids = {key: _identity(panel.frame) for key, panel in workbench.panels.items()}
    codes, _ = pd.factorize(pd.concat(list(ids.values()), ignore_index=True))
    citizens = pd.concat([panel.frame["citizen_id"] for panel in workbench.panels.values()])
    who, _ = pd.factorize(citizens)
    person = np.zeros(int(codes.max()) + 1 if codes.size else 0, dtype=np.int64)
    person[codes] = who
    ends = np.cumsum([0, *map(len, ids.values())])
    number = {key: codes[ends[i] : ends[i + 1]].astype(np.int64) for i, key in enumerate(ids)}
    outcome = {key: panel.frame["outcome"].to_numpy(dtype=float) for key, panel in workbench.panels.items()}
    return _Rows(number, person, outcome)


def _identity(frame: pd.DataFrame) -> pd.Series:
    """What names a measurement: its id, or citizen and wave."""
    if "measurement_id" in frame:
        return frame["measurement_id"].astype(str)
    return frame["citizen_id"].astype(str) + "|" + frame["wave"].astype(str)


def _distinct(
    workbench: Workbench, specs: Sequence[Specification]
) -> tuple[list[str], list[int], list[tuple[Key, Ints]]]:
    """Keys of the specifications with a sample, its number, and each sample once by its rows."""
    keys, places = [], []
    found: dict[tuple[Key, str], int] = {}
    samples: list[tuple[Key, Ints]] = []
    for spec in specs:
        try:
            drawn = workbench.sample(spec)
        except JobchanceError:
            continue  # no row is left, or a column is absent: there is nothing to subtract
        where = (panel_key(spec), drawn.hash)
        if where not in found:
            found[where] = len(samples)
            samples.append((panel_key(spec), drawn.positions))
        keys.append(spec.key)
        places.append(found[where])
    return keys, places, samples


def _few_events(
    rows: _Rows, samples: list[tuple[Key, Ints]], policy: DisclosurePolicy, *, skip: set[tuple[int, int]]
) -> list[Apart]:
    """Pairs of one panel whose difference has too few persons with, or without, the outcome."""
    if policy.min_events == 0:
        return []
    found: dict[tuple[int, int], Apart] = {}
    for panel in rows.number:
        own = [place for place, (key, _) in enumerate(samples) if key == panel]
        event = np.zeros(len(rows.person), dtype=bool)
        event[rows.number[panel]] = rows.outcome[panel] == 1
        patterns = gather([rows.number[panel][samples[place][1]] for place in own], len(rows.person))
        for among in (event, ~event):
            for pair in close_pairs(patterns, rows.person, fewer_than=policy.min_events, among=among):
                where = own[pair.first], own[pair.second]
                found[where] = Apart(*where, policy.min_persons, policy.min_persons)
    return [pair for where, pair in found.items() if where not in skip]


def _record(pair: Apart, min_persons: int, few_persons: bool) -> dict[str, object]:
    return {
        "sample": pair.first + 1,
        "other": pair.second + 1,
        "only_sample": _band(pair.only_first, min_persons) if few_persons else "",
        "only_other": _band(pair.only_second, min_persons) if few_persons else "",
        "few_persons": few_persons,
        "few_events": not few_persons,
    }


def _band(n: int, least: int) -> str:
    """A count as a band that names nobody."""
    if n == 0:
        return "0"
    return f"1 to {least - 1}" if n < least else f"{least} or more"
