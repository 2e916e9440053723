"""Numbers that the summaries of lme4 and ordinal print for public data."""

from pathlib import Path

import pandas as pd
import pytest

from jobchance import fit_mixed, predictions

DATA = Path(__file__).resolve().parents[4] / "shared" / "reference" / "data"


def _read(name):
    if not (DATA / name).exists():
        pytest.skip("the public data are not available")
    return pd.read_csv(DATA / name)


def test_sleepstudy():
    """lme4: AIC 1755.628, BIC 1774.786; REML criterion 1743.6; sds 24.741, 5.922, 25.592; corr 0.07."""
    fit = fit_mixed("Reaction ~ Days + (Days | Subject)", _read("sleepstudy.csv"))
    row = fit.glance().iloc[0]
    assert row["aic"] == pytest.approx(1755.628, abs=1e-3)
    assert row["bic"] == pytest.approx(1774.786, abs=1e-3)
    text = fit.summary()
    assert "REML criterion 1,743.63" in text
    frame = fit.variance_components
    assert frame["sd"].tolist() == pytest.approx([24.741, 5.922, 25.592], abs=2e-3)
    assert all(f"{sd:.3f}"[:6] in text for sd in frame["sd"])
    assert frame["correlation"][1] == pytest.approx(0.07, abs=5e-3)


def test_cbpp():
    """lme4's glmer: AIC 194.1, BIC 204.2, logLik -92.0, deviance 184.1, sd 0.6423."""
    data = _read("cbpp.csv")
    data["period"] = data["period"].astype(str)
    fit = fit_mixed("cbind(incidence, size - incidence) ~ period + (1 | herd)", data, family="binomial")
    row = fit.glance().iloc[0]
    assert row[["aic", "bic", "criterion"]].astype(float).round(1).tolist() == [194.1, 204.2, 184.1]
    share = predictions(fit, at={"period": "1"}).iloc[0]
    assert share["estimate"] > predictions(fit, at={"period": "1"}, random=False)["estimate"][0]


def test_wine():
    """ordinal's clmm: logLik -81.57, AIC 177.13; judge variance 1.279, sd 1.131."""
    fit = fit_mixed("rating ~ temp + contact + (1 | judge)", _read("wine.csv"), family="ordinal")
    assert fit.glance().iloc[0]["aic"] == pytest.approx(177.13, abs=5e-3)
    assert "log-likelihood −81.57" in fit.summary()
    assert fit.variance_components["variance"][0] == pytest.approx(1.279, abs=1e-3)
