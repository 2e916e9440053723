"""`Workbench`: the panels on which specifications are evaluated, with the work that these share."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from jobchance.compute.tasks import describe_failure
from jobchance.compute.threads import one_thread
from jobchance.design.columns import is_categorical, numeric_values
from jobchance.errors import DesignError, JobchanceError, SpecError
from jobchance.options import check_option
from jobchance.panel.build import COLUMNS, build_panel
from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.multiverse import rungs
from jobchance.sensitivity.multiverse.filled import Prepared, prepare
from jobchance.sensitivity.multiverse.likelihood import answer_of, fit_likelihood
from jobchance.sensitivity.multiverse.linear_cache import Cache
from jobchance.sensitivity.multiverse.linear_fit import coefficient, fit_linear
from jobchance.sensitivity.multiverse.rows import Answer, Counts, answered_row, failed_row
from jobchance.sensitivity.multiverse.samples import Drawn, SamplePanel, columns_of, needed_columns
from jobchance.sensitivity.multiverse.specification import LIKELIHOOD, LINEAR, Specification
from jobchance.study.model import Study

Key = tuple[str, int, str]
"""Outcome rule, horizon in weeks, at-risk rule: what makes a panel."""

SCALES = ("sd", "unit")
SAMPLE_BYTES = 64_000_000
"""Most memory for positions of rows; each part of the shared work has its own limit."""


class Scaling(Protocol):
    """What the workbench reads of a multiverse: its scale and its confidence level."""

    @property
    def scale(self) -> str:
        """`"sd"` or `"unit"`."""
        ...

    @property
    def level(self) -> float:
        """Of the intervals."""
        ...


class Workbench:
    """Panels on which specifications are evaluated; what they share is computed once and kept in memory.

    A workbench travels to other processes with its panels (microdata) and without what it has computed. The
    row of a specification is the same to the last bit whatever was evaluated before it or beside it.

    Parameters
    ----------
    panels : mapping of (outcome, horizon_weeks, at_risk) to AnalysisPanel
        The panels.
    scale : {"sd", "unit"}
        Whether a linear step of the exposure is its standard deviation or one: the deviation over the rows
        of the panel with a known outcome, one number for each panel and exposure, never for a sample.
    level : float
        Of the intervals.
    common_covariates : sequence of str
        Terms of all covariates: the rule `"common"` asks for rows complete in them, and the shared work
        covers their columns.
    exposures : sequence of str
        Columns that are exposures.
    """

    def __init__(
        self,
        panels: Mapping[Key, AnalysisPanel],
        *,
        scale: str,
        level: float,
        common_covariates: Sequence[str],
        exposures: Sequence[str] = (),
    ) -> None:
        self.scale, self.level = check_option("scale", scale, SCALES), float(level)
        self.terms, self.exposures = tuple(common_covariates), tuple(exposures)
        common = columns_of(self.terms)
        self._panels = {key: SamplePanel(panel, common) for key, panel in panels.items()}
        self._forget()

    @classmethod
    def build(
        cls, source: Study | AnalysisPanel, specifications: Iterable[Specification], spec: Scaling
    ) -> Workbench:
        """The workbench for these specifications.

        Parameters
        ----------
        source : Study or AnalysisPanel
            A study gives every panel that the specifications name; a panel only itself.
        specifications : iterable of Specification
            All that will be asked.
        spec : MultiverseSpec
            `scale` and `level`.

        Raises
        ------
        SpecError
            Specifications name columns that there are not (all are listed), or a panel that is not at hand.
        """
        asked = tuple(specifications)
        keys = list(dict.fromkeys(panel_key(one) for one in asked))
        columns = list(dict.fromkeys(column for one in asked for column in needed_columns(one)))
        panels = (
            {key: _built(source, key, columns) for key in keys}
            if isinstance(source, Study)
            else _given(source, keys)
        )
        _require_columns(panels.values(), columns)
        return cls(
            panels,
            scale=spec.scale,
            level=spec.level,
            common_covariates=sorted({term for one in asked for term in one.covariates}),
            exposures=sorted({one.exposure for one in asked if one.rung is None}),
        )

    @property
    def panels(self) -> dict[Key, AnalysisPanel]:
        """The panels (microdata)."""
        return {key: bench.panel for key, bench in self._panels.items()}

    def evaluate(self, specifications: Sequence[Specification]) -> list[dict[str, Any]]:
        """One row for each specification, with the keys `rows.ROW_COLUMNS`.

        A specification that cannot be estimated has the status `"failed"` and a reason: in the words of this
        package, which hold counts and columns only, or for any other error its type and place. None raises.
        """
        with one_thread, warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return [self._row(spec) for spec in specifications]

    def sample(self, spec: Specification) -> Drawn:
        """Positions of the rows behind a specification in its panel's frame, their counts and their hash.

        Raises
        ------
        JobchanceError
            The sample has no rows, or its conditions cannot be read.
        """
        bench = self._bench(spec)
        question = bench.question(spec)
        return self._drawn.get((panel_key(spec), question), lambda: bench.draw(question))

    def prepared(self, spec: Specification) -> Prepared:
        """Rows of a specification as an estimator gets them, missing covariates filled where it says so."""
        frame = self._bench(spec).frame.take(self.sample(spec).positions)
        return prepare(frame, spec.covariates, fill=spec.missing == "indicator")

    def step(self, spec: Specification) -> float:
        """The step of the exposure that estimates are for: its standard deviation, or one.

        Raises
        ------
        DesignError
            The exposure is categorical, or does not vary.
        """
        key = (panel_key(spec), spec.exposure)
        if key not in self._steps:
            self._steps[key] = (
                1.0 if self.scale == "unit" else _deviation(self._bench(spec).frame, spec.exposure)
            )
        return self._steps[key]

    def unit(self, spec: Specification) -> str:
        """What a percentage point is per."""
        return f"pp per {'sd' if self.scale == 'sd' else 'unit'} of {spec.exposure}"

    def _row(self, spec: Specification) -> dict[str, Any]:
        """The row of one specification."""
        try:
            if spec.rung is not None:
                return self._rung(spec)
            drawn = self.sample(spec)
            answer = self._answer(spec)
            return self._finish(spec, answer, drawn.counts, drawn.hash)
        except rungs.RungRefusedError as error:
            return failed_row(spec.key, str(error), verdict=error.verdict)
        except Exception as error:
            return failed_row(spec.key, _reason(error))

    def _answer(self, spec: Specification) -> Answer:
        """The number of a specification with one equation."""
        step, unit = self.step(spec), self.unit(spec)
        if spec.estimator in LINEAR:
            return coefficient(spec, fit_linear(spec, self.prepared(spec)), step=step, unit=unit)
        check_option("estimator", spec.estimator, (*LINEAR, *LIKELIHOOD))
        return answer_of(spec, fit_likelihood(spec, self.prepared(spec)), step=step, unit=unit)

    def _rung(self, spec: Specification) -> dict[str, Any]:
        """The row of a rung of the ladder."""
        bench, prepared, drawn = self._bench(spec), self.prepared(spec), self.sample(spec)
        answer, counts, used = rungs.climb(spec, prepared, bench.panel, level=self.level)
        if used is None:
            return self._finish(spec, answer, counts, drawn.hash)
        positions = np.sort(drawn.positions[used])
        return self._finish(spec, answer, bench.counts(positions), bench.set_hash(positions))

    def _finish(
        self, spec: Specification, answer: Answer, counts: Counts, sample_hash: str
    ) -> dict[str, Any]:
        """The row of an answer; one that is no number is a failure."""
        if not np.isfinite(answer.estimate):
            return failed_row(spec.key, "The estimate is not a finite number.", verdict=answer.verdict)
        return answered_row(spec.key, answer, counts, sample_hash=sample_hash, level=self.level)

    def _bench(self, spec: Specification) -> SamplePanel:
        """The panel of a specification."""
        bench = self._panels.get(panel_key(spec))
        if bench is None:
            raise SpecError(f"No panel is at hand for {_named(panel_key(spec))}.")
        return bench

    def _forget(self) -> None:
        """Start with nothing computed."""
        self._drawn: Cache[Drawn] = Cache(SAMPLE_BYTES)
        self._steps: dict[tuple[Key, str], float] = {}

    def __getstate__(self) -> dict[str, Any]:
        kept = ("scale", "level", "terms", "exposures")
        # read-only mappings cannot travel, their makings can
        panels = {key: (panel.frame, panel.flow, dict(panel.meta)) for key, panel in self.panels.items()}
        return {name: getattr(self, name) for name in kept} | {"panels": panels}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__init__(  # type: ignore[misc]
            {key: AnalysisPanel(*parts) for key, parts in state["panels"].items()},
            scale=state["scale"],
            level=state["level"],
            common_covariates=state["terms"],
            exposures=state["exposures"],
        )

    def __repr__(self) -> str:
        return f"Workbench({len(self._panels)} panels, scale={self.scale!r}, level={self.level})"


def panel_key(spec: Specification) -> Key:
    """What makes the panel of a specification."""
    return spec.outcome, spec.horizon_weeks, spec.at_risk


def _built(study: Study, key: Key, columns: Iterable[str]) -> AnalysisPanel:
    """One panel of a study, with the columns of the citizen table that are asked for."""
    outcome, horizon, at_risk = key
    covariates = [column for column in columns if column not in COLUMNS]
    return build_panel(study, outcome=outcome, horizon_weeks=horizon, at_risk=at_risk, covariates=covariates)


def _given(panel: AnalysisPanel, keys: Sequence[Key]) -> dict[Key, AnalysisPanel]:
    """The one panel, which must be that of all specifications."""
    meta = panel.meta
    own = (str(meta.get("outcome")), int(str(meta.get("horizon_weeks", 0))), str(meta.get("at_risk")))
    others = [_named(key) for key in keys if key != own]
    if others:
        raise SpecError(
            f"The panel is that of {_named(own)}, but specifications ask for {'; '.join(others[:3])}"
            f"{' and others' if len(others) > 3 else ''}. Give the Study, from which each panel is built."
        )
    return {own: panel}


def _named(key: Key) -> str:
    """A panel in words."""
    return f"outcome {key[0]!r}, {key[1]} weeks, at risk {key[2]!r}"


def _require_columns(panels: Iterable[AnalysisPanel], columns: Iterable[str]) -> None:
    """Every column asked for is in every panel."""
    wanted = tuple(columns)
    absent = dict.fromkeys(c for panel in panels for c in wanted if c not in panel.frame.columns)
    if absent:
        raise SpecError(
            f"The panel has no column {', '.join(absent)}: name covariates in build_panel, or give the Study."
        )


def _deviation(frame: pd.DataFrame, exposure: str) -> float:
    """Standard deviation of the exposure over rows with a known outcome."""
    rows = frame.loc[frame["outcome"].notna() & frame[exposure].notna(), [exposure]]
    if not len(rows) or is_categorical(rows, exposure):
        raise DesignError(f"The exposure {exposure} is no number, so it has no standard deviation.")
    deviation = float(np.std(numeric_values(rows, exposure), ddof=1)) if len(rows) > 1 else 0.0
    if not deviation > 0:
        raise DesignError(f"The exposure {exposure} does not vary in the panel.")
    return deviation


def _reason(error: Exception) -> str:
    """Why there is no number: our own words, or the type and place of any other error."""
    failure = describe_failure(error, 0)
    return failure.message if isinstance(error, JobchanceError) else f"{failure.kind}: {failure.message}"
