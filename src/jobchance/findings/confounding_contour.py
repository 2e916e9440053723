"""F86: how strong a hidden explanation would have to be, beside covariates that were observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from jobchance.disclosure.check import export_frame, protect
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import DisclosureError, SpecError
from jobchance.findings.context import add_context, counts
from jobchance.panel.model import AnalysisPanel
from jobchance.results.fit import Fit
from jobchance.results.parts import Floats
from jobchance.sensitivity.confounding import critical_t, robustness_value
from jobchance.sensitivity.confounding_bounds import Benchmark, confounder_bounds, name_of
from jobchance.sensitivity.confounding_rows import Classical, classical
from jobchance.study.model import Study
from jobchance.study.schema import load_schemas

NAME = "confounding_contour"
COLUMNS = (
    "mark", "line", "strength", "label_da", "label_en", "r2_exposure", "r2_outcome", "estimate", "std_error",
    "conf_low", "conf_high", "df_resid", "N_rows", "N_citizens", "N_caseworkers",
)  # fmt: skip
LEFT = {"left_75": 0.75, "left_50": 0.5, "left_25": 0.25, "nothing": 0.0}
NOT_SIGNIFICANT = "not_significant"
_POINTS = 24
_ALPHA = 0.05


def confounding_contour_frame(
    fit: Fit,
    term: str,
    study: Study,
    panel: AnalysisPanel,
    *,
    policy: DisclosurePolicy,
    benchmarks: Sequence[Benchmark] = (),
    kd: Sequence[float] = (1.0,),
    names: Mapping[str, tuple[str, str]] | None = None,
    exposure: tuple[str, str] | None = None,
    population: str = "all_at_risk",
) -> pd.DataFrame:
    """Lines of equal adjusted estimate, the robustness values and the benchmarks, after disclosure control.

    Parameters
    ----------
    fit : Fit
        Least squares on rows of the panel; see `robustness_value`. A 0/1 outcome is shown in percentage
        points.
    term : str
        The exposure's coefficient.
    study, panel
        Where the rows come from.
    policy : DisclosurePolicy
        What may be shown, and how it is rounded.
    benchmarks, kd
        As in `confounder_bounds`.
    names : mapping of str to (str, str), optional
        Danish and English name of a benchmark (a group's key is its names joined by ` + `); else the words
        of the citizen table's columns.
    exposure : (str, str), optional
        Danish and English name of the exposure; else `term`.
    population : str
        A key of the populations of `findings.context`.

    Returns
    -------
    DataFrame
        `COLUMNS`, the words of the exposure and the context. `mark`: `estimate` (the fit's own numbers),
        `contour` (a point of the line named in `line`: so much of the estimate is left, or it is just no
        longer significant at 5 per cent), `value` and `value_alpha` (robustness values), `benchmark` (with
        the adjusted `estimate`; `strength` is `"1x"`, `"2x"`). Estimates in percentage points or the
        outcome's unit.

    Raises
    ------
    SpecError
        As `robustness_value` and `confounder_bounds`.
    DisclosureError
        Too few citizens, caseworkers or events are behind the fit for anything to be shown.

    Notes
    -----
    Every row rests on all rows of the fit, so they are shown or hidden together. Significance is by the fit's
    own standard errors, as `value_alpha_design` of `robustness_value` if they are not the classical ones;
    intervals of benchmarks are classical.
    """
    point = classical(fit, term, NAME)
    rows = fit.need_rows(NAME)
    binary = bool(np.isin(rows.outcome, [0, 1]).all())
    behind = rows.frame.iloc[rows.used].assign(outcome=rows.outcome)
    scale = 100.0 if binary else 1.0
    bounds = _bounds(fit, term, benchmarks, kd)
    value = robustness_value(fit, term, alpha=_ALPHA)
    own = value.value_alpha_design
    alpha_value = value.value_alpha if own is None else own
    top_x, top_y = _limits(value.value, bounds)
    records = [
        _own(fit, term, scale),
        *_contours(point, _critical(fit, term, point), top_x, top_y),
        _value("value", value.value),
        *([_value("value_alpha", alpha_value)] if alpha_value else []),
        *(_benchmark(row, scale, names or {}) for _, row in bounds.iterrows()),
    ]
    frame = pd.DataFrame(records, columns=list(COLUMNS)).assign(df_resid=point.df, N_rows=len(behind))
    for name, number in counts(behind, outcome="outcome" if binary else None).items():
        frame[name] = number
    frame = frame.assign(
        exposure_da=(exposure or (term, term))[0], exposure_en=(exposure or (term, term))[1], binary=binary
    )
    framed = add_context(
        frame, study, panel, rows=behind, estimand="predictive", population=population, interval="none"
    )
    protected = protect(framed, policy, output=f"F86 {NAME}")
    if bool(protected["suppressed"].all()):
        raise DisclosureError(f"F86 {NAME}: too few are behind the fit for its numbers to be shown.")
    return export_frame(protected, policy)


def _own(fit: Fit, term: str, scale: float) -> dict[str, object]:
    """The fit's own numbers."""
    low, high = fit.conf_int().loc[term].to_numpy(dtype=float)
    return {
        "mark": "estimate",
        "r2_exposure": 0.0,
        "r2_outcome": 0.0,
        "estimate": scale * float(fit.params[term]),
        "std_error": scale * float(fit.std_errors[term]),
        "conf_low": scale * low,
        "conf_high": scale * high,
    }


def _value(mark: str, value: float) -> dict[str, object]:
    """A robustness value: the same share of both."""
    return {"mark": mark, "r2_exposure": value, "r2_outcome": value}


def _benchmark(row: pd.Series, scale: float, names: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    """A confounder so many times as strong as a benchmark."""
    words = names.get(row["benchmark"]) or _words(str(row["benchmark"]))
    return {
        "mark": "benchmark",
        "strength": f"{row['kd']:g}x",
        "label_da": words[0],
        "label_en": words[1],
        "r2_exposure": row["r2dz_x"],
        "r2_outcome": row["r2yz_dx"],
        "estimate": scale * row["adjusted_estimate"],
        "std_error": scale * row["adjusted_se"],
        "conf_low": scale * row["conf_low"],
        "conf_high": scale * row["conf_high"],
    }


def _words(benchmark: str) -> tuple[str, str]:
    """Words of the columns of the citizen table; a column that it does not know keeps its name."""
    schema = load_schemas()["citizen"]
    found = []
    for name in benchmark.split(" + "):
        words = schema.field(name).label if name in schema.names else {"da": name, "en": name}
        found.append((words["da"], words["en"]))
    return " + ".join(da for da, _ in found), " + ".join(en for _, en in found)


def _bounds(fit: Fit, term: str, benchmarks: Sequence[Benchmark], kd: Sequence[float]) -> pd.DataFrame:
    """Possible bounds of the benchmarks."""
    if isinstance(benchmarks, str):
        raise SpecError(f'benchmarks takes several columns or groups: benchmarks=["{benchmarks}"].')
    if not len(benchmarks):
        return pd.DataFrame(columns=["benchmark", "r2dz_x", "r2yz_dx", "impossible"])
    twice = [name_of(b) for b in benchmarks]
    if len(set(twice)) < len(twice):
        raise SpecError("benchmarks names the same one twice.")
    found = confounder_bounds(fit, term, benchmarks=benchmarks, kd=kd)
    return found[found["impossible"] == ""]


def _limits(value: float, bounds: pd.DataFrame) -> tuple[float, float]:
    """Largest shares drawn: room round the robustness value and the benchmarks."""
    top_x, top_y = (float(np.nanmax([0.0, *bounds[name]])) for name in ("r2dz_x", "r2yz_dx"))
    return tuple(min(max(2.0 * value, 1.3 * top, 0.02), 0.98) for top in (top_x, top_y))  # type: ignore[return-value]  # two


def _contours(point: Classical, critical: float, top_x: float, top_y: float) -> list[dict[str, object]]:
    """Points of every line inside the limits, nearer to each other where a line is steep."""
    shares = {line: partial(_left_over, point, left) for line, left in LEFT.items()}
    lines = shares | {NOT_SIGNIFICANT: partial(_insignificant, point, critical)}
    return [
        {"mark": "contour", "line": line, "r2_exposure": float(d), "r2_outcome": min(outcome(d), top_y)}
        for line, outcome in lines.items()
        for d in _stretch(outcome, top_x, top_y)
    ]


def _critical(fit: Fit, term: str, point: Classical) -> float:
    """Critical value for the classical t; with other errors, times their ratio (see `robustness_value`)."""
    if fit.inference.kind == "model":
        return critical_t(_ALPHA, point.df - 1)
    ratio = float(fit.std_errors[term]) / point.std_error
    return critical_t(_ALPHA, float(fit.df[term])) * ratio


def _stretch(outcome: Callable[[float], float], top_x: float, top_y: float) -> Floats:
    """Places of a falling line from where it enters the figure at the top to the right end."""

    def above(root: float) -> float:
        found = outcome(root**2)
        return found - top_y if np.isfinite(found) else 1.0

    end = float(np.sqrt(top_x))
    if above(end) > 0:
        return np.empty(0)
    start = 1e-3 * end if above(1e-3 * end) <= 0 else float(brentq(above, 1e-3 * end, end, xtol=1e-9))
    return np.geomspace(start, end, _POINTS) ** 2


def _left_over(point: Classical, left: float, r2_exposure: float) -> float:
    """Share of the outcome that leaves this share of the estimate: |bias| = (1 - left) |t| se, solved."""
    return float((1 - left) ** 2 * point.f**2 * (1 - r2_exposure) / r2_exposure)


def _insignificant(point: Classical, critical: float, r2_exposure: float) -> float:
    """Smallest share of the outcome at which the adjusted t-value is critical; NaN where there is none.

    With a = sqrt(r2_outcome): (|t| - sqrt(df) a sqrt(d / (1 - d)))^2 (1 - d) (df - 1) / df = c^2 (1 - a^2).
    """
    c, d = critical, r2_exposure
    if abs(point.t) * np.sqrt((1 - d) * (point.df - 1) / point.df) <= c:
        return 0.0
    pull = np.sqrt(point.df * d / (1 - d))
    size = (1 - d) * (point.df - 1) / point.df
    roots = np.roots([size * pull**2 + c**2, -2 * size * abs(point.t) * pull, size * point.t**2 - c**2])
    real = [float(r.real) for r in roots if abs(r.imag) < 1e-12 and 0 <= r.real <= 1]
    return min(real) ** 2 if real else float("nan")
