"""The dials of the simulated BIP study: what they mean, what they may be, and one error for all faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from numbers import Integral, Real

from jobchance.errors import SpecError

CITIZENS = 4000
CASEWORKERS = 300
JOBCENTRES = 10
_CEILING = 1_000_000

# name -> lowest and highest value allowed, and what the dial is
_RANGES: Mapping[str, tuple[float, float]] = {
    "belief_effect": (-0.5, 0.5),
    "optimism_effect": (-1.0, 1.0),
    "shift_effect": (-2.0, 2.0),
    "forecasting_skill": (0.0, 1.0),
    "sorting": (-1.0, 1.0),
    "attrition": (0.0, 20.0),
    "scale_use": (0.0, 1.0),
    "dont_know_share": (0.0, 0.9),
    "belief_action": (-2.0, 2.0),
    "action_feedback": (-2.0, 2.0),
    "action_effect": (-1.0, 1.0),
}
_COUNTS: Mapping[str, tuple[int, int]] = {
    "n_citizens": (1, _CEILING),
    "n_caseworkers": (2, _CEILING),
    "n_jobcentres": (1, 80),
}


@dataclass(frozen=True)
class Dials:
    """What a user may turn.

    Parameters
    ----------
    n_citizens, n_caseworkers, n_jobcentres : int
        Sizes. Without `n_caseworkers` there are 300 per 4,000 citizens, at least two in each jobcentre.
    belief_effect : float
        Log hazard ratio of a job per step of the caseworker's answer about this citizen, as long as the
        answer stands (until the next wave). Zero by default: no published number exists.
    optimism_effect : float
        Log hazard ratio of a job per standard deviation of the disposition of the caseworker in charge.
    shift_effect : float
        Log hazard ratio of a job from the first caseworker shift on.
    forecasting_skill : float in [0, 1]
        Correlation of the employability that a caseworker sees with the true one.
    sorting : float in [-1, 1]
        Rank correlation of employability with the disposition of the caseworker drawn.
    attrition : float >= 0
        Multiplies the drop-out rate between waves; 0 leaves only job, exit and the end of the project.
    scale_use : float in [0, 1]
        Standard deviation over caseworkers of the log stretch with which they use the answer scale.
    dont_know_share : float in [0, 0.9]
        Share of the belief answers that are "don't know".
    belief_action : float
        Log odds ratio of an activity going on at the next wave, per step of the answer at this one. Invented.
    action_feedback : float
        Shift of the latent belief at the next wave, in its standard deviations, if an activity is going on
        at this one. Zero by default.
    action_effect : float
        Log hazard ratio of a job while an activity is going on. Zero by default: the published margins are
        met without it, and turning it moves the overall rate.
    """

    n_citizens: int
    n_caseworkers: int
    n_jobcentres: int
    belief_effect: float = 0.0
    optimism_effect: float = 0.29
    shift_effect: float = -0.38
    forecasting_skill: float = 0.9
    sorting: float = 0.0
    attrition: float = 1.0
    scale_use: float = 0.1
    dont_know_share: float = 0.04
    belief_action: float = 0.25
    action_feedback: float = 0.0
    action_effect: float = 0.0


def read_dials(n_citizens: int | None, dials: Mapping[str, object]) -> Dials:
    """Check the dials and fill in what was not given.

    Raises
    ------
    SpecError
        An unknown dial or an impossible value; lists all of them.
    """
    given = {name: value for name, value in dials.items() if value is not None}
    given["n_citizens"] = CITIZENS if n_citizens is None else n_citizens
    known = [field.name for field in fields(Dials)]
    faults = [_unknown(name, known) for name in given if name not in known]
    counts = {name: _count(name, given.get(name), faults) for name in _COUNTS}
    sizes = {name: _number(name, given[name], faults) for name in _RANGES if name in given}
    offices = counts["n_jobcentres"] or JOBCENTRES
    share = round((counts["n_citizens"] or CITIZENS) * CASEWORKERS / CITIZENS)
    caseworkers = counts["n_caseworkers"] or max(2 * offices, share)
    if caseworkers < 2 * offices:
        faults.append(f"n_caseworkers must be at least two per jobcentre, here {2 * offices}")
    if faults:
        raise SpecError("simulate_study cannot use these dials:\n" + "\n".join(f"- {f}" for f in faults))
    return Dials(
        n_citizens=counts["n_citizens"] or CITIZENS,
        n_caseworkers=caseworkers,
        n_jobcentres=offices,
        **sizes,
    )


def read_seed(seed: object) -> int:
    """Return the seed if it is a whole number from zero up."""
    if isinstance(seed, bool) or not isinstance(seed, Integral) or int(seed) < 0:
        raise SpecError("seed must be a whole number, zero or larger")
    return int(seed)


def _unknown(name: str, known: list[str]) -> str:
    """One line for a dial that does not exist."""
    near = get_close_matches(name, known, n=1)
    hint = f". Did you mean {near[0]!r}?" if near else ""
    return f"{name!r} is not a dial; the dials are {', '.join(known)}{hint}"


def _count(name: str, value: object, faults: list[str]) -> int:
    """Read a size; 0 where none was given or it is impossible."""
    low, high = _COUNTS[name]
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, Integral):
        faults.append(f"{name} must be a whole number between {low} and {high}")
        return 0
    if not low <= int(value) <= high:
        faults.append(f"{name} must be between {low} and {high}")
        return 0
    return int(value)


def _number(name: str, value: object, faults: list[str]) -> float:
    """Read a number in its range; not-a-number is in no range."""
    low, high = _RANGES[name]
    if isinstance(value, bool) or not isinstance(value, Real):
        faults.append(f"{name} must be a number between {low:g} and {high:g}")
        return low
    try:
        number = float(value)
    except OverflowError:  # a whole number too large for any range
        number = float("inf")
    if not low <= number <= high:
        faults.append(f"{name} must be between {low:g} and {high:g}")
    return number
