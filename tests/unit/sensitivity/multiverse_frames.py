"""Hand-made frames of a multiverse, and stand-ins for the spec and the expansion behind them."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from jobchance.sensitivity.multiverse.result import Multiverse
from jobchance.sensitivity.multiverse.result_frame import build_frame

DEFAULTS = {
    "main": False, "outcome": "job", "horizon_weeks": 52, "at_risk": "not_in_job", "exposure": "belief",
    "covariates": "", "n_covariates": 0, "sample": "all", "waves": "all", "estimator": "pooled", "absorb": "",
    "random": "", "vcov": "cluster:caseworker_id", "missing": "complete", "status": "ok", "reason": "",
    "unit": "pp per sd of belief", "n_rows": 4000, "n_citizens": 2000, "n_events": 500, "n_caseworkers": 100,
    "n_jobcentres": 10, "n_clusters": 100, "converged": True, "is_singular": False, "sample_hash": "s0",
    "verdict": "", "note": "",
}  # fmt: skip


@dataclass(frozen=True)
class Key:
    key: str


@dataclass(frozen=True)
class StandIn:
    """What a multiverse asks of its spec."""

    specifications: tuple = ()
    level: float = 0.95
    name: str = "made by hand"
    title_en: str = "Made by hand"
    joint_cluster: str | None = None


def row(key, estimate, std_error=0.5, **values):
    t = estimate / std_error
    return (
        DEFAULTS
        | {"key": key, "estimate": estimate, "std_error": std_error, "statistic": t, "df": np.inf}
        | {"p_value": float(2 * _upper(abs(t)))}
        | {"conf_low": estimate - 1.96 * std_error, "conf_high": estimate + 1.96 * std_error}
        | values
    )


def failed(key, reason, **values):
    numbers = ("estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
    counts = ("n_rows", "n_citizens", "n_events", "n_caseworkers", "n_jobcentres", "n_clusters")
    return (
        DEFAULTS
        | dict.fromkeys(numbers, np.nan)
        | dict.fromkeys(counts)
        | {
            "key": key,
            "status": "failed",
            "reason": reason,
            "unit": "",
            "sample_hash": "",
            "converged": False,
        }
        | values
    )


def multiverse(rows, **meta):
    frame = build_frame(rows)
    stand_in = StandIn(tuple(Key(k) for k in frame["key"]))
    return Multiverse(frame=frame, spec=stand_in, expansion=stand_in, meta=meta)


def grid(sizes, value, **names):
    """Rows of a full design: `value(*places)` is the estimate; `sizes` options by dimension."""
    places = list(product(*(range(n) for n in sizes.values())))
    return [
        row(f"k{i:04d}", value(*place), **dict(zip(sizes, [f"o{p}" for p in place], strict=True)))
        for i, place in enumerate(places)
    ]


def _upper(z):
    from math import erfc, sqrt

    return 0.5 * erfc(z / sqrt(2))
