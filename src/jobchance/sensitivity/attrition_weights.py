"""`attrition_weights`: rows of later waves weighted up for those like them who were lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from jobchance.errors import EstimationError, SpecError
from jobchance.formatting import Formatter
from jobchance.numerics.attrition import sum_before, truncate
from jobchance.panel.model import AnalysisPanel, require_panel
from jobchance.results.fit import Fit
from jobchance.results.summary import table
from jobchance.results.vcov import Cluster
from jobchance.sensitivity import attrition_steps as step
from jobchance.sensitivity.attrition import Dropout, estimate
from jobchance.sensitivity.attrition_diagnostics import diagnose

COLUMN = "attrition_weight"


@dataclass(frozen=True, eq=False, repr=False)
class AttritionWeights:
    """Weights of the rows of a panel and what they rest on.

    The weights are microdata: they live in memory only, and are absent after pickling or copying; the
    diagnostics and the drop-out models (without their rows) stay.

    Parameters
    ----------
    stabilised, unstabilised : Series (n,) or None
        Weights of the rows of `panel.frame`, by its index, truncated as `settings` say.
    untruncated : Series (n,) or None
        The stabilised weights before truncation.
    probability : Series (n,) or None
        Predicted probability of being measured again after each row.
    model, numerator : Fit
        Drop-out given the covariates, and given only what stabilises.
    diagnostics : mapping of str to DataFrame
        `weights` (by wave: mean, sd, effective size, largest share), `positivity`, `overlap` (by level or
        third of each covariate), `balance` (standardised mean differences before and after).
    settings : mapping
        Covariates, stabilising columns, truncation, rule for gaps.
    """

    stabilised: pd.Series | None
    unstabilised: pd.Series | None
    untruncated: pd.Series | None
    probability: pd.Series | None
    model: Fit
    numerator: Fit
    diagnostics: Mapping[str, pd.DataFrame]
    settings: Mapping[str, Any]
    frame: pd.DataFrame | None = None
    parts: Parts | None = None

    @property
    def weights(self) -> pd.Series:
        """The stabilised, truncated weights, by the index of `panel.frame`."""
        return self._need(self.stabilised)

    def apply(self, *, stabilised: bool = True, column: str = COLUMN) -> pd.DataFrame:
        """The panel's frame with the weights as a further column; rows behind a first gap have none.

        Raises
        ------
        SpecError
            The weights were pickled or copied, or the panel has such a column already.
        """
        chosen = self._need(self.stabilised if stabilised else self.unstabilised)
        frame = self.frame
        assert frame is not None, "weights and frame come and go together"
        if column in frame:
            raise SpecError(f"the panel has a column {column} already; choose another with column=.")
        return frame.assign(**{column: chosen})

    def summary(self) -> str:
        """The diagnostics as text."""
        lines = [f"Weights against attrition: {self.settings['rule']}"]
        for name, frame in self.diagnostics.items():
            lines += [name.capitalize(), _text(frame), ""]
        return "\n".join([*lines, *self.settings["remarks"]]) + "\n"

    def __repr__(self) -> str:
        return f"AttritionWeights({self.settings['rule']})"

    def __reduce__(self) -> tuple[Callable[..., AttritionWeights], tuple[Any, ...]]:
        # Rows must not travel: weights, probabilities and the frame stay behind.
        hidden = ("stabilised", "unstabilised", "untruncated", "probability", "frame", "parts")
        kept = (None if f.name in hidden else getattr(self, f.name) for f in fields(self))
        return (AttritionWeights, tuple(kept))

    def _need(self, values: pd.Series | None) -> pd.Series:
        if values is None:
            raise SpecError(
                "The weights are microdata and are not stored: call attrition_weights on the panel again."
            )
        return values


@dataclass(frozen=True, eq=False, repr=False)
class Parts:
    """The two drop-out models with their rows, and which weights were moved by truncation (in memory)."""

    full: Dropout
    base: Dropout
    moved: dict[bool, np.ndarray]
    order: np.ndarray
    first: np.ndarray


def attrition_weights(
    panel: AnalysisPanel,
    *,
    covariates: Iterable[str] | None = None,
    stabilise_by: Iterable[str] = (),
    truncate_at: tuple[float, float] | None = (0.01, 0.99),
    gaps: str = "return",
    interval_days: int | None = None,
    slack_days: int = 14,
    measured_until: object | None = None,
    link: str = "logit",
) -> AttritionWeights:
    r"""Inverse probabilities of still being measured, one weight per row of the panel.

    .. math:: w_{it} = \prod_{s<t} \frac{P(\text{measured}_{s+1} \mid z_s)}
                                         {P(\text{measured}_{s+1} \mid x_s)}

    from two models of drop-out (`dropout_model`): the lower one given the covariates x, the upper one given
    the wave and `stabilise_by` alone; it is 1 for unstabilised weights. A first row has weight 1. Only loss
    to measurement is weighted for: citizens who left because of the outcome or by another exit are no
    longer in the population of the next wave.

    Parameters
    ----------
    panel : AnalysisPanel
        As built.
    covariates : iterable of str or None
        As in `dropout_model`: what explains both drop-out and the question. `None`: its default.
    stabilise_by : iterable of str
        Columns of the numerator beside the wave; only columns that the weighted model holds constant.
    truncate_at : (float, float) or None
        Quantiles of the weights to which more extreme ones are moved; `None`: no truncation.
    gaps, interval_days, slack_days, measured_until, link
        As in `dropout_model`.

    Returns
    -------
    AttritionWeights
        `.weights`, `.apply()`, `.diagnostics`, `.summary()`; see `weighted_fit`.

    Raises
    ------
    SpecError
        As `dropout_model`; `truncate_at` is not two quantiles in order.
    DesignError
        Nobody or everybody is lost.
    EstimationError
        A probability of being measured again is zero for some rows: nobody stands for them.

    Notes
    -----
    Right where drop-out is *missing at random*: given x, who is lost does not depend on what was not
    measured; where the model is right; and where everybody has a chance to be measured again
    (`diagnostics["positivity"]`). Citizens who were never measured are not stood for.

    References
    ----------
    Robins, Rotnitzky & Zhao (1995), J. Am. Stat. Assoc. 90, 106-121; Cole & Hernan (2008), Am. J.
    Epidemiol. 168, 656-664; Seaman & White (2013), Stat. Methods Med. Res. 22, 278-295.

    Examples
    --------
    >>> import jobchance as jc
    >>> panel = jc.build_panel(jc.simulate_study(n_citizens=600, seed=4))
    >>> weights = attrition_weights(panel)
    >>> weights, list(weights.diagnostics)
    (AttritionWeights(stabilised, truncated at 1% and 99%), ['weights', 'positivity', 'overlap', 'balance'])
    """
    quantiles = _quantiles(truncate_at)
    steps = step.read_steps(
        require_panel(panel, "attrition_weights"),
        gaps=gaps,
        interval_days=interval_days,
        slack_days=slack_days,
        measured_until=measured_until,
    )
    own = [stabilise_by] if isinstance(stabilise_by, str) else list(stabilise_by)
    citizens = Cluster("citizen_id")
    full = estimate(panel, steps, covariates=covariates, link=link, vcov=citizens)
    base = estimate(panel, steps, covariates=own, link=link, vcov=citizens)
    stay, stay_base = (1 - np.asarray(one.fit.predict(one.rows)) for one in (full, base))
    if nobody := int((stay < 1e-8).sum()):
        raise EstimationError(
            f"positivity: in {nobody} rows the probability of being measured again is zero, so nobody stands "
            "for them. Leave out the covariate that rules it out, or limit the panel."
        )
    order = panel.frame.sort_values(["citizen_id", "wave", "date"], kind="stable").index.to_numpy()
    first = steps.order.loc[order].to_numpy() == 0
    raw = {}
    for name, log in (("stabilised", np.log(stay_base) - np.log(stay)), ("unstabilised", -np.log(stay))):
        product = np.empty(len(order))
        product[order] = np.exp(sum_before(log[order], first))
        raw[name] = np.where(steps.status.eq(step.AFTER_GAP), np.nan, product)
    cut = {name: truncate(values, *quantiles) for name, values in raw.items()}
    index = panel.frame.index
    series = {name: pd.Series(values, index=index, name=COLUMN) for name, (values, _) in cut.items()}
    probability = pd.Series(stay, index=index, name="probability")
    moved = {name == "stabilised": mask for name, (_, mask) in cut.items()}
    return AttritionWeights(
        **series,
        untruncated=pd.Series(raw["stabilised"], index=index, name=COLUMN),
        probability=probability,
        model=full.fit,
        numerator=base.fit,
        diagnostics=diagnose(panel, full, probability, series["stabilised"], moved[True]),
        settings=_settings(full, base, truncate_at, gaps),
        frame=panel.frame,
        parts=Parts(full, base, moved, order, first),
    )


def _settings(
    full: Dropout, base: Dropout, truncate_at: tuple[float, float] | None, gaps: str
) -> dict[str, Any]:
    """What was asked for, in words and values."""
    text = Formatter("en")
    rule = "stabilised, not truncated"
    if truncate_at is not None:
        rule = f"stabilised, truncated at {text.percent(truncate_at[0])} and {text.percent(truncate_at[1])}"
    return {
        "rule": rule,
        "formula": full.fit.spec["formula"],
        "stabilised_by": base.fit.spec["formula"],
        "truncate_at": truncate_at,
        "gaps": gaps,
        "remarks": list(full.fit.remarks),
    }


def _quantiles(truncate_at: tuple[float, float] | None) -> tuple[float, float]:
    """The two quantiles, (0, 1) for none."""
    if truncate_at is None:
        return 0.0, 1.0
    try:
        low, high = (float(value) for value in truncate_at)
    except (TypeError, ValueError):
        low, high = 1.0, 0.0
    if not 0 <= low < high <= 1:
        raise SpecError("truncate_at= takes two quantiles in order, such as (0.01, 0.99), or None.")
    return low, high


def _text(frame: pd.DataFrame) -> str:
    """A small table; texts to the left."""
    text = Formatter("en")
    words = [c for c in frame if not pd.api.types.is_numeric_dtype(frame[c].dtype)]
    columns = [*words, *[c for c in frame if c not in words]]
    body = [
        [str(row[c]) if c in words else _number(text, row[c]) for c in columns]
        for row in frame.to_dict("records")
    ]
    return table([str(c) for c in columns], body, text_columns=max(len(words), 1))


def _number(text: Formatter, value: float) -> str:
    whole = pd.notna(value) and float(value).is_integer()
    return text.count(value) if whole else text.significant(value, 4)
