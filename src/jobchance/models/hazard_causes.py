"""Hazards of several exits on the same rows: a binary model per exit, or one multinomial logit.

Letters: X (n, p), K exits, h_k the hazard of exit k, s_k its score by row, B_k its inverse information.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from scipy import linalg

from jobchance.design.build import Design, build_design
from jobchance.design.columns import Codes, Mask, counted
from jobchance.errors import DesignError, EstimationError
from jobchance.models.glm import choose_vcov
from jobchance.models.hazard_rows import SpellRows
from jobchance.numerics.hazard_multinomial import multinomial_logit
from jobchance.numerics.irls import GlmSolution, fisher_scoring
from jobchance.numerics.links import get_link
from jobchance.numerics.separation import find_separation, name_terms
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats, Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.vcov import Vcov, vcov_columns

EDGE = 1e-6


@dataclass(frozen=True, eq=False)
class _Solved:
    """All exits together: coefficients exit after exit."""

    beta: Floats
    hazard: Floats
    scores: Floats
    bread: Floats
    model_cov: Floats
    loglik: float | None
    criterion: float
    k: int


def fit_causes(text: str, spells: SpellRows, *, link: str, multinomial: bool, vcov: Vcov | None) -> Fit:
    """Fit all exits; terms are `cause: term`, the coding is in `spec["hazard"]["layout"]`.

    Raises
    ------
    DesignError
        More coefficients than rows.
    EstimationError
        Separation in some exit, or no convergence.
    """
    errors, remarks = choose_vcov(vcov, spells.frame)
    design = build_design(text, spells.frame, required=vcov_columns(errors))
    exits, K = design.outcome.astype(np.int64), len(spells.causes)
    n, p = design.matrix.shape
    if n <= K * p:
        raise DesignError(f"{counted(n, 'complete row')} cannot carry {counted(K * p, 'coefficient')}.")
    solved = _multinomial(design, exits, spells) if multinomial else _separate(design, exits, spells, link)
    rows = Rows(
        frame=spells.frame,
        used=design.used,
        outcome=(exits > 0).astype(np.float64),
        fitted=solved.hazard.sum(axis=1),
        fitted_fixed=solved.hazard.sum(axis=1),
        scores=solved.scores,
        bread=solved.bread,
        model_cov=solved.model_cov,
        model_label="from the model (information)",
        df_resid=np.inf,
        k=solved.k,
        uses_t=False,
    )
    cov, inference = covariance(rows, errors)
    return Fit(
        model="discrete-time hazard",
        outcome=design.outcome_name,
        terms=[f"{cause}: {name}" for cause in spells.causes for name in design.columns],
        estimates=solved.beta,
        covariance=cov,
        inference=inference,
        sample=Sample(
            nobs=n,
            dropped=design.dropped,
            dropped_terms=tuple(f"{name} (earlier columns determine it)" for name in design.collinear),
        ),
        spec={
            "formula": text,
            "link": link,
            "hazard": {"layout": design.layout.to_dict()},
        },
        loglik=solved.loglik,
        criterion=solved.criterion,
        statistics={f"events_{cause}": float(np.sum(exits == k + 1)) for k, cause in enumerate(spells.causes)}
        | {"deviance": solved.criterion},
        conventions=_conventions(multinomial=multinomial),
        remarks=(*remarks, *_remarks(solved.hazard)),
        provenance=provenance(text),
        rows=rows,
    )


def _separate(design: Design, exits: Codes, spells: SpellRows, link: str) -> _Solved:
    """One binary model per exit, with the covariance between them that the rows they share imply."""
    X, made = design.matrix, list[GlmSolution]()
    for k, cause in enumerate(spells.causes):
        y = (exits == k + 1).astype(np.float64)
        solution = fisher_scoring(X, y, family="binomial", link=get_link(link))
        if not solution.converged or np.minimum(solution.mu, 1 - solution.mu).min() < EDGE:
            _check(design, y, cause, converged=solution.converged)
        made.append(solution)
    hazard = np.column_stack([solution.mu for solution in made])
    slope = np.column_stack([get_link(link).derivative(X @ solution.beta) for solution in made])
    steep = slope / np.maximum(hazard * (1 - hazard), 1e-300)
    K, p = len(made), X.shape[1]
    model = np.empty((K * p, K * p))
    for i in range(K):
        for j in range(K):
            # an exit by one cause is no exit by the other: E[(y_i - h_i)(y_j - h_j)] = -h_i h_j
            weight = -hazard[:, i] * hazard[:, j] * steep[:, i] * steep[:, j]
            block = made[i].expected @ (X.T @ (X * weight[:, None])) @ made[j].expected
            model[i * p : (i + 1) * p, j * p : (j + 1) * p] = made[i].expected if i == j else block
    return _Solved(
        beta=np.concatenate([solution.beta for solution in made]),
        hazard=hazard,
        scores=np.hstack([solution.scores for solution in made]),
        bread=np.asarray(linalg.block_diag(*[solution.bread for solution in made])),
        model_cov=model,
        loglik=None,
        criterion=sum(solution.deviance for solution in made),
        k=p,
    )


def _multinomial(design: Design, exits: Codes, spells: SpellRows) -> _Solved:
    """One multinomial logit of all exits against none."""
    X, K = design.matrix, len(spells.causes)
    solution = multinomial_logit(X, exits, n_causes=K)
    if not solution.converged or solution.shares.min() < EDGE:
        for k, cause in enumerate(spells.causes):
            mine = (exits == 0) | (exits == k + 1)
            _check(design, (exits[mine] == k + 1).astype(np.float64), cause, rows=mine)
        if not solution.converged:
            _not_converged("the multinomial logit")
    return _Solved(
        beta=solution.beta.ravel(),
        hazard=solution.shares,
        scores=solution.scores,
        bread=solution.bread,
        model_cov=solution.bread,
        loglik=solution.loglik,
        criterion=-2 * solution.loglik,
        k=solution.beta.size,
    )


def _check(
    design: Design,
    y: Floats,
    cause: str,
    *,
    converged: bool = True,
    rows: Mask | None = None,
) -> None:
    """Raise where the exit has no finite estimate."""
    X = design.matrix if rows is None else design.matrix[rows]
    found = find_separation(X, y, family="binomial")
    if found is not None:
        names = name_terms(design.columns, found.columns)
        raise EstimationError(
            f"No finite estimate exists for the exit {cause} (separation): {names} predicts it without "
            f"error in {found.n_rows} of {len(y)} rows. Leave the term out, merge rare levels, or choose "
            "a smoother baseline."
        )
    if not converged:
        _not_converged(f"the exit {cause}")


def _not_converged(what: str) -> NoReturn:
    raise EstimationError(
        f"The iterations for {what} did not converge. Look for a covariate with very large values (rescale "
        "it) or for rare levels (merge them)."
    )


def _conventions(*, multinomial: bool) -> dict[str, str]:
    """Choices that other software makes differently."""
    return {
        "several exits": "one multinomial logit against no exit"
        if multinomial
        else "a binary model per exit; a row with another exit counts as a row without this one",
        "small-sample factor": "clustered G/(G-1) * (n-1)/(n-k), k the coefficients of "
        + ("all exits" if multinomial else "one exit, as in separate fits"),
        "reference distribution": "normal",
    }


def _remarks(hazard: Floats) -> list[str]:
    """What a reader must know of the fitted hazards."""
    above = int(np.sum(hazard.sum(axis=1) > 1))
    if not above:
        return []
    return [
        f"The hazards of all exits sum to more than 1 in {above} of {len(hazard)} rows, as they may in "
        "separate models; competing='multinomial' cannot."
    ]
