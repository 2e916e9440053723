import numpy as np
import pytest
from cases import Case

from jobchance import fit_mixed


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_sleepstudy_equals_lme4(method):
    case = Case("lmm_sleepstudy_slope")
    fit = fit_mixed("Reaction ~ Days + (Days | Subject)", case.data[0], method=method.lower())
    for name in ("(Intercept)", "Days"):
        case.check(f"{method}.fixef.{name}", fit.params[name])
        case.check(f"{method}.se.{name}", fit.std_errors[name])
    case.check(f"{method}.vcov", fit.cov)
    parts = fit.variance_components.set_index("term")
    case.check(f"{method}.sd.Subject.(Intercept)", parts.loc["(Intercept)", "sd"])
    case.check(f"{method}.sd.Subject.Days", parts.loc["Days", "sd"])
    case.check(f"{method}.cor.Subject.(Intercept).Days", parts.loc["Days", "correlation"])
    case.check(f"{method}.sigma", fit.statistics["sigma"])
    case.check(f"{method}.logLik", fit.loglik)
    case.check(f"{method}.deviance", fit.criterion)
    modes = fit.random_effects("Subject").pivot(index="level", columns="term", values="estimate")
    assert list(modes.index) == case.entry["labels"][f"{method}.ranef.Subject.Days"]
    for name in ("(Intercept)", "Days"):
        case.check(f"{method}.ranef.Subject.{name}", modes[name])
    assert not fit.is_singular
    assert fit.converged


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_a_variance_of_zero_is_found_and_said(method):
    case = Case("lmm_dyestuff2_boundary")
    fit = fit_mixed("Yield ~ 1 + (1 | Batch)", case.data[0], method=method.lower())
    case.check(f"{method}.fixef.(Intercept)", fit.params["(Intercept)"])
    case.check(f"{method}.se.(Intercept)", fit.std_errors["(Intercept)"])
    case.check(f"{method}.sd.Batch.(Intercept)", fit.variance_components["sd"].iloc[0])
    case.check(f"{method}.sigma", fit.statistics["sigma"])
    case.check(f"{method}.logLik", fit.loglik)
    case.check(f"{method}.ranef.Batch.(Intercept)", fit.random_effects("Batch")["estimate"])
    assert fit.is_singular
    assert any("Singular" in note for note in fit.notes)
    assert np.allclose(fit.random_effects("Batch")["std_error"], 0)
