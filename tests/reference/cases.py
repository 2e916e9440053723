"""Reference cases from public data, beside the project; tests that need them skip where they are absent."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"


class Case:
    """One expected/<case>.json with its data."""

    def __init__(self, name):
        path = REFERENCE / "expected" / f"{name}.json"
        if not path.exists():
            pytest.skip(f"reference case {name} is not available ({path})")
        self.entry = json.loads(path.read_text(encoding="utf-8"))
        self.data = [pd.read_csv(REFERENCE / part) for part in self.entry["data"]]

    def check(self, quantity, value):
        """Assert that a value is within the stated tolerance of the reference, element by element."""
        tolerance = self.entry["tolerance"][quantity]
        expected = np.asarray(self.entry["quantities"][quantity], dtype=float)
        allowed = tolerance.get("abs", 0) + tolerance.get("rel", 0) * np.abs(expected)
        difference = np.abs(np.asarray(value, dtype=float) - expected)
        assert np.all(difference <= allowed), f"{quantity}: {value} against {expected}, allowed {allowed}"


def term_name(text, data):
    """R's name of a term in our notation: `kindshort:x` is `kind[short]:x`, `I(x^2)` is `I(x ** 2)`."""
    parts = []
    for part in text.replace("^", " ** ").split(":"):
        for column in data.columns[~data.dtypes.map(pd.api.types.is_numeric_dtype)]:
            level = part.removeprefix(column)
            if level != part and level in set(data[column]):
                part = f"{column}[{level}]"
                break
        parts.append(part)
    return ":".join(parts)


def read_quantity(fit, key, data, labels=None):
    """Value in a mixed fit of a quantity named `sd.<group>.<term>`, `fixef.<term>` and so on."""
    kind, _, rest = key.partition(".")
    if kind in ("loglik", "logLik"):
        return fit.loglik
    if kind == "deviance":
        return fit.criterion
    if kind == "singular":
        return fit.is_singular
    if kind == "sigma":
        return fit.statistics["sigma"]
    if kind in ("fixef", "beta", "threshold", "alpha"):
        return fit.params[term_name(rest, data)]
    if kind == "se":
        return fit.std_errors[term_name(rest, data)]
    if kind in ("df", "satterthwaite_df"):
        return fit.df[term_name(rest, data)]
    if kind == "vcov":
        return fit.cov
    if kind == "sd":
        return _component(fit, *rest.split(".", 1))["sd"]
    if kind == "cor":
        group, first, second = rest.split(".")
        row = second if first == "(Intercept)" else f"{first}.{second}"
        return _component(fit, group, row)["correlation"]
    if kind in ("mode", "mode_sd", "ranef"):
        group, term = rest.split(".", 1)
        frame = fit.random_effects(group)
        frame = frame[frame["term"] == term].set_index("level")
        return frame.loc[list(labels), "std_error" if kind == "mode_sd" else "estimate"].to_numpy()
    if kind == "se_log_sd":
        return log_sd_errors(fit)[tuple(rest.split(".", 1))]
    raise KeyError(key)


def _component(fit, group, term):
    """The one row of the variance components of that group and term."""
    frame = fit.variance_components
    rows = frame[(frame["group"] == group) & (frame["term"] == term)]
    assert len(rows) == 1, f"{group} {term}: {len(rows)} rows in\n{frame}"
    return rows.iloc[0]


def log_sd_errors(fit):
    """Standard errors of log standard deviations: delta method on the joint covariance of the fit."""
    theta = np.concatenate([np.asarray(part.theta, dtype=float) for part in fit.structure])
    gaussian = fit.spec["family"] == "gaussian"
    at = np.append(theta, np.log(fit.statistics["sigma"])) if gaussian else theta
    k = len(at)

    def logs(values):
        made, start = [], 0
        for part in fit.structure:
            stop = start + len(part.theta)
            factor = replace(part, theta=tuple(values[start:stop])).relative_factor()
            scale = np.exp(values[-1]) if gaussian else 1.0
            made.append(np.log(scale * np.sqrt(np.sum(factor**2, axis=1))))
            start = stop
        return np.concatenate(made)

    step = 1e-5
    jacobian = np.column_stack([(logs(at + step * e) - logs(at - step * e)) / (2 * step) for e in np.eye(k)])
    covariance = np.asarray(fit.joint.covariance)[:k, :k]
    names = [(part.group, column) for part in fit.structure for column in part.columns]
    return dict(zip(names, np.sqrt(np.diag(jacobian @ covariance @ jacobian.T)), strict=True))
