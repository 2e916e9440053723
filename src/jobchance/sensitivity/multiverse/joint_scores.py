"""Scores of common clusters under the null, one line for each specification that has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from jobchance.design.columns import counted
from jobchance.errors import SpecError
from jobchance.numerics.joint_restricted import MOST_LEVELS
from jobchance.numerics.joint_signs import Line
from jobchance.sensitivity.multiverse.influence_vectors import Influence
from jobchance.sensitivity.multiverse.specification import Specification
from jobchance.sensitivity.multiverse.workbench import Workbench

Floats = NDArray[np.float64]

_TOGETHER = 32  # specifications whose sums by cluster are in memory at once
_SAME = 1e-6  # relative difference of two estimates of one specification that rounding can make


def coarsest_cluster(specs: Sequence[Specification], workbench: Workbench) -> str:
    """The column with the fewest clusters of those that the specifications name; else the citizen."""
    columns = sorted({column for spec in specs for column in spec.clusters})
    if not columns:
        return "citizen_id"
    return min(columns, key=workbench.n_clusters)


class ClusterScores:
    """Scores of the specifications that have them, one after another; they sum to the estimate.

    Linear ones are restricted, psi + estimate * share, and estimated anew after signs; likelihood ones get
    equal shares, psi + estimate / G_s. `count`, `lost` and `unrestricted` are known when all are taken.

    Parameters
    ----------
    workbench, specs, estimates
        The rows, the specifications, and the estimates that their frame shows.
    cluster : str
        Column of the clusters.

    Raises
    ------
    SpecError
        A panel has no such column; while they are taken: the workbench is not that of the frame, or none has
        scores.
    """

    def __init__(
        self, workbench: Workbench, specs: Sequence[Specification], estimates: Floats, cluster: str
    ) -> None:
        self._workbench, self._specs, self._estimates, self.cluster = workbench, specs, estimates, cluster
        self.places = workbench.clusters_with_rows(specs, cluster)
        self.count = self.unrestricted = self.as_they_are = 0
        self.lost: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Line]:
        for start in range(0, len(self._specs), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            found = self._workbench.influence(self._specs[part], self.cluster, anew=True)
            for spec, estimate, one in zip(self._specs[part], self._estimates[part], found, strict=True):
                line = self._line(spec, float(estimate), one)
                if line is not None:
                    self.count += 1
                    yield line
        if not self.count:
            reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(self.lost.items()))
            raise SpecError(
                f"joint_test: none of {counted(len(self._specs), 'specification')} has scores ({reasons})."
            )

    def _line(self, spec: Specification, estimate: float, found: Influence | None) -> Line | None:
        """Scores over `places`, clusters with rows, and what estimating anew takes off."""
        if found is None:
            self.lost["rungs of the ladder" if spec.rung else "without scores"] += 1
            return None
        if not np.isclose(found.estimate, estimate, rtol=_SAME, atol=_SAME * 1e-3):
            raise SpecError("joint_test: the rows in memory do not give the estimates of the frame.")
        inside = (found.psi != 0) | (found.share > 0 if found.share is not None else False)
        size = int(np.count_nonzero(inside))
        if size < 2:
            self.lost[f"with fewer than two clusters of {self.cluster}"] += 1
            return None
        self.unrestricted += found.share is None
        self.as_they_are += found.share is not None and found.anew is None
        share = inside / size if found.share is None else found.share
        scores = found.psi + found.estimate * share
        anew = None if found.anew is None else found.anew.at(self.places)
        return scores[self.places], float(size), anew

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, and which scores are not those of a model estimated anew."""
        notes = [
            f"Left out: {counted(n, 'specification')} {reason}." for reason, n in sorted(self.lost.items())
        ]
        if self.unrestricted:
            notes.append(
                f"{counted(self.unrestricted, 'specification')} by likelihood: scores at their own estimate, "
                "centred, not fitted again under the null."
            )
        if self.as_they_are:
            notes.append(
                f"{counted(self.as_they_are, 'specification')} with crossed absorbed factors of more than "
                f"{MOST_LEVELS} levels: signs on their scores, other coefficients not estimated anew."
            )
        return tuple(notes)
