"""In which parts a list of specifications is worked through: a pure function of the list."""

from __future__ import annotations

from collections.abc import Sequence

from jobchance.sensitivity.multiverse.samples import absorbed_factors
from jobchance.sensitivity.multiverse.specification import LINEAR, Specification

CHUNK = 50
"""Most linear specifications in a part: small enough that little is lost with a worker."""


def chunks(specs: Sequence[Specification]) -> tuple[tuple[int, ...], ...]:
    """Places of the specifications of every part, which together are each place once.

    Linear specifications that share rows and transformation go together, at most `CHUNK` in a part; any
    other is a part of its own. Parts come in the order of their first specification. How many workers there
    are and what is done already do not enter, and neither changes a result.

    Parameters
    ----------
    specs : sequence of Specification
        The list.

    Returns
    -------
    tuple of tuple of int

    Examples
    --------
    >>> one = Specification("job", 52, "all", "belief")
    >>> two = Specification("job", 52, "all", "belief", estimator="logit")
    >>> chunks([one, two, one])
    ((0, 2), (1,))
    """
    parts: list[list[int]] = []
    open_part: dict[object, list[int]] = {}
    for place, spec in enumerate(specs):
        if spec.estimator not in LINEAR:
            parts.append([place])
            continue
        part = open_part.get(question := _shared(spec))
        if part is None or len(part) == CHUNK:
            part = open_part[question] = []
            parts.append(part)
        part.append(place)
    return tuple(tuple(part) for part in parts)


def _shared(spec: Specification) -> object:
    """What linear specifications have in common that share their work, as far as it shows without data."""
    return (
        spec.outcome,
        spec.horizon_weeks,
        spec.at_risk,
        spec.conditions,
        spec.waves,
        absorbed_factors(spec),
        spec.missing,
    )
