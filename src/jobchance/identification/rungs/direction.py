"""Rung: which leads, belief or action, inside citizens."""

from __future__ import annotations

from contextlib import suppress

from jobchance.errors import DesignError, EstimationError, IdentificationError
from jobchance.identification.cards import Assumption, Card, read_checks
from jobchance.identification.direction import which_leads
from jobchance.identification.dynamic_direction import dynamic_direction
from jobchance.identification.rungs.model import Ground, Line, Rung, counts_of
from jobchance.results.fit import Fit


def direction(ground: Ground) -> Rung:
    """Belief to action by the cross-lagged model with random intercepts; the dynamic panel stands beside it.

    The model takes the process to have settled when citizens enter. Activities have often just begun then,
    and it overstates the path in simulated studies (docs/explanation/direction.md); nothing here tests that.
    """
    fit = which_leads(ground.panel, thresholds=ground.thresholds)
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
    fits: dict[str, Fit] = {"cross_lagged": fit}
    with suppress(DesignError, EstimationError, IdentificationError):  # a second opinion, not the rung
        fits["dynamic_panel"] = dynamic_direction(ground.panel, thresholds=ground.thresholds)
    checks = (*read_checks(fit.diagnostics["checks"]), Assumption("settled_process", "doubtful"))
    return Rung(Card("direction", "directional", checks), line, fits)
