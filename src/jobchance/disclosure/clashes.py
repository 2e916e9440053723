"""How outputs give a few persons away beside each other: samples, sums of samples, cells, cells once hidden.

Two outputs whose samples differ by a few persons give, one taken from the other, a number about those few.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.disclosure.differencing import near_combinations, shared_counts
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.release import Release, cell_counts, person_codes

Codes = NDArray[np.int64]

_LINES = 5
_REASONS = {
    "sample": "its sample, or the persons behind one of its cells, differs by {few} persons from that of",
    "sum": "its sample is within {few} persons of what can be added up or subtracted from",
    "cell": "{n} cells differ by {few} persons from the same cells of",
    "hidden": "{n} cells are shown that were hidden, for the same persons, in",
    "small": "{n} of the samples are of {few} persons in",
}


@dataclass(frozen=True)
class Clash:
    """One way in which an output and what was exported before give a few persons away.

    Parameters
    ----------
    output : str
        Name of the new output.
    earlier : str
        Name of the output it clashes with.
    reason : str
        `"sample"`, `"sum"` (of two earlier samples), `"cell"` (number of persons), `"hidden"` (shown now for
        the same persons) or `"small"` (a sample under the threshold).
    n : int
        How many cells or samples.
    least : int
        Smallest number of persons by which samples may differ.
    """

    output: str
    earlier: str
    reason: str
    n: int
    least: int

    def __str__(self) -> str:
        few = f"1 to {self.least - 1}"
        return f"{self.output}: {_REASONS[self.reason].format(few=few, n=self.n)} {self.earlier}"


def clash_message(clashes: Sequence[Clash], policy: DisclosurePolicy) -> str:
    """What is refused, why, and what can be done; no number of persons but the threshold."""
    grouped: dict[tuple[str, str, int], list[Clash]] = {}
    for clash in clashes:
        grouped.setdefault((clash.output, clash.reason, clash.n), []).append(clash)
    lines = [
        f"{same[0]}{f' and of {len(same) - 1} more outputs' if len(same) > 1 else ''}"
        for same in grouped.values()
    ]
    more = f"; and {len(lines) - _LINES} more" if len(lines) > _LINES else ""
    return (
        f"Not exported under policy {policy.name} (differencing): {'; '.join(lines[:_LINES])}{more}"
        + f". Use the same sample as before, let samples differ by {clashes[0].least} persons or more, hide "
        "the cell, or, if the earlier output never left, take it back with DisclosureLedger.withdraw."
    )


@dataclass(frozen=True, repr=False)
class Entry:
    """One output, with the persons as codes."""

    name: str
    least: int
    base: int | None
    sample: Codes
    cells: Mapping[str, Codes]
    counts: Mapping[str, float | None]

    @classmethod
    def of(cls, release: Release, salt: bytes, policy: DisclosurePolicy) -> Entry:
        """What a release is about, its persons as codes."""
        cells = {name: person_codes(who, salt, name=release.name) for name, who in release.cells.items()}
        counts = {} if release.frame is None else cell_counts(release.frame)
        sample = person_codes(release.sample, salt, name=release.name)
        return cls(release.name, policy.min_persons, policy.round_base, sample, cells, counts)

    @property
    def sets(self) -> list[Codes]:
        """The sample and the persons of each cell."""
        return [self.sample, *self.cells.values()]


def warn_of_strangers(new: Sequence[Entry], old: Sequence[Entry]) -> None:
    """Speak up where identifiers look as if they had been replaced."""
    seen = np.unique(np.concatenate([entry.sample for entry in old])) if old else None
    strange = [e.name for e in new if seen is not None and not np.isin(e.sample, seen).any()]
    if strange:
        warnings.warn(
            f"Nobody behind {', '.join(strange)} is behind any earlier output. If the identifiers were "
            "replaced by a new delivery, the ledger cannot compare: translate them to the old ones first.",
            UserWarning,
            stacklevel=4,
        )


def sample_clashes(new: Sequence[Entry], old: Sequence[Entry]) -> list[Clash]:
    """Samples and cells that nearly equal others, or sums or differences of two others."""
    sets: list[Codes] = []
    owners: list[list[Entry]] = []
    place: dict[bytes, int] = {}
    for entry in (*new, *old):
        for codes in entry.sets:
            key = codes.tobytes()
            if key not in place:
                place[key] = len(sets)
                sets.append(codes)
                owners.append([])
            owners[place[key]].append(entry)
    common = shared_counts(sets)
    size = common.diagonal()
    differ = size[:, None] + size - 2 * common
    found: dict[tuple[str, str, str, int], set[int]] = {}
    for entry in new:
        for codes in entry.sets:
            here = place[codes.tobytes()]
            least = np.array([max(entry.least, *(one.least for one in owner)) for owner in owners])
            if size[here] < entry.least:
                found.setdefault((entry.name, entry.name, "small", entry.least), set()).add(here)
            for other in np.flatnonzero((differ[here] > 0) & (differ[here] < least)):
                for owner in owners[other]:
                    key_ = (entry.name, owner.name, "sample", int(least[other]))
                    found.setdefault(key_, set()).add(here)
            others = np.flatnonzero(np.arange(len(sets)) != here)
            for first, second, _ in near_combinations(common, here, others, least=entry.least):
                named = f"{owners[first][0].name} and {owners[second][0].name}"
                found.setdefault((entry.name, named, "sum", entry.least), set()).add(here)
    return [Clash(output, earlier, why, len(n), least) for (output, earlier, why, least), n in found.items()]


def cell_clashes(new: Sequence[Entry], old: Sequence[Entry]) -> list[Clash]:
    """Cells of outputs of the same name whose numbers of persons differ by a few, or that were hidden."""
    clashes = []
    for entry in new:
        for earlier in (one for one in old if one.name == entry.name):
            least = max(entry.least, earlier.least)
            both = [(entry.counts[c], earlier.counts[c]) for c in entry.counts if c in earlier.counts]
            rounded = entry.base is not None or earlier.base is not None
            few = sum(a is not None and b is not None and 0 < abs(a - b) < least for a, b in both)
            if few and not rounded:  # rounded counts do not tell by how few they differ
                clashes.append(Clash(entry.name, f"an earlier {earlier.name}", "cell", few, least))
            lost = sum(a is not None and b is None for a, b in both)
            if lost and np.array_equal(entry.sample, earlier.sample):
                clashes.append(Clash(entry.name, f"an earlier {earlier.name}", "hidden", lost, least))
    return list(dict.fromkeys(clashes))
