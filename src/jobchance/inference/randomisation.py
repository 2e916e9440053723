"""`randomisation_test`: a statistic among those of the assignments that could have been drawn.

Letters: T the statistic as observed, T*_b under arrangement b, B arrangements, tau an effect in units of the
outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from jobchance.design.columns import counted
from jobchance.errors import DesignError, SpecError
from jobchance.inference.assignment import Assignment
from jobchance.inference.linear_statistic import LinearStatistic
from jobchance.numerics.arrangements import every_arrangement, random_arrangements
from jobchance.numerics.constant_effects import not_rejected

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Statistic = Callable[[Floats], float] | LinearStatistic

MOST_ENUMERATED = 2_000_000
TIE = 1e-9
_CELLS_OF_A_BLOCK = 2_000_000
_LARGEST_BLOCK = 4096
_SMALLEST = 1e-6  # the least size that ties are relative to: what rounding leaves of zero is a tie with zero


@dataclass(frozen=True, eq=False, repr=False)
class RandomisationTest:
    """A statistic among those of other arrangements.

    Parameters
    ----------
    observed : float
        The statistic as it was.
    p_value, p_greater, p_less : float
        Share of arrangements at least as extreme: in size, upwards, downwards; ties count.
    draws : array (B,)
        The statistic under every arrangement taken.
    exact : bool
        Whether all arrangements were taken, the observed one among them.
    n_arrangements : int
        How many there are.
    conf_low, conf_high : float
        Effects that the same test does not reject, for a `LinearStatistic` without standard error; NaN
        otherwise, infinite where no effect is rejected.
    level : float
        Of that interval.
    undefined : int
        Arrangements under which the statistic is not defined; they count as extreme.
    n_extreme : int
        Arrangements among `draws` at least as extreme in size: the count behind `p_value`.
    conventions : mapping of str to str
        What was dealt, how p-values count.
    notes : tuple of str
        What a reader must know.
    """

    observed: float
    p_value: float
    p_greater: float
    p_less: float
    draws: Floats
    exact: bool
    n_arrangements: int
    conf_low: float = np.nan
    conf_high: float = np.nan
    level: float = 0.95
    undefined: int = 0
    n_extreme: int = 0
    conventions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "conventions", MappingProxyType(dict(self.conventions)))
        self.draws.setflags(write=False)

    def __repr__(self) -> str:
        size = f"{len(self.draws)} of {shown_count(self.n_arrangements)} arrangements"
        return f"RandomisationTest(statistic={self.observed:.6g}, p_value={self.p_value:.4g}, {size})"

    def __reduce__(self) -> tuple[object, ...]:
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        # In the order of the seed the draws are equations in the outcomes; by size they are a distribution.
        return (_rebuilt, (values | {"conventions": dict(self.conventions), "draws": np.sort(self.draws)},))

    @property
    def p_conf_int(self) -> tuple[float, float]:
        """How well the draws know the two-sided p-value: its 95 per cent interval (Clopper & Pearson).

        That of the share of all arrangements at least as extreme, from `n_extreme` of `draws`; the p-value
        itself where all were taken.
        """
        if self.exact:
            return (self.p_value, self.p_value)
        c, n = self.n_extreme, len(self.draws)
        low = float(stats.beta.ppf(0.025, c, n - c + 1)) if c else 0.0
        return (low, float(stats.beta.ppf(0.975, c + 1, n - c)) if c < n else 1.0)

    def tidy(self) -> pd.DataFrame:
        """One row.

        Columns `statistic p_value p_greater p_less conf_low conf_high level arrangements drawn exact
        n_extreme p_std_error p_conf_low p_conf_high`; the last four say how well the draws know the p-value.
        """
        low, high = self.p_conf_int
        share = self.n_extreme / len(self.draws)
        row = {
            "statistic": self.observed,
            "p_value": self.p_value,
            "p_greater": self.p_greater,
            "p_less": self.p_less,
            "conf_low": self.conf_low,
            "conf_high": self.conf_high,
            "level": self.level,
            "arrangements": shown_count(self.n_arrangements),
            "drawn": len(self.draws),
            "exact": self.exact,
            "n_extreme": self.n_extreme,
            "p_std_error": 0.0 if self.exact else float(np.sqrt(share * (1 - share) / len(self.draws))),
            "p_conf_low": low,
            "p_conf_high": high,
        }
        return pd.DataFrame([row])

    def summary(self) -> str:
        """The test in words and numbers."""
        kind = "all" if self.exact else f"{len(self.draws)} of"
        size = shown_count(self.n_arrangements)
        lines = [
            "Randomisation test",
            f"statistic {self.observed:.6g}; {kind} {size} arrangements",
            f"p-value {self.p_value:.4g} (two-sided), {self.p_greater:.4g} (greater), "
            f"{self.p_less:.4g} (less)",
        ]
        if not self.exact:
            low, high = self.p_conf_int
            lines.append(
                f"{self.n_extreme} of {len(self.draws)} draws as extreme: the share of all arrangements lies "
                f"in {low:.4g} to {high:.4g} (95%)"
            )
        if not np.isnan(self.conf_low):
            lines.append(f"{self.level:.0%} interval {self.conf_low:.6g} to {self.conf_high:.6g}")
        lines += [f"{name}: {text}" for name, text in self.conventions.items()]
        return "\n".join([*lines, *self.notes])


def randomisation_test(
    statistic: Statistic,
    assignment: Assignment,
    *,
    draws_or_all: int | Literal["all"],
    seed: int | None = None,
    level: float = 0.95,
) -> RandomisationTest:
    r"""Compare a statistic with what it would have been under other assignments.

    .. math:: p = \frac{\#\{b: |T^*_b| \ge |T|\}}{B} \ \text{(all arrangements)}, \qquad
              p = \frac{1 + \#\{b: |T^*_b| \ge |T|\}}{1 + B} \ \text{(random ones)}

    This tests that the assignment did nothing to anybody (Fisher's sharp null). It is exact whatever the
    number of clusters, *if* the assignment was dealt as `assignment` says: at random within its cells. Where
    that is an assumption (caseworkers were not drawn by lot), the test is as good as the assumption.

    Parameters
    ----------
    statistic : callable or LinearStatistic
        Values of the assignment, one per row -> number; rows in the order of the data of `assignment`.
        `LinearStatistic` is a regression coefficient, much faster.
    assignment : Assignment
        From `Assignment.shuffled` (within cells) or `Assignment.rolled_out` (order of sites).
    draws_or_all : int or "all"
        Random arrangements, or every one (at most two million).
    seed : int or None
        Needed for random arrangements.
    level : float
        Of the interval.

    Returns
    -------
    RandomisationTest

    Raises
    ------
    SpecError
        No assignment or statistic; draws below 99; `"all"` of too many; no seed; a statistic of other rows,
        or one that gives no number; a level outside (0, 1).
    DesignError
        The statistic is not defined (or infinite) for the assignment as it was.

    Notes
    -----
    Statistics within 1e-9 of each other, relative to the observed one or to their median size if that is
    larger, count as ties, and ties count as extreme. The interval reaches from the smallest to the largest
    constant effect tau that the test of y - tau z does not reject; gaps between them are included.

    References
    ----------
    Fisher (1935), The Design of Experiments; Young (2019), Quarterly J. of Economics 134, 557-598;
    MacKinnon & Webb (2020), J. of Econometrics 218, 435-450.

    Examples
    --------
    >>> data = pd.DataFrame({"office": list("aaabbb"), "told": [1, 0, 0, 0, 1, 0], "y": [5.0, 1, 2, 2, 6, 1]})
    >>> dealt = Assignment.shuffled(data, "told", within=["office"])
    >>> test = randomisation_test(LinearStatistic("y ~ C(office)", data), dealt, draws_or_all="all")
    >>> round(test.observed, 2), round(test.p_greater, 4)
    (4.0, 0.1111)
    """
    _check(statistic, assignment, draws_or_all, seed, level)
    exact = draws_or_all == "all" or assignment.n_arrangements <= min(int(draws_or_all), MOST_ENUMERATED)
    linear = statistic if isinstance(statistic, LinearStatistic) else None
    plain = linear is not None and linear.cluster is None
    parts, slopes = [], []
    own = assignment.values_of(assignment.level[None, :])
    observed = float(_many(statistic, own, assignment)[0])
    if np.isnan(observed):
        raise DesignError(
            "The statistic is not defined for the assignment as it was: the covariates explain it wholly, or "
            "the function gave no finite number."
        )
    for codes in _blocks(assignment, None if exact else int(draws_or_all), seed):
        for values in _parts(assignment, codes, whole=not plain):
            parts.append(_many(statistic, values, assignment))
            if linear is not None and plain:
                slopes.append(linear.slopes(values, own[0], assignment.classes))
    found = np.concatenate(parts)
    undefined = int(np.isnan(found).sum())
    limits = (np.nan, np.nan)
    if slopes:
        limits = _interval(observed, found, np.concatenate(slopes), level=level, exact=exact)
    two_sided = _count(np.abs(found), abs(observed))
    return RandomisationTest(
        observed=observed,
        p_value=_share(two_sided, len(found), exact=exact),
        p_greater=_share(_count(found, observed), len(found), exact=exact),
        p_less=_share(_count(-found, -observed), len(found), exact=exact),
        n_extreme=two_sided,
        draws=found,
        exact=exact,
        n_arrangements=assignment.n_arrangements,
        conf_low=limits[0],
        conf_high=limits[1],
        level=level,
        undefined=undefined,
        conventions=_conventions(assignment, linear, exact=exact, draws=len(found), seed=seed),
        notes=_notes(assignment, undefined, level),
    )


def shown_count(count: int) -> str:
    """A number of arrangements as text; from a thousand million on its power of ten."""
    if count < 10**9:
        return f"{count}"
    power = int((count.bit_length() - 1) * np.log10(2))  # at most one too small; numbers of 10,000 digits
    return f"10^{power + (count >= 10 ** (power + 1))}"


def _rebuilt(values: Mapping[str, object]) -> RandomisationTest:
    return RandomisationTest(**values)  # type: ignore[arg-type]


def _check(statistic: object, assignment: object, draws: object, seed: object, level: float) -> None:
    """One error with everything that is wrong."""
    problems = []
    if not isinstance(assignment, Assignment):
        problems.append("assignment is made by Assignment.shuffled(...) or Assignment.rolled_out(...)")
    if not callable(statistic) and not isinstance(statistic, LinearStatistic):
        problems.append("statistic is a function of the assigned values or a LinearStatistic")
    elif (
        isinstance(statistic, LinearStatistic)
        and isinstance(assignment, Assignment)
        and statistic.n != len(assignment.unit)
    ):
        problems.append(
            f"statistic has {statistic.n} rows, assignment {len(assignment.unit)}: make both from the same "
            "data"
        )
    whole = isinstance(draws, int | np.integer) and not isinstance(draws, bool)
    if draws != "all" and not (whole and int(str(draws)) >= 99):
        problems.append('draws_or_all is "all" or a whole number of 99 or more')
    if isinstance(assignment, Assignment) and draws == "all" and assignment.n_arrangements > MOST_ENUMERATED:
        size = assignment.n_arrangements
        problems.append(
            f'"all" would be {shown_count(size)} arrangements (at most {MOST_ENUMERATED}): draw some instead'
        )
    if whole and (isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0):
        problems.append("seed is a whole number of 0 or more: without one the result could not be had again")
    if not 0 < level < 1:
        problems.append("level lies between 0 and 1, such as 0.95")
    if problems:
        raise SpecError("randomisation_test: " + "; ".join(problems) + ".")


def _blocks(assignment: Assignment, draws: int | None, seed: int | None) -> Iterator[Codes]:
    """Arrangements (b, U), block by block; drawn alike whatever the statistic."""
    units = len(assignment.level)
    size = max(1, min(_LARGEST_BLOCK, _CELLS_OF_A_BLOCK // units))
    if draws is None:
        yield from every_arrangement(assignment.level, assignment.cell, block=size)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, draws, size):
        count = min(size, draws - start)
        yield random_arrangements(assignment.level, assignment.cell, draws=count, rng=rng)


def _parts(assignment: Assignment, codes: Codes, *, whole: bool) -> Iterator[Floats]:
    """Values (b, C) of a block, in parts whose rows (`whole`) or classes fit in memory."""
    wide = len(assignment.unit) if whole else int(assignment.classes.max()) + 1
    size = max(1, _CELLS_OF_A_BLOCK // wide)
    for start in range(0, len(codes), size):
        yield assignment.values_of(codes[start : start + size])


def _many(statistic: Statistic, values: Floats, assignment: Assignment) -> Floats:
    """The statistic (B,) of values (B, C) of the classes of rows; NaN where it is no finite number."""
    if isinstance(statistic, LinearStatistic):
        return statistic.of_classes(values, assignment.classes)
    found = np.array([_number(statistic(row[assignment.classes])) for row in values])
    return np.where(np.isfinite(found), found, np.nan)


def _number(found: object) -> float:
    """What a user's function gave, as a number."""
    array = np.asarray(found)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise SpecError(
            f"The statistic gave {type(found).__name__} with {counted(array.size, 'value')}: it must give "
            "one number (NaN where it is not defined)."
        )
    return float(array.reshape(()))


def _count(found: Floats, observed: float) -> int:
    """Arrangements at least as large; undefined ones and ties count."""
    known = np.abs(found[~np.isnan(found)])
    usual = float(np.median(known)) if len(known) else 0.0
    reach = observed - TIE * max(abs(observed), usual, _SMALLEST)
    return int((np.isnan(found) | (found >= reach)).sum())


def _share(count: int, draws: int, *, exact: bool) -> float:
    """The p-value of a count."""
    return count / draws if exact else (1 + count) / (1 + draws)


def _interval(a: float, found: Floats, slope: Floats, *, level: float, exact: bool) -> tuple[float, float]:
    """Effects not rejected: the statistic of y - tau z is found - tau slope, the observed one a - tau."""
    alpha = 1 - level + TIE  # 1 - 0.9 is a little below 0.1, and p-values are round shares
    least = alpha * len(found) if exact else alpha * (1 + len(found)) - 1
    return not_rejected(a, found, slope, least=least)


def _conventions(
    assignment: Assignment, linear: LinearStatistic | None, *, exact: bool, draws: int, seed: int | None
) -> dict[str, str]:
    """What was computed, dealt and counted, in words."""
    how = "all arrangements, the observed one among them" if exact else f"{draws} draws, seed {seed}"
    rule = "count / arrangements" if exact else "(1 + count) / (1 + draws)"
    return {
        "statistic": "a function of the user's" if linear is None else linear.words,
        "assignment": assignment.words,
        "arrangements": how,
        "p-value": f"{rule}; ties count as extreme",
    }


def _notes(assignment: Assignment, undefined: int, level: float) -> tuple[str, ...]:
    """What limits the test."""
    notes = []
    if assignment.n_arrangements < 1 / (1 - level):
        notes.append(
            f"Only {assignment.n_arrangements} arrangements: no p-value below "
            f"{1 / assignment.n_arrangements:.3g} is possible."
        )
    if undefined:
        notes.append(f"Under {undefined} arrangements the statistic is not defined; they count as extreme.")
    return tuple(notes)
