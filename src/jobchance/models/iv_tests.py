"""First stage, reduced form and tests of an instrumental-variables model, with the model's own errors.

Letters as in `numerics.iv`: Q orthonormal instruments given the controls, L of them; m endogenous variables.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.models.iv_rows import IvRows
from jobchance.numerics.iv import KClass
from jobchance.numerics.iv_weak import anderson_rubin_set, effective_f, rank_wald
from jobchance.results.parts import Floats, Inference

SHOWN = 20
LEVEL = 0.95
_TINY = 1e-10


@dataclass(frozen=True, eq=False)
class IvTests:
    """Numbers, tables and sentences of all tests."""

    statistics: dict[str, float]
    tables: dict[str, pd.DataFrame]
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Moments:
    """Coefficients of y and D on Q, (L, 1 + m), their joint covariance, and degrees of freedom."""

    values: Floats
    V: Floats
    df: float

    @property
    def n_instruments(self) -> int:
        """L."""
        return len(self.values)

    @property
    def joint(self) -> bool:
        """Whether V of one column can be inverted: there are more clusters than instruments."""
        return self.df >= self.n_instruments

    def part(self, j: int) -> tuple[Floats, Floats]:
        """Coefficients of column j and their covariance."""
        L = self.n_instruments
        return self.values[:, j], self.V[j * L : (j + 1) * L, j * L : (j + 1) * L]

    def p_value(self, f: float, df: int) -> float:
        """Of an F statistic."""
        return float(stats.f.sf(f, df, self.df)) if np.isfinite(self.df) else float(stats.chi2.sf(f * df, df))


def run_tests(rows: IvRows, solution: KClass) -> IvTests:
    """Everything that is said beside the estimates."""
    moments = _moments(rows)
    statistics = _strength(rows, moments)
    statistics |= _overidentification(rows, solution)
    statistics |= _endogeneity(rows)
    robust, table, remarks = _anderson_rubin(rows, moments)
    tables = {"first_stage": _first_stage(rows), "reduced_form": _reduced_form(rows)} | table
    return IvTests(statistics | robust, tables, (*_said_of_strength(rows, moments, statistics), *remarks))


def _moments(rows: IvRows) -> _Moments:
    """Regression of y and all D on Q, as one system, so that covariances between equations are there."""
    Q = rows.space.excluded
    Y = rows.space.without_exogenous(np.column_stack([rows.y, rows.D]))
    values = Q.T @ Y
    residual = Y - Q @ values
    L, k = Q.shape[1], rows.W.shape[1] + Q.shape[1]
    df = max(len(Q) - k - rows.extra_k, 1)
    scores = (residual[:, :, None] * Q[:, None, :]).reshape(len(Q), -1)
    model = np.kron(residual.T @ residual / df, np.eye(L))
    V, inference = rows.errors(scores, np.eye(scores.shape[1]), k, model)
    return _Moments(values, V, _df(inference))


def _strength(rows: IvRows, moments: _Moments) -> dict[str, float]:
    """How strongly the instruments move each endogenous variable, and all of them together."""
    out: dict[str, float] = {}
    m, L = len(rows.endogenous), moments.n_instruments
    total = rows.space.without_exogenous(rows.D)
    for j, name in enumerate(rows.endogenous):
        label = "" if m == 1 else f"({name})"
        first, V = moments.part(1 + j)
        if moments.joint:
            f = _wald(first, V) / L
            out[f"first_stage_f{label}"] = f
            out[f"first_stage_f_p{label}"] = moments.p_value(f, L)
        out[f"first_stage_partial_r2{label}"] = float(first @ first) / float(total[:, j] @ total[:, j])
        if m == 1:
            out["effective_f"], out["effective_f_critical"] = effective_f(first, V)
    if L * m <= moments.df:
        V = moments.V[L:, L:]
        out["kleibergen_paap_f"] = rank_wald(moments.values[:, 1:], V, total.T @ total) / L
    return out


def _overidentification(rows: IvRows, solution: KClass) -> dict[str, float]:
    """Sargan's test, and Hansen's J with the model's own errors."""
    Q, e = rows.space.excluded, solution.residual
    L, m = Q.shape[1], len(rows.endogenous)
    if m == L:
        return {}
    g = Q.T @ e
    sargan = len(e) * float(g @ g) / float(e @ e)
    out = {
        "sargan": sargan,
        "sargan_p": float(stats.chi2.sf(sargan, L - m)),
        "overidentifying_restrictions": float(L - m),
    }
    if rows.vcov == "model":
        return out
    k = rows.X.shape[1]
    S, inference = rows.errors(Q * e[:, None], np.eye(L), k, np.eye(L))
    if _df(inference) < L:
        return out
    Y = rows.space.without_exogenous(np.column_stack([rows.y, rows.D]))
    moments = Q.T @ Y
    weighted = np.linalg.solve(S, moments[:, 1:])
    best = np.linalg.solve(moments[:, 1:].T @ weighted, weighted.T @ moments[:, 0])
    rest = moments[:, 0] - moments[:, 1:] @ best
    j = float(rest @ np.linalg.solve(S, rest))
    return out | {"hansen_j": j, "hansen_j_p": float(stats.chi2.sf(j, L - m))}


def _endogeneity(rows: IvRows) -> dict[str, float]:
    """Wu and Hausman's test: the first-stage residuals added to the regression; none where they are zero."""
    V_hat = rows.space.without_all(rows.D)
    size = np.linalg.norm(rows.D, axis=0)
    if np.any(np.linalg.norm(V_hat, axis=0) <= _TINY * size):
        return {}
    m = rows.D.shape[1]
    both = rows.space.without_exogenous(np.column_stack([rows.D, V_hat]))
    scale = np.linalg.norm(both, axis=0)
    F = both / scale
    if np.linalg.cond(F) > 1 / _TINY:
        return {}
    y = rows.space.without_exogenous(rows.y[:, None])[:, 0]
    bread = np.linalg.inv(F.T @ F)
    beta = bread @ (F.T @ y)
    residual = y - F @ beta
    k = rows.W.shape[1] + 2 * m
    df = len(y) - k - rows.extra_k
    if df <= 0:
        return {}
    model = float(residual @ residual) / df * bread
    cov, inference = rows.errors(F * residual[:, None], bread, k, model)
    if _df(inference) < m:
        return {}
    f = _wald(beta[m:], cov[m:, m:]) / m
    return {"wu_hausman_f": f, "wu_hausman_p": float(stats.f.sf(f, m, _df(inference)))}


def _anderson_rubin(
    rows: IvRows, moments: _Moments
) -> tuple[dict[str, float], dict[str, pd.DataFrame], tuple[str, ...]]:
    """The test that all endogenous coefficients are zero and, for one, the set of values not rejected."""
    if not moments.joint:
        return {}, {}, ()
    L, m = moments.n_instruments, len(rows.endogenous)
    f = _wald(*moments.part(0)) / L
    out = {"anderson_rubin_f": f, "anderson_rubin_p": moments.p_value(f, L)}
    if m > 1:
        return out, {}, ("The Anderson-Rubin test is of all endogenous coefficients together being zero.",)
    critical = L * float(stats.f.ppf(LEVEL, L, moments.df))
    parts = anderson_rubin_set(moments.values[:, 0], moments.values[:, 1], moments.V, critical)
    table = pd.DataFrame(
        [(i + 1, low, high) for i, (low, high) in enumerate(parts)], columns=["part", "conf_low", "conf_high"]
    ).astype({"part": "int64", "conf_low": "float64", "conf_high": "float64"})
    return out, {"anderson_rubin_set": table}, (_said_of_set(rows.endogenous[0], parts),)


def _first_stage(rows: IvRows) -> pd.DataFrame:
    """Every endogenous variable on the exogenous terms and the instruments."""
    parts = [_regression(rows, rows.D[:, j], name) for j, name in enumerate(rows.endogenous)]
    return pd.concat(parts, ignore_index=True).rename(columns={"outcome": "endogenous"})


def _reduced_form(rows: IvRows) -> pd.DataFrame:
    """The outcome on the exogenous terms and the instruments."""
    return _regression(rows, rows.y, rows.source.design.outcome_name)


def _regression(rows: IvRows, y: Floats, name: str) -> pd.DataFrame:
    """Least squares on [W, Z]; many instruments are left out, since they name the levels of a group."""
    F = np.column_stack([rows.W, rows.Z])
    size = np.linalg.norm(F, axis=0)
    Q, R = np.linalg.qr(F / size)
    inverse = np.linalg.inv(R)
    bread = inverse @ inverse.T / np.outer(size, size)
    beta = inverse @ (Q.T @ y) / size
    residual = y - F @ beta
    n, k = F.shape
    df = max(n - k - rows.extra_k, 1)
    model = float(residual @ residual) / df * bread
    cov, inference = rows.errors(F * residual[:, None], bread, k, model)
    se = np.sqrt(np.maximum(np.diag(cov), 0.0))
    reach = stats.t.ppf((1 + LEVEL) / 2, _df(inference)) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        t = beta / se
    frame = pd.DataFrame(
        {
            "outcome": name,
            "term": [*rows.exogenous, *rows.instruments],
            "role": ["exogenous"] * len(rows.exogenous) + ["instrument"] * len(rows.instruments),
            "estimate": beta,
            "std_error": se,
            "statistic": t,
            "df": _df(inference),
            "p_value": 2 * stats.t.sf(np.abs(t), _df(inference)),
            "conf_low": beta - reach,
            "conf_high": beta + reach,
        }
    )
    if len(rows.instruments) <= SHOWN:
        return frame
    return frame[frame["role"] == "exogenous"].reset_index(drop=True)


def _said_of_strength(rows: IvRows, moments: _Moments, statistics: dict[str, float]) -> tuple[str, ...]:
    """Sentences on weak and on many instruments."""
    said = []
    L = moments.n_instruments
    f, critical = statistics.get("effective_f"), statistics.get("effective_f_critical")
    if f is not None and critical is not None and f < critical:
        said.append(
            f"Weak instruments: effective first-stage F {f:.1f}, below {critical:.1f}. The "
            "estimate may be biased towards that of least squares by more than a tenth of the worst case. "
            "The Anderson-Rubin set is valid all the same."
        )
    if not moments.joint:
        said.append(
            f"{L} instruments and {moments.df + 1:.0f} clusters: joint tests of the instruments "
            "(first-stage F, Hansen, Anderson-Rubin) are not defined. Use a leave-one-out mean as one "
            "instrument, or ujive."
        )
    if L > SHOWN:
        said.append(
            f"The {L} instruments are not listed in the first stage and the reduced form. With many "
            "instruments two-stage least squares is biased towards least squares; method='ujive' is not."
        )
    return tuple(said)


def _said_of_set(name: str, parts: list[tuple[float, float]]) -> str:
    """The Anderson-Rubin set in words."""
    head = f"Anderson-Rubin {LEVEL:.0%} confidence set for {name}, valid however weak the instruments: "
    if not parts:
        return head + (
            "empty. No value agrees with all instruments: some of them are not valid, or the effect differs "
            "between them."
        )
    if parts == [(-np.inf, np.inf)]:
        return head + "the whole line. The data say nothing about the coefficient."
    text = " and ".join(f"{low:.4g} to {high:.4g}" for low, high in parts)
    if np.isinf(parts[0][0]) and np.isinf(parts[-1][1]):
        return head + text + ". The set is unbounded: the instruments are too weak to bound the coefficient."
    return head + text + "."


def _wald(beta: Floats, V: Floats) -> float:
    """beta'V^{-1}beta."""
    return float(beta @ np.linalg.solve(V, beta))


def _df(inference: Inference) -> float:
    """Degrees of freedom, the same for all coefficients here."""
    assert isinstance(inference.df, float | int), "one number for all coefficients"
    return float(inference.df)
