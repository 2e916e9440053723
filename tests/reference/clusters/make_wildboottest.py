"""Numbers of wildboottest for test_few_clusters_wild.py, in an environment of its own: run in this folder.

pip install wildboottest && python make_wildboottest.py
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from wildboottest.wildboottest import WildboottestCL

MODELS = {"unbalanced": ("y ~ x + z", ["x", "z"]), "waves": ("y ~ x + d + C(wave)", ["x", "d"])}


def bootstrap(formula, data, term, *, weights, draws, restricted):
    model = smf.ols(formula, data)
    R = np.array([float(name == term) for name in model.data.xnames])
    boot = WildboottestCL(
        X=model.exog, Y=model.endog, cluster=data["g"], R=R, B=draws, seed=1, parallel=False
    )
    boot.get_scores(bootstrap_type="11", impose_null=restricted, adj=True, cluster_adj=True)
    boot.get_weights(weights_type=weights)
    boot.get_numer()
    boot.get_denom()
    boot.get_tboot()
    boot.get_vcov()
    boot.get_tstat()
    boot.get_pvalue(pval_type="two-tailed")
    t_boot = np.sort(np.abs(np.ravel(boot.t_boot)))
    t = float(np.ravel(boot.t_stat)[0])
    return {
        "t": t,
        "p": float(boot.pvalue),
        "draws": len(t_boot),
        "at_least": int(np.sum(t_boot >= abs(t) - 1e-9)),
        "t_boot_quantiles": np.quantile(t_boot, [0.5, 0.9, 0.95], method="higher").tolist(),
    }


if __name__ == "__main__":
    data = pd.read_csv("clusters_data.csv")
    cases = []
    for name, (formula, terms) in MODELS.items():
        for term in terms:
            for weights, draws in (("rademacher", 9_999), ("webb", 99_999)):
                for restricted in (True, False):
                    made = bootstrap(formula, data, term, weights=weights, draws=draws, restricted=restricted)
                    asked = {"model": name, "formula": formula, "term": term}
                    cases.append(asked | {"weights": weights, "restricted": restricted} | made)
    stored = {"software": f"wildboottest {version('wildboottest')}", "cases": cases}
    Path("wildboottest_numbers.json").write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
