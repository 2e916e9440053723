"""How often 5 % tests reject a true null, and find an effect of one standard deviation, with few clusters.

    .venv/bin/python benchmarks/sensitivity/few_clusters.py [replications]

writes `few_clusters.csv` beside this file. A replication is y = beta x + w / 2 + a_g + e with sd(e) = 1 and
sd(a_g) = 1/3 (an intraclass correlation of 0.1), 30 rows per cluster on average; w varies by row. `sizes`:
all equal, or proportional to exp(2 g / G). `exposed`: x is 1 in that many clusters, drawn anew each time, or
varies by row (`rows`, with a fifth of its variance between clusters). `errors`: `equal`, or `unequal`, where
a_g and e have twice the standard deviation in exposed clusters. Coverage of the 95 % interval is
1 - rejected, as every interval here holds the values that its test does not reject. `undefined`: share of
replications without a standard error, which count as not rejected.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.numerics.cluster_adjusted import adjusted_covariance
from jobchance.numerics.sandwich import cluster_covariance
from jobchance.numerics.wild_linear import Term, linear_draws
from jobchance.numerics.wild_weights import enumerable

SEED = 2008
REPLICATIONS = 2_000
ROWS = 30
LEVEL = 0.05
EFFECT = 1.0
SIGN_DRAWS = 1_024  # all of them up to ten clusters
WEBB_DRAWS = 999
CLUSTERS = {4: (1, 2), 5: (1, 2), 10: (1, 2, 3, 5)}


def cells() -> Iterator[tuple[int, str, str, str]]:
    """Clusters, sizes, what is exposed, errors."""
    for count, treated in CLUSTERS.items():
        for sizes in ("equal", "unequal"):
            yield count, sizes, "rows", "equal"
            for errors in ("equal", "unequal"):
                yield from ((count, sizes, str(many), errors) for many in treated)


def cluster_of_rows(count: int, sizes: str) -> np.ndarray:
    """Cluster of each row."""
    share = np.ones(count) if sizes == "equal" else np.exp(2 * np.arange(count) / count)
    rows = np.maximum(np.round(ROWS * count * share / share.sum()), 2).astype(int)
    return np.repeat(np.arange(count), rows)


def drawn(codes: np.ndarray, exposed: str, errors: str, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Design (x first) and outcome with a coefficient of zero."""
    count, n = int(codes.max()) + 1, len(codes)
    if exposed == "rows":
        x = np.sqrt(0.8) * rng.normal(size=n) + np.sqrt(0.2) * rng.normal(size=count)[codes]
        spread = np.ones(n)
    else:
        treated = np.zeros(count)
        treated[rng.choice(count, int(exposed), replace=False)] = 1.0
        x = treated[codes]
        spread = 1 + x if errors == "unequal" else np.ones(n)
    w = rng.normal(size=n)
    y = 0.5 * w + spread * (rng.normal(size=count)[codes] / 3 + rng.normal(size=n))
    return np.column_stack([x, w, np.ones(n)]), y


def p_values(
    X: np.ndarray, y: np.ndarray, codes: np.ndarray, seed: int, nulls: tuple[float, ...]
) -> dict[str, list[float]]:
    """P-values by method, one for each null."""
    bread = np.linalg.inv(X.T @ X)
    beta = bread @ X.T @ y
    residual = y - X @ beta
    count, (n, k) = int(codes.max()) + 1, X.shape
    plain = cluster_covariance(bread, X * residual[:, None], [codes], n=n, k=k)
    factor = plain.record.factors[0]
    se = np.sqrt(plain.cov[0, 0])
    out = {"CR1, normal": [], "CR1, t(G-1)": [], "CR2, Satterthwaite": [], "CR3, Satterthwaite": []}
    out |= {"jackknife, t(G-1)": [], "WCR Rademacher": [], "WCR Webb": [], "WCU Rademacher": []}
    adjusted = {kind: adjusted_covariance(X, residual, codes, kind=kind, m=1) for kind in ("CR2", "CR3")}
    asked = {"factors": [], "terms": [Term(codes, factor)], "outer": codes, "seed": seed}
    signs = linear_draws(X, residual, 0, weights="rademacher", draws=SIGN_DRAWS, **asked)
    webb = linear_draws(X, residual, 0, weights="webb", draws=WEBB_DRAWS, **asked)
    assert enumerable("rademacher", count, SIGN_DRAWS)
    for null in nulls:
        gap = beta[0] - null
        t = abs(gap) / se
        out["CR1, normal"].append(2 * stats.norm.sf(t))
        out["CR1, t(G-1)"].append(2 * stats.t.sf(t, count - 1))
        for kind, made in adjusted.items():
            out[f"{kind}, Satterthwaite"].append(
                2 * stats.t.sf(abs(gap) / np.sqrt(made.cov[0, 0]), made.df[0])
            )
        jackknife = np.sqrt((count - 1) / count * adjusted["CR3"].cov[0, 0])
        out["jackknife, t(G-1)"].append(2 * stats.t.sf(abs(gap) / jackknife, count - 1))
        out["WCR Rademacher"].append(np.mean(np.abs(signs.t(gap)) >= t * (1 - 1e-10)))
        out["WCR Webb"].append((1 + np.sum(np.abs(webb.t(gap)) >= t * (1 - 1e-10))) / (1 + WEBB_DRAWS))
        out["WCU Rademacher"].append(np.mean(np.abs(signs.t(0.0)) >= t * (1 - 1e-10)))
    return out


def study(replications: int) -> pd.DataFrame:
    """One row per cell and method."""
    records = []
    for number, (count, sizes, exposed, errors) in enumerate(cells()):
        codes = cluster_of_rows(count, sizes)
        found: dict[str, list[list[float]]] = {}
        for i, child in enumerate(np.random.SeedSequence([SEED, number]).spawn(replications)):
            X, y = drawn(codes, exposed, errors, np.random.default_rng(child))
            for method, pair in p_values(X, y, codes, i, (0.0, -EFFECT)).items():
                found.setdefault(method, []).append(pair)
        for method, pairs in found.items():
            p = np.array(pairs)
            rejected, power = np.mean(p <= LEVEL + 1e-12, axis=0)
            records.append(
                {
                    "clusters": count,
                    "sizes": sizes,
                    "exposed": exposed,
                    "errors": errors,
                    "method": method,
                    "replications": replications,
                    "rejected": rejected,
                    "coverage": 1 - rejected,
                    "mc_error": np.sqrt(max(rejected * (1 - rejected), 1 / replications) / replications),
                    "power": power,
                    "undefined": np.mean(np.isnan(p[:, 0])),
                }
            )
        print(count, sizes, exposed, errors, flush=True)
    return pd.DataFrame(records).round(4)


if __name__ == "__main__":
    warnings.simplefilter("ignore", RuntimeWarning)
    made = study(int(sys.argv[1]) if len(sys.argv) > 1 else REPLICATIONS)
    made.to_csv(Path(__file__).with_suffix(".csv"), index=False)
