"""Rung: which leads, belief or action, inside citizens."""

from __future__ import annotations

from contextlib import suppress

from jobchance.errors import DesignError, EstimationError, IdentificationError
from jobchance.identification.cards import Card, read_checks
from jobchance.identification.direction import which_leads
from jobchance.identification.dynamic_direction import dynamic_direction
from jobchance.identification.rungs.model import Ground, Line, Rung, counts_of
from jobchance.results.fit import Fit


def direction(ground: Ground) -> Rung:
    """Belief to action by the dynamic panel; the cross-lagged model with random intercepts stands beside it.

    The dynamic panel does not need a process that has settled, which the cross-lagged model does: activities
    have just begun when citizens enter a study.
    """
    fit = dynamic_direction(ground.panel, thresholds=ground.thresholds)
    paths = fit.diagnostics["directions"]
    own = paths[paths["direction"] == "belief_to_action"].iloc[0]
    line = Line(
        estimate=100 * float(own["estimate"]),
        std_error=100 * float(own["std_error"]),
        conf_low=100 * float(own["conf_low"]),
        conf_high=100 * float(own["conf_high"]),
        df=float("inf"),
        unit="pp of activity per step of the answer",
        population="waves",
        **counts_of(fit),
    )
    fits: dict[str, Fit] = {"dynamic_panel": fit}
    with suppress(DesignError, EstimationError, IdentificationError):  # a second opinion, not the rung
        fits["cross_lagged"] = which_leads(ground.panel, thresholds=ground.thresholds)
    return Rung(Card("direction", "directional", read_checks(fit.diagnostics["checks"])), line, fits)
