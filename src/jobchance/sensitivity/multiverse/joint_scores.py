"""Scores of common clusters under the null, one line for each specification that has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobchance.design.columns import counted
from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.specification import Specification
from jobchance.sensitivity.multiverse.workbench import Workbench

Floats = NDArray[np.float64]

_SAME = 1e-6  # relative difference of two estimates of one specification that rounding can make


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """Restricted scores (S, G), clusters with rows (S,), and what was left out (memory only)."""

    values: Floats
    n_clusters: Floats
    notes: tuple[str, ...]


def coarsest_cluster(specs: Sequence[Specification], workbench: Workbench) -> str:
    """The column with the fewest clusters of those that the specifications name; else the citizen."""
    columns = sorted({column for spec in specs for column in spec.clusters})
    if not columns:
        return "citizen_id"
    return min(columns, key=workbench.n_clusters)


def cluster_scores(
    workbench: Workbench, specs: Sequence[Specification], estimates: Floats, cluster: str
) -> Scores:
    """Scores of the specifications that have them; they sum to the estimate.

    Linear ones are restricted, psi + estimate * share; likelihood ones get equal shares, psi + estimate /
    G_s.

    Raises
    ------
    SpecError
        A panel has no such column, no specification has scores, or the workbench is not that of the frame.
    """
    values, sizes = [], []
    lost: Counter[str] = Counter()
    unrestricted = 0
    for spec, estimate, found in zip(specs, estimates, workbench.influence(specs, cluster), strict=True):
        if found is None:
            lost["rungs of the ladder" if spec.rung else "without scores"] += 1
            continue
        if not np.isclose(found.estimate, estimate, rtol=_SAME, atol=_SAME * 1e-3):
            raise SpecError("joint_test: the rows in memory do not give the estimates of the frame.")
        inside = (found.psi != 0) | (found.share > 0 if found.share is not None else False)
        size = int(np.count_nonzero(inside))
        if size < 2:
            lost[f"with fewer than two clusters of {cluster}"] += 1
            continue
        unrestricted += found.share is None
        share = inside / size if found.share is None else found.share
        values.append(found.psi + found.estimate * share)
        sizes.append(float(size))
    if not values:
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(lost.items()))
        raise SpecError(f"joint_test: none of {counted(len(specs), 'specification')} has scores ({reasons}).")
    notes = [f"Left out: {counted(n, 'specification')} {reason}." for reason, n in sorted(lost.items())]
    if unrestricted:
        notes.append(
            f"{counted(unrestricted, 'specification')} by likelihood: scores at their own estimate, centred, "
            "not fitted again under the null."
        )
    matrix = np.array(values)
    return Scores(matrix[:, np.abs(matrix).max(axis=0) > 0], np.array(sizes), tuple(notes))
