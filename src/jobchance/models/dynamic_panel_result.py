"""From the pieces of a dynamic panel to its `Fit`: inference, conventions, table of instruments."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.models.dynamic_panel_checks import Checks
from jobchance.models.dynamic_panel_instruments import Instruments
from jobchance.models.dynamic_panel_rows import Levels
from jobchance.models.dynamic_panel_transform import Regressors, Transformed
from jobchance.numerics.gmm import Moments
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats, Inference, Sample
from jobchance.results.provenance import provenance

_MODELS = {
    "difference": "difference GMM (Arellano-Bond)",
    "system": "system GMM (Blundell-Bond)",
    "orthogonal_deviations": "GMM in forward orthogonal deviations (Arellano-Bover)",
}


@dataclass(frozen=True, eq=False)
class Assembly:
    """What goes from the arguments and the rows into the fit."""

    formula: str
    entity: str
    time: str
    lags: int
    transformation: str
    steps: str
    vcov: str
    collapse: bool
    levels: Levels
    made: Transformed
    columns: Regressors
    instruments: Instruments

    def fit(self, beta: Floats, cov: Floats, tests: Checks, problem: Moments) -> Fit:
        """The result object."""
        return Fit(
            model=f"{_MODELS[self.transformation]}, {self.steps}-step",
            outcome=self.levels.design.outcome_name,
            terms=self.columns.names,
            estimates=beta,
            covariance=cov,
            inference=self.inference(problem.n_entities),
            sample=Sample(
                nobs=len(problem.y),
                groups={self.entity: problem.n_entities, self.time: len(np.unique(self.made.period))},
                dropped=dict(self.levels.dropped),
                dropped_terms=(
                    *(f"{name.replace('`', '')} (collinear)" for name in self.levels.design.collinear),
                    *self.columns.dropped,
                ),
            ),
            spec={
                "formula": self.formula,
                "estimator": "dynamic_panel",
                "transformation": self.transformation,
                "steps": self.steps,
                "entity": self.entity,
                "time": self.time,
                "lags": int(self.lags),
                "kinds": dict(self.levels.kinds),
                "collapse": bool(self.collapse),
                "link": "identity",
            },
            criterion=tests.statistics["sargan_robust"],
            statistics=dict(tests.statistics)
            | {
                "n_instruments": float(problem.Z.shape[1]),
                "n_entities": float(problem.n_entities),
                "n_transformed_rows": float(np.sum(~self.made.level)),
                "n_level_rows": float(np.sum(self.made.level)),
            },
            conventions=self.conventions(),
            diagnostics={"tests": tests.frame, "instruments": self.instrument_table()},
            provenance=provenance(self.formula),
        )

    def inference(self, n: int) -> Inference:
        """How the covariance was made; the reference distribution is the normal."""
        two = self.steps == "two"
        if self.vcov != "model":
            label = "two-step, corrected (Windmeijer 2005)" if two else "one-step"
            return Inference(
                "cluster",
                f"{label}, robust to correlation within {self.entity}",
                clusters={self.entity: n},
                df=math.inf,
            )
        if two:
            note = "Conventional two-step errors are usually too small; vcov='windmeijer' corrects them."
            return Inference("model", "conventional two-step", df=math.inf, notes=(note,))
        return Inference("model", "from the model (independent errors with one variance)", df=math.inf)

    def instrument_table(self) -> pd.DataFrame:
        """Columns `group instruments`."""
        counts = self.instruments.counts
        return pd.DataFrame({"group": list(counts), "instruments": list(counts.values())})

    def conventions(self) -> dict[str, str]:
        """Choices that other software makes differently."""
        weights = {
            "difference": "D D': 2 for a row, -1 for rows of successive periods",
            "system": "[D; I][D; I]', as plm fsm='full' and xtabond2 h(3)",
            "orthogonal_deviations": "identity",
        }
        made = {
            "first-step weights": f"(sum Z_i'H_i Z_i)^-1, H = {weights[self.transformation]}",
            "small sample": "no factor; normal and chi-square distributions (plm; xtabond2 without small)",
            "degrees of freedom": "instruments less coefficients; instruments that are zero or that others "
            "determine are left out (plm counts them)",
            "absent instruments": "0, so where a variable has its origin counts (plm, xtabond2)",
            "serial correlation": "m statistics use differenced residuals and the covariance of this fit",
            "error variance": "one-step residuals of the transformed rows, rows - coefficients"
            + ("" if self.transformation == "orthogonal_deviations" else ", halved"),
        }
        if self.transformation == "system":
            made |= {
                "level instruments": "the difference one period before (max(1, first lag - 1)), as plm; "
                "xtabond2 takes the present difference of predetermined variables",
                "exogenous covariates": "instruments of each equation apart (plm); in levels they must not "
                "depend on the entity's own level",
                "effects of periods": "instruments of the level equation only (plm)",
                "nobs": "rows of both equations (plm); xtabond2 counts the level rows",
            }
        return made
