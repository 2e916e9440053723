"""Small panels made by hand, and multiverses run on them."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd

from jobchance.panel.model import AnalysisPanel
from jobchance.sensitivity.multiverse.result import Multiverse
from jobchance.sensitivity.multiverse.result_frame import build_frame
from jobchance.sensitivity.multiverse.rows import choice_values
from jobchance.sensitivity.multiverse.specification import Specification
from jobchance.sensitivity.multiverse.workbench import Workbench

META = {"outcome": "job", "horizon_weeks": 52, "at_risk": "not_in_job"}


def make_panel(seed=0, *, caseworkers=12, citizens=8, slope=0.0, binary=False):
    """Two waves of each citizen with one caseworker; exposure and outcome differ between caseworkers."""
    rng = np.random.default_rng(seed)
    n = caseworkers * citizens * 2
    caseworker = np.repeat(np.arange(caseworkers), citizens * 2)
    citizen = np.repeat(np.arange(caseworkers * citizens), 2)
    own, other = (rng.normal(size=caseworkers)[caseworker] for _ in range(2))
    x = 0.6 * own + 0.8 * rng.normal(size=n)
    y = slope * x + 0.5 * other + rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "measurement_id": [f"m{i}" for i in range(n)],
            "citizen_id": [f"c{c}" for c in citizen],
            "caseworker_id": [f"w{c}" for c in caseworker],
            "jobcentre_id": [f"j{c % 3}" for c in caseworker],
            "period": [f"h{i % 2}" for i in range(n)],
            "wave": 1 + np.arange(n) % 2,
            "belief": x,
            "optimism": own,
            "outcome": (y > 0.5).astype(float) if binary else y,
            "z1": 0.5 * x + rng.normal(size=n),
            "z2": rng.normal(size=n),
            "age": rng.permutation(caseworkers * citizens)[citizen].astype(float),
        }
    )
    return AnalysisPanel(frame, pd.DataFrame(), META)


def spec(**choices):
    return Specification("job", 52, "not_in_job", **({"exposure": "belief"} | choices))


@dataclass(frozen=True)
class Asked:
    """What a multiverse asks of spec and expansion."""

    specifications: tuple
    level: float = 0.95
    name: str = "made by hand"
    title_en: str = ""
    joint_cluster: str = ""


def run(panel, specs, *, main=0, scale="unit"):
    """The multiverse of these specifications, with its rows."""
    bench = Workbench.build(panel, specs, SimpleNamespace(scale=scale, level=0.95))
    rows = [
        {"main": place == main} | choice_values(one) | row
        for place, (one, row) in enumerate(zip(specs, bench.evaluate(specs), strict=True))
    ]
    asked = Asked(tuple(specs))
    return Multiverse(build_frame(rows), asked, asked, workbench=bench)
