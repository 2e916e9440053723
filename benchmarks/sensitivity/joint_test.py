"""Size and power of the joint test over a specification curve where rows of a caseworker belong together.

Rows i of caseworker c: exposure x = r_x a_c + sqrt(1 - r_x^2) e_i and outcome
y = b x + r_y u_c + sqrt(1 - r_y^2) v_i, all standard normal and independent, so that exposure and outcome
both differ between caseworkers and x says nothing about y where b = 0. Sixteen specifications: all subsets of
three covariates, two of them correlated with x, with and without the last wave. Rejections at 5 per cent by:

- `sign_flip`: one sign per caseworker;
- `sign_flip_half`: the same with clusters of pairs of caseworkers (half as many);
- `permute_rows`: rows change places within jobcentre and period, as if rows were exchangeable.

Run `python benchmarks/sensitivity/joint_test.py` (some ten minutes on one core); it writes `joint_test.csv`
beside this file, with seed, sizes and Monte Carlo standard errors.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.multiverse.joint_test import joint_test
from jobchance.sensitivity.multiverse.read import MultiverseSpec
from jobchance.sensitivity.multiverse.result_frame import build_frame
from jobchance.sensitivity.multiverse.rows import choice_values
from jobchance.sensitivity.multiverse.workbench import Workbench

SEED = 20200
CLUSTERING = {"moderate": (0.5, 0.4), "strong": (0.55, 0.8)}  # r_x and r_y
CELLS = ["jobcentre_id", "period"]
SPEC = MultiverseSpec.from_dict(
    {
        "choices": {
            "exposure": "belief",
            "covariates": {"subsets": ["z1", "z2", "z3"]},
            "estimator": "pooled",
            "waves": ["all", "-2"],
        },
        "level": 0.95,
    }
)


def make_panel(
    rng: np.random.Generator, *, caseworkers: int, rows: int, slope: float, clustering: str
) -> AnalysisPanel:
    """A panel of `caseworkers` x `rows` measurements of as many citizens."""
    n = caseworkers * rows
    r_x, r_y = CLUSTERING[clustering]
    caseworker = np.repeat(np.arange(caseworkers), rows)
    own, other = (rng.normal(size=caseworkers)[caseworker] for _ in range(2))
    x = r_x * own + np.sqrt(1 - r_x**2) * rng.normal(size=n)
    y = slope * x + r_y * other + np.sqrt(1 - r_y**2) * rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "measurement_id": [f"m{i}" for i in range(n)],
            "citizen_id": [f"c{i}" for i in range(n)],
            "caseworker_id": [f"w{c}" for c in caseworker],
            "pair_id": [f"p{c // 2}" for c in caseworker],
            "jobcentre_id": [f"j{c % 4}" for c in caseworker],
            "period": [f"h{w}" for w in np.arange(n) % 2],
            "wave": 1 + np.arange(n) % 3,
            "belief": x,
            "outcome": y,
            "z1": 0.5 * x + rng.normal(size=n),
            "z2": 0.3 * own + rng.normal(size=n),
            "z3": rng.normal(size=n),
        }
    )
    meta = {"outcome": "job", "horizon_weeks": 52, "at_risk": "not_in_job"}
    return AnalysisPanel(frame, pd.DataFrame(), meta)


def p_values(panel: AnalysisPanel, method: str, *, draws: int, seed: int) -> list[float]:
    """p-values of the three statistics."""
    specs = SPEC.expand().specifications
    bench = Workbench.build(panel, specs, SimpleNamespace(scale="unit", level=0.95))
    rows = [
        {"main": False} | choice_values(spec) | row
        for spec, row in zip(specs, bench.evaluate(specs), strict=True)
    ]
    options = {
        "sign_flip": {"cluster": "caseworker_id"},
        "sign_flip_half": {"cluster": "pair_id"},
        "permute_rows": {"method": "permute", "within": CELLS},
    }[method]
    made = joint_test(build_frame(rows), specs, bench, draws=draws, seed=seed, **options)
    return made.frame["p_value"].tolist()


def study(
    method: str, *, slope: float, replications: int, draws: int, clustering: str = "moderate", **sizes: int
) -> dict[str, object]:
    """Shares of rejections over replications."""
    start = time.time()
    found = np.array(
        [
            p_values(
                make_panel(np.random.default_rng([SEED, r]), slope=slope, clustering=clustering, **sizes),
                method,
                draws=draws,
                seed=r,
            )
            for r in range(replications)
        ]
    )
    names = ("median_estimate", "share_significant", "average_z")
    shares = {
        f"rejects_{name}": share for name, share in zip(names, (found <= 0.05).mean(axis=0), strict=True)
    }
    tenths = {
        f"below_0.5_{name}": share for name, share in zip(names, (found <= 0.5).mean(axis=0), strict=True)
    }
    return {
        "method": method,
        "clustering": clustering,
        "slope": slope,
        "caseworkers": sizes["caseworkers"],
        "rows_per_caseworker": sizes["rows"],
        "replications": replications,
        "draws": draws,
        "seed": SEED,
        **{name: round(float(value), 4) for name, value in (shares | tenths).items()},
        "monte_carlo_se_at_5pct": round(float(np.sqrt(0.05 * 0.95 / replications)), 4),
        "seconds": round(time.time() - start, 1),
    }


def main(target: Path) -> None:
    """The whole study."""
    signs = {"replications": 1000, "draws": 199, "rows": 20}
    power = signs | {"replications": 300}
    rows = {"replications": 100, "draws": 39, "rows": 20}
    strong = {"clustering": "strong"}
    cases = [
        ("sign_flip", 0.0, 40, signs),
        ("sign_flip", 0.0, 10, signs),
        ("sign_flip", 0.0, 6, signs),
        ("sign_flip_half", 0.0, 40, signs),
        ("permute_rows", 0.0, 40, rows),
        ("sign_flip", 0.0, 40, signs | strong),
        ("sign_flip", 0.0, 10, signs | strong),
        ("permute_rows", 0.0, 40, rows | strong | {"replications": 40}),
        ("sign_flip", 0.1, 40, power),
        ("sign_flip", 0.2, 40, power),
    ]
    lines = []
    for method, slope, caseworkers, sizes in cases:
        lines.append(study(method, slope=slope, caseworkers=caseworkers, **sizes))
        print(lines[-1], flush=True)
        pd.DataFrame(lines).to_csv(target, index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".csv"))
