"""`evidence_ladder`: every design that the study allows, side by side, each with its card and verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib import import_module

from jobchance.compute.threads import one_thread
from jobchance.errors import DesignError, EstimationError, FormulaError, IdentificationError, SpecError
from jobchance.identification.cards import CREDIBLE, Assumption, Card
from jobchance.identification.ladder_result import EvidenceLadder
from jobchance.identification.rungs.ground import prepare
from jobchance.identification.rungs.model import Ground, Rung
from jobchance.identification.thresholds import Thresholds
from jobchance.labels.load import has_label
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel

# rung -> module and function; in the order from prediction to effect, then spread and direction
_RUNGS = {
    "raw_gradient": ("association", "raw_gradient"),
    "adjusted": ("association", "adjusted"),
    "hazard": ("hazard", "hazard"),
    "within_citizen": ("within", "within_citizen"),
    "two_raters": ("two_raters", "two_raters"),
    "leniency": ("leniency", "reduced_form"),
    "leniency_iv": ("leniency", "instrumental"),
    "shift": ("shift", "shift"),
    "value_added": ("value_added", "spread"),
    "direction": ("direction", "direction"),
}
RUNGS = tuple(_RUNGS)
_WITHOUT_BELIEF = ("value_added",)
SEQUENCE = ("leniency", "shift", "leniency_iv", "two_raters", "within_citizen", "direction")
"""The designs that can be credible, in the order in which they may claim that an effect is not zero."""

ESTIMANDS = {
    "raw_gradient": "predictive",
    "adjusted": "predictive_adjusted",
    "hazard": "predictive_timing",
    "within_citizen": "case_level_within",
    "two_raters": "case_level_two_raters",
    "leniency": "dispositional",
    "leniency_iv": "case_level_iv",
    "shift": "dispositional_movers",
    "value_added": "spread",
    "direction": "directional",
}


def evidence_ladder(
    panel: AnalysisPanel,
    *,
    covariates: Iterable[str] | None = None,
    rungs: Sequence[str] | None = None,
    accept: Iterable[str] = (),
    thresholds: Thresholds | None = None,
    level: float = 0.95,
) -> EvidenceLadder:
    r"""Run every design that the study allows and say what each can and cannot identify.

    All numbers are percentage points of the outcome within the panel's horizon, and relative to one base
    rate. Three questions are kept apart: what belief *predicts* (raw gradient, adjusted association, hazard),
    what a caseworker's general *optimism* does (leniency, shift), and what raising the belief in *this* case
    would do (within citizen, two raters, instrumental variable). Spread between caseworkers and the direction
    between belief and action stand beside them.

    **Verdicts.** Each rung ends in *predicts only*, *suggestive*, *credible under stated assumptions* or *not
    identified here*: the weakest that its assumptions leave (`jobchance.identification.cards.Card`). Several
    designs are several chances of a false claim. So the credible ones are tested in an order fixed in
    advance, the headline design (`leniency`) first, each at `thresholds.joint_level`, and after the first
    that does not find a difference none may claim one: an interval that excludes zero by itself alone then
    leaves the verdict *suggestive*.

    Parameters
    ----------
    panel : AnalysisPanel
        From `build_panel`. Name the covariates there.
    covariates : iterable of str or None
        To adjust for and to test balance on. None: the panel's covariates and `citizen_score`.
    rungs : sequence of str or None
        A subset of the rungs; `None`: all. Designs that come before them in the fixed order are run too, so
        that a subset claims no more than the whole ladder would.
    accept : iterable of str
        Untestable assumptions that the analyst vouches for, such as `"exclusion"`; the cards say so. It
        cannot overrule a test.
    thresholds : Thresholds or None
        Every limit behind the verdicts; `None`: the defaults, each with its reason in `Thresholds().frame`.
    level : float
        Of the intervals.

    Returns
    -------
    EvidenceLadder
        `.frame` with one row per rung, `rung estimand estimate std_error conf_low conf_high unit n
        assumption_status verdict` first; `.cards`, `.fits`, `.text(lang)`.

    Raises
    ------
    SpecError
        Not a panel, unknown rungs or assumptions, covariates that the panel lacks or that stand for the
        outcome or the belief, a level that is not between 0 and 1.
    IdentificationError
        The panel carries no rung at all: too few citizens or events.

    Notes
    -----
    A rung that the data cannot carry is no error: it stands in the frame as *not identified here*, without a
    number, and its card lists what is missing.

    References
    ----------
    The designs: Angrist, Imbens & Krueger (1999); Kolesár (2013); Frandsen, Lefgren & Leslie (2023);
    Papageorge, Gershenson & Kang (2020); Kline, Saggio & Sølvsten (2020); Hamaker, Kuiper & Grasman (2015).

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(seed=1))  # doctest: +SKIP
    >>> ladder = jc.evidence_ladder(panel)  # doctest: +SKIP
    >>> ladder.frame[["rung", "estimate", "conf_low", "conf_high", "verdict"]]  # doctest: +SKIP
    """
    if not isinstance(level, int | float) or not 0 < level < 1:
        raise SpecError(f"level={level!r} must lie between 0 and 1, such as 0.95.")
    chosen = [
        check_option("rungs", name, RUNGS) for name in (RUNGS if rungs is None else _texts("rungs", rungs))
    ]
    if not chosen:
        raise SpecError(f"rungs=[] asks for nothing; the rungs are {', '.join(RUNGS)}.")
    if not isinstance(thresholds, Thresholds | None):
        raise SpecError("thresholds takes Thresholds(...), such as Thresholds(doubt_p=0.10).")
    limits = thresholds or Thresholds()
    ground = prepare(panel, covariates=covariates, thresholds=limits)
    vouched = _texts("accept", accept)
    needed = _with_earlier(chosen)
    with one_thread:  # many small products: threads of the numerical libraries only wait for each other
        climbed = [_climb(name, ground, vouched) for name in RUNGS if name in needed]
    _require_known(vouched, climbed)
    guarded = _guard(climbed, level=level, joint=limits.joint_level)
    return EvidenceLadder(
        rungs=tuple(r for r in guarded if r.card.rung in chosen),
        meta=dict(panel.meta) | {"base_rate": ground.base_rate, "accepted": vouched},
        thresholds=limits,
        level=level,
    )


def _texts(name: str, values: Iterable[str]) -> tuple[str, ...]:
    """Several names; a single text would be read letter by letter."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise SpecError(f"{name} takes several names: {name}=[...].")
    return tuple(dict.fromkeys(str(value) for value in values))


def _with_earlier(chosen: Sequence[str]) -> set[str]:
    """The rungs asked for, and those before them in `SEQUENCE`: a subset claims no more than the whole."""
    places = [SEQUENCE.index(name) for name in chosen if name in SEQUENCE]
    return {*chosen, *SEQUENCE[: max(places, default=-1) + 1]}


def _require_known(vouched: Sequence[str], rungs: Sequence[Rung]) -> None:
    """Refuse to vouch for assumptions that no card has; a rung that is refused here may have it elsewhere."""
    strange = [name for name in vouched if not has_label(f"assumption.{name}")]
    if strange:
        raise SpecError(
            f"accept names assumptions that no card has: {', '.join(strange)}. Untestable "
            f"ones are {', '.join(sorted({a.name for a in _assumptions(rungs) if not a.is_tested}))}."
        )


def _assumptions(rungs: Sequence[Rung]) -> list[Assumption]:
    """Of all cards."""
    return [a for rung in rungs for a in rung.card.assumptions]


def _climb(name: str, ground: Ground, accept: tuple[str, ...]) -> Rung:
    """Run one rung; what the data cannot carry becomes a refused rung."""
    if name not in _WITHOUT_BELIEF and len(ground.every["belief"].dropna().unique()) < 2:
        return _refused(name, ("belief_varies",), "All answers to the belief question are the same.")
    try:
        rung = _function(name)(ground)
    except IdentificationError as error:
        return _refused(name, error.missing or ("design",), str(error))
    except DesignError as error:
        return _refused(name, ("rows",), str(error))
    except EstimationError as error:
        return _refused(name, ("estimate",), str(error))
    except (FormulaError, SpecError) as error:
        return _refused(name, ("columns",), str(error))
    return rung.with_card(rung.card.accept(accept))


def _function(name: str) -> Callable[[Ground], Rung]:
    module, function = _RUNGS[name]
    found: Callable[[Ground], Rung] = getattr(
        import_module(f"jobchance.identification.rungs.{module}"), function
    )
    return found


def _refused(name: str, missing: tuple[str, ...], reason: str) -> Rung:
    return Rung(Card(name, ESTIMANDS[name], missing=missing), reason=reason)


def _guard(rungs: Sequence[Rung], *, level: float, joint: float) -> list[Rung]:
    """Lower the verdict of credible rungs that exclude zero without a claim of the ladder as a whole.

    Fixed sequence: the credible rungs are tested in the order of `SEQUENCE`, each at the full joint level,
    until one does not reject; none after it may claim anything. The chance of any false claim is then at most
    the joint level, and the headline design pays nothing for the others.
    """
    by_name = {r.card.rung: r for r in rungs if r.line is not None and r.card.verdict == CREDIBLE}
    lowered: list[str] = []
    for name in SEQUENCE:
        rung = by_name.get(name)
        if rung is not None and rung.line is not None and (lowered or rung.line.p >= joint):
            lowered.append(name)
    return [_lower(r) if r.card.rung in lowered and _excludes_zero(r, level) else r for r in rungs]


def _lower(rung: Rung) -> Rung:
    return rung.with_card(replace(rung.card, lowered=(*rung.card.lowered, "several_designs")))


def _excludes_zero(rung: Rung, level: float) -> bool:
    if rung.line is None:
        return False
    low, high = rung.line.interval(level)
    return low > 0 or high < 0
