"""How outputs give a few persons away beside each other: samples, sums of samples, cells, cells once hidden.

Two outputs whose samples differ by a few persons give, one taken from the other, a number about those few.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jobchance.disclosure.differencing import near_combinations, shared_counts
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.release import Release, cell_counts, person_codes
from jobchance.errors import DisclosureError
from jobchance.formatting import Formatter
from jobchance.labels.load import label

Codes = NDArray[np.int64]

_LINES = 5
Reason = Literal["sample", "sum", "cell", "hidden", "small"]


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
    reason: Reason
    n: int
    least: int

    def text(self, lang: str = "en") -> str:
        """The clash in words."""
        number = Formatter(lang).count
        few = label("disclosure.clash.few", lang, most=number(self.least - 1))
        words = {"few": few, "n": number(self.n), "earlier": self.earlier}
        return f"{self.output}: {label(f'disclosure.clash.{self.reason}', lang, **words)}"

    def __str__(self) -> str:
        return self.text()


class LedgerError(DisclosureError):
    """The ledger refuses outputs; `text(lang)` says which, why, and what can be done.

    Parameters
    ----------
    clashes : sequence of Clash
        Every one, at least one.
    policy : DisclosurePolicy
        Under which they were to be exported.
    """

    def __init__(self, clashes: Sequence[Clash], policy: DisclosurePolicy) -> None:
        super().__init__(clash_message(clashes, policy))
        self.clashes = tuple(clashes)
        self.policy = policy

    def text(self, lang: str) -> str:
        """The message in a language of the outputs."""
        return clash_message(self.clashes, self.policy, lang)

    def __reduce__(self) -> tuple[object, ...]:
        return (LedgerError, (self.clashes, self.policy))


def clash_message(clashes: Sequence[Clash], policy: DisclosurePolicy, lang: str = "en") -> str:
    """What is refused, why, and what can be done; no number of persons but the threshold."""
    number = Formatter(lang).count
    grouped: dict[tuple[str, str, int], list[Clash]] = {}
    for clash in clashes:
        grouped.setdefault((clash.output, clash.reason, clash.n), []).append(clash)
    lines = []
    for first, *others in grouped.values():
        more = label("disclosure.clash.others", lang, n=number(len(others))) if others else ""
        lines.append(f"{first.text(lang)}{more}")
    rest = len(lines) - _LINES
    found = "; ".join(lines[:_LINES])
    found += label("disclosure.clash.rest", lang, n=number(rest)) if rest > 0 else ""
    least = number(clashes[0].least)
    return label("disclosure.clash.message", lang, policy=policy.name, found=found, least=least)


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
    found: dict[tuple[str, str, Reason, int], set[int]] = {}
    for entry in new:
        for codes in entry.sets:
            here = place[codes.tobytes()]
            least = np.array([max(entry.least, *(one.least for one in owner)) for owner in owners])
            if size[here] < entry.least:
                found.setdefault((entry.name, entry.name, "small", entry.least), set()).add(here)
            for other in np.flatnonzero((differ[here] > 0) & (differ[here] < least)):
                for owner in owners[other]:
                    found.setdefault((entry.name, owner.name, "sample", int(least[other])), set()).add(here)
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
