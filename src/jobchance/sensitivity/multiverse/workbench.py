"""`Workbench`: the panels on which specifications are evaluated, with the work that these share."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
import pandas as pd

from jobchance.compute.tasks import describe_failure
from jobchance.compute.threads import one_thread
from jobchance.errors import JobchanceError, SpecError
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.multiverse import linear, rungs
from jobchance.sensitivity.multiverse.filled import Prepared, prepare
from jobchance.sensitivity.multiverse.influence_vectors import Influence, fitted_influence, shared_influence
from jobchance.sensitivity.multiverse.likelihood import answer_of, fit_likelihood
from jobchance.sensitivity.multiverse.linear_cache import Cache
from jobchance.sensitivity.multiverse.linear_fit import coefficient, fit_linear
from jobchance.sensitivity.multiverse.linear_ground import Ground, Held, build_ground
from jobchance.sensitivity.multiverse.linear_shares import plan_shares, share_of
from jobchance.sensitivity.multiverse.rows import Answer, Counts, answered_row, failed_row
from jobchance.sensitivity.multiverse.samples import (
    Codes,
    Drawn,
    SamplePanel,
    codes_of,
    columns_of,
)
from jobchance.sensitivity.multiverse.specification import LIKELIHOOD, LINEAR, Specification
from jobchance.sensitivity.multiverse.workbench_panels import (
    Key,
    deviation,
    named,
    panel_key,
    panels_for,
    require_columns,
)
from jobchance.study.model import Study

SCALES = ("sd", "unit")
SAMPLE_BYTES = 64_000_000
"""Most memory for positions of rows."""
GROUND_BYTES = 128_000_000
"""Most memory for what linear specifications share."""


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
        Terms of all covariates: the rule `"common"` asks for rows complete in them.
    specifications : iterable of Specification
        All of the multiverse: those that share rows and absorbed factors share their work. Which they are
        decides the last digits (below 1e-9 of an estimate), so it is the whole list, not what is left of it.
    """

    def __init__(
        self,
        panels: Mapping[Key, AnalysisPanel],
        *,
        scale: str,
        level: float,
        common_covariates: Sequence[str],
        specifications: Iterable[Specification] = (),
    ) -> None:
        self.scale, self.level = check_option("scale", scale, SCALES), float(level)
        self._terms = tuple(common_covariates)
        common = columns_of(self._terms)
        self._panels = {key: SamplePanel(panel, common) for key, panel in panels.items()}
        self._shares = plan_shares(self._panels, specifications)
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
        return cls(
            panels_for(source, asked),
            scale=spec.scale,
            level=spec.level,
            common_covariates=sorted({term for one in asked for term in one.covariates}),
            specifications=asked,
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

    def influence(
        self, specifications: Sequence[Specification], cluster: str, *, anew: bool = False
    ) -> list[Influence | None]:
        """What every cluster adds to each estimate, in the order of the specifications.

        Parameters
        ----------
        specifications : sequence of Specification
            Of this workbench.
        cluster : str
            Column of the clusters. Their places in the vectors are common to all specifications and panels
            (`n_clusters` of them); rows without a cluster are one cluster of their own, the last.
        anew : bool
            Also what estimating linear ones anew needs, some hundred kilobytes each: ask for a few at a time.

        Returns
        -------
        list of Influence or None
            `None` for rungs of the ladder, which are several regressions, and for what has no estimate.

        Raises
        ------
        SpecError
            A panel has no such column.
        """
        codes = self._codes(cluster)
        with one_thread, warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return [
                self._influence(spec, cluster, codes[panel_key(spec)], anew=anew) for spec in specifications
            ]

    def clusters_with_rows(self, specifications: Sequence[Specification], cluster: str) -> Codes:
        """Places of the clusters in which any of the specifications has a row, ascending."""
        codes = self._codes(cluster)
        found = np.zeros(self.n_clusters(cluster), dtype=bool)
        seen: set[object] = set()
        for spec in specifications:
            with suppress(JobchanceError):  # without a sample it has no row
                question = panel_key(spec), self._bench(spec).question(spec)
                if question not in seen and not found.all():
                    found[codes[panel_key(spec)][self.sample(spec).positions]] = True
                seen.add(question)
        return np.flatnonzero(found)

    def n_clusters(self, cluster: str) -> int:
        """Number of clusters over all panels: the length of the vectors of `influence`."""
        return 1 + max(int(codes.max()) for codes in self._codes(cluster).values())

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

    def ground(self, spec: Specification) -> Ground | None:
        """The work that a linear specification shares; `None` where it shares none, or its rows forbid it."""
        key = share_of(spec, self._bench(spec))
        terms = self._shares.get(key)
        if terms is None:
            return None
        panel, question, fill = key

        def make() -> Held:
            positions = self.sample(spec).positions
            frame = self._panels[panel].frame
            return Held(build_ground(frame, positions, terms, question.factors, fill=fill))

        return self._grounds.get(key, make).ground

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
                1.0 if self.scale == "unit" else deviation(self._bench(spec).frame, spec.exposure)
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
            ground = self.ground(spec)
            shared = None if ground is None else linear.answer(spec, ground, step=step, unit=unit)
            return shared or coefficient(spec, fit_linear(spec, self.prepared(spec)), step=step, unit=unit)
        check_option("estimator", spec.estimator, (*LINEAR, *LIKELIHOOD))
        return answer_of(spec, fit_likelihood(spec, self.prepared(spec)), step=step, unit=unit)

    def _influence(self, spec: Specification, cluster: str, codes: Codes, *, anew: bool) -> Influence | None:
        """Influence of clusters on one specification."""
        n_clusters = self.n_clusters(cluster)
        try:
            if spec.rung is not None:
                return None
            drawn, step = self.sample(spec), self.step(spec)
            mine = codes[drawn.positions]
            if spec.estimator in LINEAR:
                ground = self.ground(spec)
                shared = None if ground is None else linear.solve(spec, ground)
                if shared is not None:
                    effects = ground.effects(cluster, mine, n_clusters) if anew and ground else None
                    return shared_influence(spec, shared, mine, n_clusters, step=step, effects=effects)
                fit = fit_linear(spec, self.prepared(spec))
                answer = coefficient(spec, fit, step=step, unit="")
            else:
                fit = fit_likelihood(spec, self.prepared(spec))
                answer = answer_of(spec, fit, step=step, unit="")
            used = fit.need_rows("The influence of clusters").used
            return fitted_influence(
                spec, fit, mine[used], n_clusters, estimate=answer.estimate, step=step, anew=anew
            )
        except Exception:  # its row says why
            return None

    def _codes(self, cluster: str) -> dict[Key, Codes]:
        """Cluster of every row of every panel, numbered alike in all of them."""
        if cluster not in self._levels:
            require_columns(self.panels.values(), [cluster])
            columns = [bench.frame[cluster].astype(object) for bench in self._panels.values()]
            joined = codes_of(pd.concat(columns, ignore_index=True))
            joined = np.where(joined < 0, joined.max() + 1, joined)
            ends = np.cumsum([len(column) for column in columns])[:-1]
            self._levels[cluster] = dict(zip(self._panels, np.split(joined, ends), strict=True))
        return self._levels[cluster]

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
            raise SpecError(f"No panel is at hand for {named(panel_key(spec))}.")
        return bench

    def _forget(self) -> None:
        """Start with nothing computed."""
        self._drawn: Cache[Drawn] = Cache(SAMPLE_BYTES)
        self._grounds: Cache[Held] = Cache(GROUND_BYTES)
        self._levels: dict[str, dict[Key, Codes]] = {}
        self._steps: dict[tuple[Key, str], float] = {}

    def __getstate__(self) -> dict[str, Any]:
        # read-only mappings cannot travel, their makings can
        panels = {key: (panel.frame, panel.flow, dict(panel.meta)) for key, panel in self.panels.items()}
        kept = ("scale", "level", "_terms", "_shares")
        return {name: getattr(self, name) for name in kept} | {"panels": panels}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        panels = {key: AnalysisPanel(*parts) for key, parts in state["panels"].items()}
        self.__init__(  # type: ignore[misc]
            panels, scale=state["scale"], level=state["level"], common_covariates=state["_terms"]
        )
        self._shares = state["_shares"]

    def __repr__(self) -> str:
        return f"Workbench({len(self._panels)} panels, scale={self.scale!r}, level={self.level})"


def _reason(error: Exception) -> str:
    """Why there is no number: our own words, or the type and place of any other error."""
    failure = describe_failure(error, 0)
    return failure.message if isinstance(error, JobchanceError) else f"{failure.kind}: {failure.message}"
