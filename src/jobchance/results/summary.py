"""A fit as text: intervals before p-values, no stars, no clock, no memory address."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from jobchance.formatting import Formatter
from jobchance.results.prediction import n_thresholds
from jobchance.results.variance import Component, components, correlated_pairs

if TYPE_CHECKING:
    from jobchance.results.fit import Fit

_WIDTH = 100
_DIGITS = 5
_FORMAT = Formatter("en")
_MANY_DF = 30

# The statistic of a mixed model that says how many standard errors its estimates are from the optimum.
DISTANCE = "distance"
NEAR = 1e-6


def render(fit: Fit) -> str:
    """The printed summary; the same text for the same fit on every machine."""
    numbers = _mixed(fit) if fit.structure else _other(fit)
    blocks = [_head(fit), *numbers]
    blocks += [_diagnostic(name, frame) for name, frame in fit.diagnostics.items()]
    blocks += [_listing("Conventions", [f"{k}: {v}" for k, v in fit.conventions.items()])]
    blocks += [_listing("Notes", fit.notes)]
    blocks += [f"Numbers: {_DIGITS} significant digits, rounded half up."]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _other(fit: Fit) -> list[str]:
    """Coefficients first, for models without a random part of their own."""
    named = {"log-likelihood": fit.loglik, "criterion": fit.criterion}
    coefficients = _coefficients(fit, fit.terms)
    return [coefficients, _variances(fit), _statistics(fit, named), _errors(fit), _sample(fit)]


def _mixed(fit: Fit) -> list[str]:
    """Fit, random effects, rows, fixed effects: the order in which mixed models are usually printed."""
    cuts = n_thresholds(fit)
    thresholds = "Thresholds\n" + _coefficients(fit, fit.terms[:cuts], tested=False) if cuts else ""
    title = "Coefficients" if cuts else "Fixed effects"
    fixed = f"{title}\n{_coefficients(fit, fit.terms[cuts:])}" if fit.terms[cuts:] else ""
    errors = "\n".join([_errors(fit), _convergence(fit)])
    return [
        _information(fit),
        _random_effects(fit),
        _sample(fit),
        thresholds,
        fixed,
        errors,
        _statistics(fit, {}),
    ]


def _head(fit: Fit) -> str:
    lines = [f"Model: {fit.model}"]
    if "formula" in fit.spec:
        lines.append(f"Formula: {fit.spec['formula']}")
    lines.append(f"Outcome: {fit.outcome}")
    if fit.spec.get("weights") is not None:
        lines.append(f"Weights: {fit.spec['weights']}")
    if not fit.converged:
        lines.append("NOT CONVERGED: the estimates below are not the optimum; see the notes.")
    if fit.is_singular:
        lines.append("Singular: a variance is estimated at zero or a correlation at one.")
    return "\n".join(lines)


def _information(fit: Fit) -> str:
    """Information criteria, log-likelihood and what was minimised, on one line."""
    glance = fit.glance().iloc[0]
    restricted = fit.spec.get("method") == "reml"
    values = {
        "AIC": glance["aic"],
        "BIC": glance["bic"],
        "restricted log-likelihood" if restricted else "log-likelihood": fit.loglik,
        "REML criterion" if restricted else "deviance": fit.criterion,
    }
    shown = [f"{k} {_FORMAT.number(v, decimals=2)}" for k, v in values.items() if v is not None]
    return "   ".join(shown)


def _random_effects(fit: Fit) -> str:
    """Variances, standard deviations with intervals, and all correlations below the diagonal."""
    made = components(fit)
    size = max(max(term.sizes) for term in fit.structure)
    header = ["group", "effect", "variance", "std. dev.", "95% interval", "std. error"]
    header += ["corr.", *[""] * (size - 2)] if size > 1 else []
    body, rest = [], list(made)
    for term in fit.structure:
        mine, rest = rest[: len(term.columns)], rest[len(term.columns) :]
        pairs = correlated_pairs(term)
        found, rest = dict(zip(pairs, rest, strict=False)), rest[len(pairs) :]
        for i, part in enumerate(mine):
            correlations = [
                _FORMAT.number(found[k, i].estimate, decimals=3) for k in range(i) if (k, i) in found
            ]
            body.append([term.group if i == 0 else "", *_deviation(part), *correlations])
    body += [[part.group, *_deviation(part)] for part in rest]
    width = len(header)
    full = [row + [""] * (width - len(row)) for row in body]
    return "Random effects (std. error of the std. dev.)\n" + table(header, full, text_columns=2)


def _deviation(part: Component) -> list[str]:
    """Name, variance, standard deviation, interval and standard error of one effect."""
    low, high = part.interval(0.95)
    name = "" if part.group == "Residual" else part.term
    interval = f"{_number(low)} to {_number(high)}" if low == low else _number(None)
    return [name, _number(part.estimate**2), _number(part.estimate), interval, _number(part.std_error)]


def _convergence(fit: Fit) -> str:
    """What is known about the optimum."""
    if not fit.converged:
        return "Convergence: NOT reached; see the notes."
    distance = fit.statistics.get(DISTANCE)
    if distance is None:
        return "Convergence: optimum proved by gradient and Hessian"
    # The last digits of a distance differ between machines; that it is small does not.
    near = "0.000001" if distance <= NEAR else _FORMAT.significant(distance, 2)
    return f"Convergence: optimum proved by gradient and Hessian, within {near} standard errors"


def _coefficients(fit: Fit, terms: Sequence[str], *, tested: bool = True) -> str:
    """A row per term; thresholds are not tested against zero, which means nothing."""
    interval = fit.conf_int()
    statistic = "z" if all(math.isinf(df) for df in fit.df) else "t"
    header = ["term", "estimate", "95% interval", "std. error", statistic, "df", "p-value"]
    body = [
        [
            str(term),
            _number(fit.params[term]),
            f"{_number(interval['conf_low'][term])} to {_number(interval['conf_high'][term])}",
            _number(fit.std_errors[term]),
            _FORMAT.number(fit.statistic[term], decimals=2),
            _df_text(float(fit.df[term])),
            _FORMAT.p_value(fit.pvalues[term]),
        ]
        for term in terms
    ]
    return table(header, body) if tested else table(header[:4], [row[:4] for row in body])


def _df_text(df: float) -> str:
    """Degrees of freedom; few ones with a decimal, since 2.4 and 2 are different distributions."""
    if math.isinf(df):
        return "normal"
    return _FORMAT.number(df, decimals=0 if df >= _MANY_DF or df == round(df) else 1)


def _variances(fit: Fit) -> str:
    if fit.variance_components is None:
        return ""
    body = [
        [str(row["group"]), str(row["term"]), *[_number(row[c]) for c in ("sd", "variance", "correlation")]]
        for row in fit.variance_components.to_dict("records")
    ]
    return "Random effects\n" + table(
        ["group", "term", "sd", "variance", "correlation"], body, text_columns=2
    )


def _statistics(fit: Fit, named: Mapping[str, float | None]) -> str:
    """Further numbers; a mixed model has shown its likelihood and residual already."""
    shown = ("sigma", DISTANCE) if fit.structure else ()
    values = dict(named) | {k: v for k, v in fit.statistics.items() if k not in shown}
    written = {
        k: _FORMAT.p_value(v) if k.endswith("_p") and 0 <= v <= 1 else _number(v)
        for k, v in values.items()
        if v is not None
    }
    return _listing("Statistics", [f"{k}: {text}" for k, text in written.items()])


def _errors(fit: Fit) -> str:
    made = fit.inference
    lines = [f"Standard errors: {made.label}"]
    lines += [f"Clusters of {name}: {_FORMAT.count(n)}" for name, n in made.clusters.items()]
    lines += [f"Small-sample factor, {name}: {_number(value)}" for name, value in made.factors.items()]
    return "\n".join(lines)


def _sample(fit: Fit) -> str:
    sample = fit.sample
    lines = [f"Rows used: {_FORMAT.count(sample.nobs)}"]
    lines += [f"Levels of {name}: {_FORMAT.count(n)}" for name, n in sample.groups.items()]
    lines += [f"Rows dropped, {reason}: {_FORMAT.count(n)}" for reason, n in sample.dropped.items()]
    if not sample.dropped:
        lines.append("Rows dropped: none")
    lines += [f"Term dropped: {term}" for term in sample.dropped_terms]
    return "\n".join(lines)


def table(header: Sequence[str], body: Sequence[Sequence[str]], *, text_columns: int = 1) -> str:
    """Columns set flush: the first `text_columns` to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in [header, *body]) for i in range(len(header))]
    lines = []
    for row in [header, *body]:
        cells = [
            cell.ljust(width) if i < text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _diagnostic(name: str, frame: pd.DataFrame) -> str:
    """A table beside the estimates: texts to the left, numbers to the right."""
    dtypes = pd.api.types
    texts = [
        column
        for column in frame
        if dtypes.is_bool_dtype(frame[column].dtype) or not dtypes.is_numeric_dtype(frame[column].dtype)
    ]
    ordered = [*texts, *[column for column in frame if column not in texts]]
    body = [[_cell(str(c), row[c], text=c in texts) for c in ordered] for row in frame.to_dict("records")]
    title = name.replace("_", " ").capitalize()
    return f"{title}\n" + table([str(c) for c in ordered], body, text_columns=max(len(texts), 1))


def _cell(column: str, value: Any, *, text: bool) -> str:
    """One cell of a table beside the estimates; missing values look alike in all columns."""
    if value is None or pd.isna(value):
        return "" if text else _number(None)
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if text:
        return str(value)
    return _FORMAT.p_value(value) if column.endswith("p_value") else _number(value)


def _listing(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    wrapped = [textwrap.fill(line, _WIDTH, initial_indent="  ", subsequent_indent="    ") for line in lines]
    return "\n".join([title, *wrapped])


def _number(value: object) -> str:
    if value is None or not isinstance(value, int | float) or math.isnan(value):
        return _FORMAT.significant(None)
    whole = math.isfinite(value) and value == int(value) and abs(value) < 1e9
    return _FORMAT.count(value) if whole else _FORMAT.significant(value, _DIGITS)
