"""Whether one mixed model lies within another, and what the larger one adds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from jobchance.errors import SpecError
from jobchance.inference.refit import check_mixed
from jobchance.results.fit import Fit

_THRESHOLDS = ("equidistant", "symmetric", "free")
_SAME = ("family", "link", "n_quad", "weights", "offset")

Effect = tuple[str, str]
Pair = tuple[str, frozenset[str]]


@dataclass(frozen=True)
class Step:
    """What separates two nested models.

    Parameters
    ----------
    fixed : int
        Coefficients, thresholds and covariances of effects that both models have: chi-squared as usual.
    added : tuple of tuple of int
        For every correlated set with new effects: new standard deviations, new correlations.
    """

    fixed: int
    added: tuple[tuple[int, int], ...]

    @property
    def df(self) -> int:
        """Parameters in all."""
        return self.fixed + sum(sd + cor for sd, cor in self.added)


def step_between(small: Fit, large: Fit, what: str) -> Step:
    """What the larger model adds.

    Raises
    ------
    SpecError
        The models cannot be compared; all reasons.
    """
    for fit in (small, large):
        check_mixed(fit, what)
    problems = [
        f"{name} is {small.spec[name]!r} in one and {large.spec[name]!r} in the other"
        for name in _SAME
        if small.spec[name] != large.spec[name]
    ]
    problems += _likelihood_problems(small, large) + _row_problems(small, large)
    missing = [t for t in small.terms if t not in large.terms]
    if missing:
        problems.append(f"the larger model lacks the terms {', '.join(missing)} of the smaller one")
    before, after = _effects(small), _effects(large)
    pairs = _pairs(small), _pairs(large)
    lost = [f"{group}: {effect}" for group, effect in before if (group, effect) not in after]
    if lost:
        problems.append(f"the larger model lacks the random effects {', '.join(lost)} of the smaller one")
    elif pairs[0] - pairs[1]:
        problems.append("the larger model lacks correlations of random effects of the smaller one")
    orders = [_THRESHOLDS.index(str(f.spec.get("thresholds", "free"))) for f in (small, large)]
    if orders[0] > orders[1]:
        problems.append("the larger model has stricter thresholds")
    if problems:
        raise SpecError(f"{what}: the models cannot be compared: " + "; ".join(problems) + ".")
    step = Step(*_counts(small, large, before, pairs[1] - pairs[0]))
    if step.df == 0:
        raise SpecError(f"{what}: both models have the same parameters, so there is nothing to test.")
    return step


def _likelihood_problems(small: Fit, large: Fit) -> list[str]:
    """REML likelihoods of different fixed parts are densities of different data."""
    methods = {str(small.spec["method"]), str(large.spec["method"])}
    if len(methods) == 2:
        return ["one was fitted by REML and the other by ML: fit both by method='ml'"]
    if methods == {"reml"} and set(small.terms) != set(large.terms):
        return ["REML likelihoods of different fixed effects are not comparable: fit both by method='ml'"]
    return []


def _row_problems(small: Fit, large: Fit) -> list[str]:
    """Signs of different rows."""
    problems = []
    if small.nobs != large.nobs:
        problems.append(
            f"they rest on {small.nobs} and {large.nobs} rows: fit both on the rows complete in all columns"
        )
    if small.outcome != large.outcome:
        problems.append("they have different outcomes")
    a, b = small.rows, large.rows
    if a is None or b is None or problems:
        same = True
    else:
        same = np.array_equal(a.outcome, b.outcome) and np.array_equal(a.used, b.used)
    if not same:
        problems.append("they rest on different rows or values of the outcome")
    groups = set(small.sample.groups) & set(large.sample.groups)
    if any(small.sample.groups[g] != large.sample.groups[g] for g in groups) and not problems:
        problems.append("their groups have different numbers of levels")
    return problems


def _effects(fit: Fit) -> set[Effect]:
    """Group and name of every random effect."""
    return {(s.group, column) for s in fit.structure for column in s.columns}


def _sets(fit: Fit) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Group and effects of every correlated set."""
    for s in fit.structure:
        first = 0
        for size in s.sizes:
            yield s.group, s.columns[first : first + size]
            first += size


def _pairs(fit: Fit) -> set[Pair]:
    """Group and pair of effects of every correlation."""
    return {
        (group, frozenset((a, b)))
        for group, effects in _sets(fit)
        for i, a in enumerate(effects)
        for b in effects[i + 1 :]
    }


def _counts(
    small: Fit, large: Fit, before: set[Effect], new_pairs: set[Pair]
) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Arguments of `Step`."""
    fixed = len(large.terms) + large.n_scale - len(small.terms) - small.n_scale
    added, covered = [], 0
    for group, effects in _sets(large):
        new = [e for e in effects if (group, e) not in before]
        if new:
            touching = [p for p in new_pairs if p[0] == group and p[1] <= set(effects) and p[1] & set(new)]
            covered += len(touching)
            added.append((len(new), len(touching)))
    return fixed + len(new_pairs) - covered, tuple(added)
