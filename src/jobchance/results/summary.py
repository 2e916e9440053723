"""A fit as text: intervals before p-values, no stars, no clock, no memory address."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobchance.formatting import Formatter

if TYPE_CHECKING:
    from jobchance.results.fit import Fit

_WIDTH = 100
_DIGITS = 5
_FORMAT = Formatter("en")


def render(fit: Fit) -> str:
    """The printed summary; the same text for the same fit on every machine."""
    blocks = [_head(fit), _coefficients(fit), _variances(fit), _statistics(fit), _errors(fit), _sample(fit)]
    blocks += [_listing("Conventions", [f"{k}: {v}" for k, v in fit.conventions.items()])]
    blocks += [_listing("Notes", fit.notes)]
    blocks += [f"Numbers: {_DIGITS} significant digits, rounded half up."]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _head(fit: Fit) -> str:
    lines = [f"Model: {fit.model}"]
    if "formula" in fit.spec:
        lines.append(f"Formula: {fit.spec['formula']}")
    lines.append(f"Outcome: {fit.outcome}")
    if not fit.converged:
        lines.append("NOT CONVERGED: the estimates below are not the optimum; see the notes.")
    if fit.is_singular:
        lines.append("Singular: a variance is estimated at zero or a correlation at one.")
    return "\n".join(lines)


def _coefficients(fit: Fit) -> str:
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
            "normal" if math.isinf(fit.df[term]) else _FORMAT.number(fit.df[term], decimals=0),
            _FORMAT.p_value(fit.pvalues[term]),
        ]
        for term in fit.terms
    ]
    return table(header, body)


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


def _statistics(fit: Fit) -> str:
    values: dict[str, object] = {"log-likelihood": fit.loglik, "criterion": fit.criterion}
    values |= dict(fit.statistics)
    return _listing("Statistics", [f"{k}: {_number(v)}" for k, v in values.items() if v is not None])


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
