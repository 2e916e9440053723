"""Dynamic panels against plm::pgmm, quantity by quantity (make_dynamic.R), and the published desk case."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import REFERENCE, Case

from jobchance.models.dynamic_panel import fit_dynamic_panel

STORED = json.loads((Path(__file__).parent / "dynamic" / "dynamic_pgmm.json").read_text(encoding="utf-8"))
BASES = sorted({name.rsplit("_", 1)[0] for name in STORED})

FIRM = {"entity": "firm", "time": "year"}
BB = "log(emp) ~ lag(log(wage), 0:1) + lag(log(capital), 0:1)"
BB_KINDS = {"endogenous": ("log(wage)", "log(capital)")}
PRE = "log(emp) ~ log(wage) + log(capital)"
PRE_KINDS = {"predetermined": ("log(wage)",), "endogenous": ("log(capital)",)}
SHORT = {"endogenous": ("log(wage)",), "instrument_lags": {"log(emp)": (2, 3), "log(wage)": (2, 4)}}
SYSTEM = {"transformation": "system"}
SPECS = {
    "system": (BB, "empluk", FIRM | SYSTEM | BB_KINDS),
    # plm has no intercept in a system without effects of periods
    "system_individual": (f"{BB} + 0", "empluk", FIRM | SYSTEM | BB_KINDS | {"time_effects": False}),
    "system_collapsed": (BB, "empluk", FIRM | SYSTEM | BB_KINDS | {"collapse": True}),
    "system_exogenous": (PRE, "empluk", FIRM | SYSTEM | SHORT),
    "system_gaps": (BB, "gaps", FIRM | SYSTEM | BB_KINDS | {"collapse": True}),
    "difference": (
        "log(emp) ~ lag(log(wage), 0:1) + lag(log(capital), 0:2) + lag(log(output), 0:2)",
        "empluk",
        FIRM | {"lags": 2},
    ),
    "difference_predetermined": (PRE, "empluk", FIRM | PRE_KINDS),
    "difference_individual": (PRE, "empluk", FIRM | PRE_KINDS | {"time_effects": False}),
    "difference_collapsed": (PRE, "empluk", FIRM | PRE_KINDS | {"collapse": True}),
    "difference_limited": (PRE, "empluk", FIRM | SHORT),
    "difference_gaps": (PRE, "gaps", FIRM | SHORT),
    "difference_holes": (PRE, "holes", FIRM | SHORT),
    "difference_balanced": (PRE, "balanced", FIRM | PRE_KINDS),
    "difference_later_lags": (PRE, "empluk", FIRM | {"instrument_lags": (3, 5)}),
    "wages_difference": (
        "lwage ~ wks + union",
        "wages",
        {"entity": "id", "time": "t", "predetermined": ("wks",)},
    ),
    "wages_system": (
        "lwage ~ wks + union",
        "wages",
        {"entity": "id", "time": "t", "endogenous": ("wks",), "instrument_lags": {"wks": (2, 3)}} | SYSTEM,
    ),
    "grunfeld_collapsed": (
        "inv ~ value + capital",
        "grunfeld",
        FIRM | {"instrument_lags": (2, 4), "collapse": True, "time_effects": False},
    ),
    "grunfeld_singular": (
        "inv ~ value + capital",
        "grunfeld",
        FIRM | {"collapse": True, "time_effects": False},
    ),
}
# Residuals of several hundreds and weights of condition number 1e8 and more.
RELATIVE = {}


def table(name):
    folder = REFERENCE / "data"
    file = {"wages": "wage_cornwell_rupert.csv", "grunfeld": "grunfeld.csv"}.get(name, "empluk.csv")
    if not (folder / file).exists():
        pytest.skip(f"public data {file} is not available ({folder})")
    data = pd.read_csv(folder / file)
    if name == "gaps":
        data = data[(data["firm"] * 7 + data["year"] * 3) % 11 != 0]
    if name == "holes":
        data.loc[(data["firm"] * 5 + data["year"]) % 13 == 0, "wage"] = np.nan
    if name == "balanced":
        data = data[data["year"].between(1978, 1982)]
    return data


def our_name(name, time):
    """`lag(log(wage), 0:1)1` is `lag(log(wage), 1)`; `1979` is `year[1979]`."""
    if re.fullmatch(r"[0-9]+", name):
        return f"{time}[{name}]"
    match = re.fullmatch(r"lag\((.*), ([0-9]+)(?::[0-9]+)?\)([0-9]*)", name)
    if match is None:
        return name
    lag = int(match.group(3) or match.group(2))
    return f"lag({match.group(1)}, {lag})" if lag else match.group(1)


@pytest.mark.parametrize("steps", ["one", "two"])
@pytest.mark.parametrize("base", BASES)
def test_pgmm(base, steps):
    formula, name, options = SPECS[base]
    stored = STORED[f"{base}_{steps}step"]
    data = table(name)
    fit = fit_dynamic_panel(formula, data, steps=steps, **options)
    terms = [our_name(n, options["time"]) for n in stored["names"]]
    assert set(terms) == set(fit.terms)
    close = {"rtol": RELATIVE.get(base, 1e-7), "atol": 1e-9}
    np.testing.assert_allclose(fit.params[terms], stored["b"], **close)
    np.testing.assert_allclose(fit.std_errors[terms], stored["se"], **close)
    assert fit.nobs == stored["nobs"]
    # plm leaves the level moments out of the variance of m; ours has them as xtabond2 does.
    like_plm = "_plm" if "system" in base else ""
    for ours, theirs in {
        "n_instruments": "n_instruments",
        "sargan_robust": "sargan",
        "sargan_robust_df": "sargan_df",
        "sargan_robust_p": "sargan_p",
        f"m1{like_plm}": "m1",
        f"m2{like_plm}": "m2",
        "wald": "wald",
        "wald_df": "wald_df",
    }.items():
        np.testing.assert_allclose(fit.statistics[ours], stored[theirs], err_msg=ours, **close)
    if steps == "two":
        plain = fit_dynamic_panel(formula, data, vcov="model", **options)
        np.testing.assert_allclose(plain.std_errors[terms], stored["se_conventional"], **close)
        for order in ("m1", "m2"):
            np.testing.assert_allclose(
                plain.statistics[order + like_plm], stored[f"{order}_conventional"], **close
            )
        assert fit.statistics["hansen"] == fit.statistics["sargan_robust"]
    assert any("generalised" in remark for remark in fit.remarks) == bool(stored["warnings"])


def test_every_stored_case_is_compared():
    assert set(BASES) == set(SPECS)


def test_employment_of_uk_firms():
    case = Case("empluk_ab")
    names = {
        "n1": "lag(log(emp), 1)",
        "n2": "lag(log(emp), 2)",
        "w": "log(wage)",
        "w1": "lag(log(wage), 1)",
        "k": "log(capital)",
        "ys": "log(output)",
        "ys1": "lag(log(output), 1)",
    }
    formula = "log(emp) ~ lag(log(wage), 0:1) + log(capital) + lag(log(output), 0:1)"
    options = FIRM | {"lags": 2}
    two = fit_dynamic_panel(formula, case.data[0], **options)
    conventional = fit_dynamic_panel(formula, case.data[0], vcov="model", **options)
    one = fit_dynamic_panel(formula, case.data[0], steps="one", vcov="robust", **options)
    values = {"nobs": two.nobs, "twostep.sargan_chisq": two.statistics["hansen"]}
    values |= {f"twostep.sargan_{q}": two.statistics[f"hansen_{q}"] for q in ("df", "p")}
    for order in ("m1", "m2"):
        values[f"twostep.{order}"] = conventional.statistics[order]
        values[f"onestep_robust.{order}"] = one.statistics[order]
    for short, term in names.items():
        values[f"twostep.b.{short}"] = two.params[term]
        values[f"twostep.se_conventional.{short}"] = conventional.std_errors[term]
        values[f"twostep.se_windmeijer.{short}"] = two.std_errors[term]
        values[f"onestep_robust.b.{short}"] = one.params[term]
        values[f"onestep_robust.se.{short}"] = one.std_errors[term]
    assert set(values) == set(case.entry["quantities"])
    for quantity, value in values.items():
        case.check(quantity, value)
