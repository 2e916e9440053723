"""The rows of an instrumental-variables model: complete, absorbed factors removed, columns by their role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobchance.design.build import Design, build_design
from jobchance.design.columns import counted
from jobchance.design.formula import INTERCEPT
from jobchance.design.instruments import Instruments
from jobchance.design.layout import Layout
from jobchance.errors import DesignError, FormulaError, IdentificationError, SpecError
from jobchance.models.panel_data import narrowed
from jobchance.numerics.demean import demean, redundant_effects, singletons
from jobchance.numerics.iv import VARIATION, Geometry, geometry
from jobchance.numerics.linalg import independent_columns
from jobchance.results.covariance import covariance
from jobchance.results.parts import Codes, Floats, Inference, Rows
from jobchance.results.vcov import Cluster, Vcov


@dataclass(frozen=True, eq=False)
class IvDesign:
    """A design with instruments on the rows used, before anything is removed from its columns.

    `endogenous` marks the columns of `design.matrix`; `keep` are the positions of the rows used among those
    of the design, `factors` the absorbed factors at these rows.
    """

    design: Design
    instruments: Instruments
    frame: pd.DataFrame
    keep: Codes
    endogenous: tuple[bool, ...]
    factors: Mapping[str, Codes]
    dropped: Mapping[str, int]
    n_singletons: int

    @property
    def used(self) -> Codes:
        """Positions of the rows in the data."""
        return self.design.used[self.keep]


@dataclass(frozen=True, eq=False)
class IvRows:
    """What the k-class estimators and their tests work on; absorbed factors are removed from all columns.

    `X` = exogenous and endogenous columns in the order of `names`; `W`, `D`, `Z` exogenous, endogenous and
    excluded columns, `space` their geometry; `extra_k` counts absorbed effects.
    """

    source: IvDesign
    y: Floats
    X: Floats
    names: tuple[str, ...]
    W: Floats
    exogenous: tuple[str, ...]
    D: Floats
    endogenous: tuple[str, ...]
    Z: Floats
    instruments: tuple[str, ...]
    space: Geometry
    extra_k: int
    layout: Layout
    dropped_terms: tuple[str, ...]
    vcov: Vcov

    def errors(self, scores: Floats, bread: Floats, k: int, model_cov: Floats) -> tuple[Floats, Inference]:
        """Covariance of the solution of estimating equations with k coefficients."""
        # Other kinds adjust for the leverage of one regression; the tests join several.
        vcov = Cluster(*self.vcov.columns) if isinstance(self.vcov, Cluster) else self.vcov
        return covariance(self.rows(scores, bread, k, model_cov), vcov)

    def rows(
        self,
        scores: Floats,
        bread: Floats,
        k: int,
        model_cov: Floats,
        *,
        fitted: Floats | None = None,
        fixed: Floats | None = None,
    ) -> Rows:
        """The rows behind one set of estimating equations."""
        source = self.source
        outcome = source.design.outcome[source.keep]
        return Rows(
            frame=source.frame,
            used=source.used,
            outcome=outcome,
            fitted=outcome if fitted is None else fitted,
            fitted_fixed=outcome if fixed is None else fixed,
            scores=scores,
            bread=bread,
            model_cov=model_cov,
            df_resid=float(len(outcome) - k - self.extra_k),
            k=k,
            absorbed=source.factors,
        )


def read_iv(formula: str, data: pd.DataFrame, *, absorb: Sequence[str], further: Sequence[str]) -> IvDesign:
    """Complete rows of a formula with instruments, without rows that are alone in an absorbed level.

    Raises
    ------
    SpecError
        `absorb` is one text instead of several names.
    FormulaError
        No bracket, random effects.
    DesignError
        No row is left.
    """
    if isinstance(absorb, str):
        raise SpecError(f'absorb takes several columns: absorb=("{absorb}",).')
    names = tuple(dict.fromkeys(absorb))
    required = tuple(dict.fromkeys([*names, *further]))
    design = build_design(formula, data, required=required, instruments=True)
    if design.random:
        raise FormulaError("fit_iv has no random effects, (... | group); use vcov=Cluster(...).")
    if design.instruments is None:
        raise FormulaError(
            "The formula has no instruments: write them in square brackets, y ~ x + [belief ~ optimism]."
        )
    rows = data.iloc[design.used]
    codes = {name: pd.factorize(rows[name])[0].astype(np.int64) for name in names}
    alone = singletons(list(codes.values())) if codes else np.zeros(len(rows), dtype=bool)
    keep = np.flatnonzero(~alone)
    dropped = dict(design.dropped)
    if alone.any():
        dropped[f"alone in a level of {' or '.join(names)}"] = int(alone.sum())
    if not len(keep):
        raise DesignError(f"Every row is alone in a level of {' or '.join(names)}: no variation is left.")
    if float(np.ptp(design.outcome[keep])) == 0:
        raise DesignError(
            f"The outcome {design.outcome_name} has the same value in all {len(keep)} rows used."
        )
    return IvDesign(
        design=design,
        instruments=design.instruments,
        frame=data,
        keep=keep,
        endogenous=tuple(term in design.instruments.endogenous for term in design.layout.terms),
        factors={name: pd.factorize(c[keep])[0].astype(np.int64) for name, c in codes.items()},
        dropped=dropped,
        n_singletons=int(alone.sum()),
    )


def prepare(source: IvDesign, vcov: Vcov) -> IvRows:
    """Remove absorbed factors, drop columns that nothing is left of, and check what the rows can carry.

    Raises
    ------
    IdentificationError
        `missing` holds `"exposure"` (no endogenous variable varies), `"instrument"` (fewer instruments that
        vary than endogenous variables), `"clusters"` (fewer than two) and `"rows"`, all at once.
    """
    design = source.design
    raw = np.column_stack([design.outcome, design.matrix, source.instruments.matrix])[source.keep]
    k = design.matrix.shape[1]
    codes = list(source.factors.values())
    clean = demean(raw, codes) if codes else raw
    alive = np.linalg.norm(clean, axis=0) > VARIATION * np.linalg.norm(raw, axis=0)
    endogenous = np.array(source.endogenous)
    exog = [j for j in range(k) if not endogenous[j] and alive[1 + j]]
    W, Z = clean[:, [1 + j for j in exog]], clean[:, 1 + k :]
    kept = independent_columns(W) if exog else np.empty(0, dtype=np.int64)
    exog, W = [exog[i] for i in kept], W[:, kept]
    space = geometry(W, Z)
    endog = [j for j in range(k) if endogenous[j]]
    D = clean[:, [1 + j for j in endog]]
    rest = space.without_exogenous(D)
    varies = np.linalg.norm(rest, axis=0) > VARIATION * np.linalg.norm(raw[:, [1 + j for j in endog]], axis=0)
    extra_k = sum(int(c.max()) + 1 for c in codes) - redundant_effects(codes)
    _check(source, vcov, len(endog), int(varies.sum()), len(space.kept), len(exog) + extra_k)
    chosen = sorted([*exog, *endog])
    reason = f"does not vary within {', '.join(source.factors)}" if codes else "earlier columns determine it"
    gone = [f"{design.columns[j]} ({reason})" for j in range(k) if j not in chosen]
    gone = [text for text in gone if not (codes and text.startswith(INTERCEPT))]
    lost = sorted(set(range(Z.shape[1])) - set(space.kept.tolist()))
    gone += [f"{source.instruments.columns[j]} (an instrument that adds nothing)" for j in lost]
    gone += [f"{name} (an instrument that adds nothing)" for name in source.instruments.collinear]
    gone += [f"{name} (earlier columns determine it)" for name in design.collinear]
    return IvRows(
        source=source,
        y=clean[:, 0],
        X=clean[:, [1 + j for j in chosen]],
        names=tuple(design.columns[j] for j in chosen),
        W=W,
        exogenous=tuple(design.columns[j] for j in exog),
        D=D,
        endogenous=tuple(design.columns[j] for j in endog),
        Z=Z[:, space.kept],
        instruments=tuple(source.instruments.columns[j] for j in space.kept),
        space=space,
        extra_k=extra_k,
        layout=narrowed(design.layout, [design.columns[j] for j in chosen]),
        dropped_terms=tuple(dict.fromkeys(gone)),
        vcov=vcov,
    )


def _check(source: IvDesign, vcov: Vcov, m: int, varying: int, n_instruments: int, n_exogenous: int) -> None:
    """Raise one error with everything that is missing."""
    terms = source.instruments.endogenous
    lost = len(terms - set(source.design.layout.terms))
    missing, problems = [], []
    removed = "once the exogenous terms and absorbed factors are removed"
    if constant := lost + m - varying:
        missing.append("exposure")
        problems.append(f"{constant} of {counted(len(terms), 'endogenous term')} does not vary {removed}")
    if n_instruments < max(m, 1):
        missing.append("instrument")
        problems.append(
            f"{counted(m, 'endogenous variable')} needs as many instruments, and "
            f"{n_instruments} of {len(source.instruments.columns)} vary {removed}"
        )
    if len(source.keep) <= n_exogenous + max(m, n_instruments):
        missing.append("rows")
        problems.append(f"{counted(len(source.keep), 'row')} cannot carry the first stage")
    few = [
        name
        for name in (vcov.columns if isinstance(vcov, Cluster) else ())
        if source.frame[name].iloc[source.used].nunique() < 2
    ]
    if few:
        missing.append("clusters")
        problems.append(f"fewer than 2 clusters of {', '.join(few)}")
    if problems:
        raise IdentificationError(
            "The instruments cannot carry the model: " + "; ".join(problems) + ".", tuple(missing)
        )
