"""Which linear specifications of a multiverse share work, and for which terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from jobchance.design.nodes import quoted
from jobchance.errors import JobchanceError
from jobchance.sensitivity.multiverse.samples import RowQuestion, SamplePanel
from jobchance.sensitivity.multiverse.specification import LINEAR, Specification
from jobchance.sensitivity.multiverse.workbench_panels import Key, panel_key

Share = tuple[Key, RowQuestion, bool]
"""Panel, rows and absorbed factors, whether missing covariates are filled: what must be in common."""

ENOUGH = 4
"""Specifications from which on sharing costs less than fitting each."""


def share_of(spec: Specification, bench: SamplePanel) -> Share:
    """What a linear specification must have in common with others to share their work."""
    fill = spec.missing == "indicator" and any(map(bench.has_gaps, bench.common))
    return panel_key(spec), bench.question(spec), fill


def plan_shares(
    panels: Mapping[Key, SamplePanel], specifications: Iterable[Specification]
) -> dict[Share, tuple[str, ...]]:
    """Terms of the linear specifications that share work, where there are enough of them for it to pay."""
    asked: dict[Share, list[Specification]] = {}
    for spec in specifications:
        if spec.estimator in LINEAR and panel_key(spec) in panels:
            with suppress(JobchanceError):  # its row says what is wrong
                asked.setdefault(share_of(spec, panels[panel_key(spec)]), []).append(spec)
    return {key: _terms(together) for key, together in asked.items() if len(together) >= ENOUGH}


def _terms(specifications: Iterable[Specification]) -> tuple[str, ...]:
    """Exposures, then covariates, each sorted."""
    exposures = {quoted(spec.exposure) for spec in specifications}
    covariates = {term for spec in specifications for term in spec.covariates}
    return (*sorted(exposures), *sorted(covariates))
