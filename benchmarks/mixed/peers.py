"""One engine in Python, in a fresh process: python peers.py ENGINE MODEL FOLDER OUT THREADS WARM_BELOW.

Appends one JSON line to OUT per stage: "loaded", "first" call, "warm" call (same process, if the first took
less than WARM_BELOW seconds). The project's own engine is called like the others. Settings: README.md.
"""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from generate import GROUPS, read_panel

OUTCOMES = {"linear": "hours", "logit": "job", "ordinal": "belief"}
FIXED = "age + female + wave + meetings"
RANDOM = " + ".join(f"(1 | {group})" for group in GROUPS)
Numbers = dict[str, float | bool]


def fit_jobchance(data: pd.DataFrame, model: str) -> Numbers:
    import jobchance as jc

    family = {"linear": "gaussian", "logit": "binomial", "ordinal": "ordinal"}[model]
    fit = jc.fit_mixed(f"{OUTCOMES[model]} ~ {FIXED} + {RANDOM}", data, family=family)
    errors, parts = fit.std_errors, fit.variance_components
    sd = parts.set_index("group")["sd"]
    return collect(fit.loglik, sd.to_dict(), fit.params["age"], errors["age"], fit.converged)


def fit_glmm(data: pd.DataFrame, model: str) -> Numbers:
    import glmm

    family = {"linear": "gaussian", "logit": "binomial"}[model]
    formula = f"{OUTCOMES[model]} ~ {FIXED} + {RANDOM}"
    fit = glmm.fit(data, formula, family, satterthwaite=False, anova_test="Wald")
    groups = [group for group, _ in fit.re_groups]
    sd = {group: math.sqrt(part[0]) for group, part in zip(groups, fit.varcorr, strict=True)}
    age = list(fit.names).index("age")
    return collect(fit.loglik, sd, fit.beta[age], fit.se[age], fit.converged)


def fit_mixedlm(data: pd.DataFrame, model: str) -> Numbers:
    import mixedlm

    formula = f"{OUTCOMES[model]} ~ {FIXED} + {RANDOM}"
    if model == "linear":
        fit = mixedlm.lmer(formula, data)
    else:
        fit = mixedlm.glmer(formula, data, family=mixedlm.families.Binomial())
    beta, variances = fit.fixef(), fit.vcov().diagonal()
    sd = {group: part.stddev["(Intercept)"] for group, part in fit.VarCorr().groups.items()}
    age = list(beta).index("age")
    return collect(fit.logLik().value, sd, beta["age"], math.sqrt(variances[age]), fit.converged)


def fit_statsmodels(data: pd.DataFrame, model: str) -> Numbers:
    import numpy as np
    import statsmodels.formula.api as smf

    parts = {group: f"0 + C({group})" for group in GROUPS}
    description = smf.mixedlm(
        f"{OUTCOMES[model]} ~ {FIXED}",
        data,
        groups=np.ones(len(data)),
        re_formula="0",
        vc_formula=parts,
        use_sparse=True,
    )
    fit = description.fit(reml=True, method=["lbfgs"])
    sd = dict(zip(description.exog_vc.names, np.sqrt(fit.vcomp), strict=True))
    return collect(fit.llf, sd, fit.fe_params["age"], fit.bse_fe["age"], fit.converged)


def fit_interlace(data: pd.DataFrame, model: str) -> Numbers:
    import interlace

    fit = interlace.clmm(f"{OUTCOMES[model]} ~ {FIXED}", data, groups=list(GROUPS))
    sd = {group: math.sqrt(value) for group, value in fit.variance_components.items()}
    return collect(fit.llf, sd, fit.fe_params["age"], fit.fe_bse["age"], fit.converged)


ENGINES: dict[str, tuple[str, Callable[[pd.DataFrame, str], Numbers]]] = {
    "jobchance": ("jobchance", fit_jobchance),
    "glmm": ("glmm", fit_glmm),
    "mixedlm": ("mixedlm", fit_mixedlm),
    "statsmodels": ("statsmodels", fit_statsmodels),
    "interlace": ("interlace-lme", fit_interlace),
}


def collect(loglik: float, sd: dict[str, float], beta_age: float, se_age: float, converged: bool) -> Numbers:
    """The numbers every engine reports, as plain values."""
    groups = {f"sd_{group}": float(sd[group]) for group in GROUPS}
    ages = {"beta_age": float(beta_age), "se_age": float(se_age)}
    return {"loglik": float(loglik), **groups, **ages, "converged": bool(converged)}


def memory_mb(what: str) -> float:
    """Memory of this process by its name in the kernel's table (`VmRSS` now, `VmHWM` at most)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


def main() -> None:
    warnings.simplefilter("ignore")
    engine, model, folder, out, _threads, warm_below = sys.argv[1:7]
    package, fit = ENGINES[engine]
    data = pd.DataFrame(read_panel(Path(folder)), copy=False)

    def report(**content: object) -> None:
        with Path(out).open("a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")

    def call_once(stage: str) -> float:
        start = time.perf_counter()
        numbers = fit(data, model)
        seconds = time.perf_counter() - start
        report(stage=stage, seconds=seconds, peak_mb=memory_mb("VmHWM"), **numbers)
        return seconds

    import_module("statsmodels.formula.api" if engine == "statsmodels" else engine)
    report(stage="loaded", base_mb=memory_mb("VmRSS"), n_rows=len(data), version=version(package))
    if call_once("first") < float(warm_below):
        call_once("warm")


if __name__ == "__main__":
    main()
