"""Covariate sets of a multiverse: counted by binomials and handed out lazily, never held all at once.

Sets that pass the same tests form a class; a class of subsets is a pattern of the terms that tests name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import comb

from jobchance.sensitivity.multiverse.choices import CovariateChoices
from jobchance.sensitivity.multiverse.conditions import Test

MAX_TESTED = 10  # terms of `subsets` that tests name: 2^10 patterns

Terms = tuple[str, ...]


@dataclass(frozen=True)
class Pattern:
    """Subsets that hold `present` and any `free` terms, up to a total size, except `without`."""

    always: frozenset[str]
    present: frozenset[str]
    free: Terms
    sizes: range
    without: frozenset[frozenset[str]]

    @property
    def n(self) -> int:
        """Number of sets."""
        k = len(self.present)
        return sum(comb(len(self.free), size - k) for size in self.sizes if size >= k) - len(self.without)

    def members(self) -> Iterator[Terms]:
        """The sets, sorted within."""
        fixed = self.always | self.present
        for size in self.sizes:
            if size < len(self.present):
                continue
            for chosen in combinations(self.free, size - len(self.present)):
                terms = fixed.union(chosen)
                if terms not in self.without:
                    yield tuple(sorted(terms))


@dataclass(frozen=True)
class Family:
    """All covariate sets of a file, each once.

    Parameters
    ----------
    choices : CovariateChoices
        As the file has them.
    """

    choices: CovariateChoices

    def named(self) -> dict[str, frozenset[str]]:
        """Sets that conditions and `[main]` can name; `none` and `all` of `each` and `subsets` included."""
        always = frozenset(self.choices.always)
        names = {name: always.union(terms) for name, terms in self.choices.sets}
        if self.choices.each or self.choices.subsets:
            every = always.union(self.choices.each, self.choices.subsets)
            names |= {name: s for name, s in (("none", always), ("all", every)) if self.holds(s)}
        return names

    def holds(self, terms: frozenset[str]) -> bool:
        """Whether a set is among the choices."""
        return terms in self.explicit() or self._is_subset(terms)

    def explicit(self) -> frozenset[frozenset[str]]:
        """Sets that are written out: named ones and those of `each`."""
        return frozenset(self._written())

    @property
    def n_written(self) -> int:
        """Number of sets as written, before those of the same terms are merged."""
        return len(self._written()) + self._n_subsets()

    @property
    def n(self) -> int:
        """Number of different sets."""
        explicit = self.explicit()
        return len(explicit) + self._n_subsets() - sum(self._is_subset(terms) for terms in explicit)

    def classes(self, tests: Sequence[Test]) -> dict[frozenset[Test], list[Pattern]] | None:
        """The sets by the tests that they pass; `None` where the tests name too many terms."""
        pool = self.choices.subsets
        tested = sorted({t for test in tests for t in test.values}.intersection(pool)) if pool else []
        if len(tested) > MAX_TESTED:
            return None
        always, explicit = frozenset(self.choices.always), self.explicit()
        # sets that a test names by content are taken out of their pattern and stand alone
        alone = explicit.union(*(test.sets for test in tests))
        single = [
            Pattern(terms, frozenset(), (), range(1), frozenset()) for terms in alone if self.holds(terms)
        ]
        patterns = [(pattern, next(pattern.members())) for pattern in single]
        free = tuple(term for term in pool if term not in tested)
        gone: dict[frozenset[str], set[frozenset[str]]] = {}
        for terms in alone:
            if self._is_subset(terms):
                gone.setdefault(terms.intersection(tested), set()).add(terms)
        for marks in product((False, True), repeat=len(tested)) if pool else ():
            present = frozenset(term for term, mark in zip(tested, marks, strict=True) if mark)
            pattern = Pattern(always, present, free, self._sizes, frozenset(gone.get(present, ())))
            if pattern.n > 0:
                patterns.append((pattern, next(pattern.members())))
        made: dict[frozenset[Test], list[Pattern]] = {}
        for pattern, example in patterns:
            made.setdefault(frozenset(t for t in tests if t.holds(example)), []).append(pattern)
        return made

    def members(self) -> Iterator[Terms]:
        """All sets; the caller has counted them first."""
        classes = self.classes(())
        for pattern in classes[frozenset()] if classes else ():
            yield from pattern.members()

    @property
    def _sizes(self) -> range:
        return range(self.choices.min_size, self.choices.max_size + 1)

    def _n_subsets(self) -> int:
        pool = len(self.choices.subsets)
        return sum(comb(pool, size) for size in self._sizes) if pool else 0

    def _is_subset(self, terms: frozenset[str]) -> bool:
        """Whether a set is one of those that `subsets` makes."""
        always, pool = frozenset(self.choices.always), frozenset(self.choices.subsets)
        drawn = terms - always
        return bool(pool) and always <= terms and drawn <= pool and len(drawn) in self._sizes

    def _written(self) -> list[frozenset[str]]:
        """Sets written out, in a fixed order, repeated where two say the same."""
        always, each = frozenset(self.choices.always), self.choices.each
        sets = [always.union(terms) for _, terms in self.choices.sets]
        if each:
            made = [always, *(always | {term} for term in each)]
            made += [always.union(each) - {term} for term in each] + [always.union(each)]
            sets += dict.fromkeys(made)
        return sets or ([] if self.choices.subsets else [always])
