"""`fit_two_rater`: two people's answers about one citizen; their disagreement as variation in belief."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from jobchance.design.build import build_design
from jobchance.design.columns import counted
from jobchance.design.nodes import quoted
from jobchance.errors import IdentificationError, SpecError
from jobchance.identification.cards import Assumption, checks_frame, judge_p
from jobchance.identification.thresholds import Thresholds
from jobchance.identification.two_rater_rows import FORMER, PAIRS, two_rater_rows
from jobchance.numerics.two_rater import Floats, TwoRaters, two_raters
from jobchance.options import check_option
from jobchance.panel.model import AnalysisPanel
from jobchance.results.covariance import covariance
from jobchance.results.fit import Fit
from jobchance.results.parts import Rows, Sample
from jobchance.results.provenance import provenance
from jobchance.results.vcov import Cluster, Robust, Vcov, check_vcov, vcov_columns


def fit_two_rater(
    data: AnalysisPanel | pd.DataFrame,
    *,
    outcome: str = "outcome",
    raters: tuple[str, str] = ("belief_first", "belief_second"),
    proxy: str | None = "citizen_score",
    covariates: Iterable[str] = (),
    pair: str = "caseworkers",
    vcov: Vcov | None = None,
    thresholds: Thresholds | None = None,
) -> Fit:
    r"""Effect of one rater's belief, with the trait that both raters see held fixed.

    .. math::
        T_1 = \theta + b_1,\quad T_2 = \phi\theta + b_2,\quad Z = \zeta\theta + z,\quad
        Y = \kappa\theta + \gamma_1 T_1 + \gamma_2 T_2 + e

    net of covariates, with the errors `b1`, `b2`, `z` independent of each other, of the trait and of `e`.
    `gamma` is the change in the outcome's share per step of that rater's answer; `kappa` is prediction: what
    both see and nobody's belief makes. Solved from the second moments in closed form.

    Parameters
    ----------
    data : AnalysisPanel or DataFrame
        A panel is first turned into one row per citizen (`two_rater_rows`); a frame has one row per citizen.
    outcome : str
        Column of the outcome, after both ratings.
    raters : pair of str
        Columns of the first and the second rating.
    proxy : str or None
        A third measure of the trait with no effect of its own. `None`: both raters use one scale
        (:math:`\phi = 1`) and the first rating has no effect (:math:`\gamma_1 = 0`); then only the second
        rater's belief is estimated.
    covariates : iterable of str
        Columns that ratings, proxy and outcome are made net of, linearly.
    pair : {"caseworkers", "citizen"}
        For a panel: two successive caseworkers, or the citizen (first) and the caseworker (second).
    vcov : Cluster, Robust or None
        `None`: clustered by `caseworker_id` (that of the second rating) and `former_caseworker_id`, as far as
        these columns are there.
    thresholds : Thresholds or None
        Limits of the checks.

    Returns
    -------
    Fit
        Terms are the raters' columns. `statistics`: `kappa phi zeta` and the variance of the trait and of the
        raters' errors, `disagreement` (share of the second rating's variance that is its own), `base_rate`.
        `diagnostics["checks"]`: the assumptions.

    Raises
    ------
    SpecError
        Unknown columns or pair; for the citizen and the caseworker of a panel no proxy of its own.
    IdentificationError
        Too few citizens with two ratings; raters who never disagree, or agree on nothing; a proxy that says
        nothing about the trait.

    Notes
    -----
    Two caseworkers who read the same file, or a second one who knows the first one's answer, have dependent
    errors; then the belief's effect is estimated too low or too high, and nothing in the data tells. The
    model is linear, but answers from 1 to 5 and a rare outcome are not; and what the second caseworker does
    besides answering counts as if the answer did it. docs/explanation/two-raters.md has the size of these
    biases in simulations. What lasts of an answer counts: a rating that holds for one wave only does less
    than one that stands.

    References
    ----------
    Papageorge, Gershenson & Kang (2020), Review of Economics and Statistics 102, 234-251.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> trait = rng.normal(size=4000)
    >>> data = pd.DataFrame({"first": trait + rng.normal(size=4000), "second": trait + rng.normal(size=4000)})
    >>> data["history"] = trait + rng.normal(size=4000)
    >>> data["job"] = 0.5 * trait + 0.2 * data["second"] + rng.normal(size=4000)
    >>> fit = fit_two_rater(data, outcome="job", raters=("first", "second"), proxy="history")
    >>> bool(abs(fit.params["second"] - 0.2) < 3 * fit.std_errors["second"])
    True
    """
    limits = thresholds or Thresholds()
    check_option("pair", pair, PAIRS)
    if isinstance(data, AnalysisPanel) and pair == "citizen" and proxy in (None, "citizen_score"):
        raise SpecError(
            "pair='citizen' needs a proxy that neither rater gave, such as a column of work history: "
            "citizen_score holds the citizen's own answer, and citizens and caseworkers do not use one scale."
        )
    frame = two_rater_rows(data, pair=pair) if isinstance(data, AnalysisPanel) else data
    if not isinstance(frame, pd.DataFrame):
        raise SpecError(f"fit_two_rater takes a panel or a DataFrame, not {type(frame).__name__}.")
    if isinstance(raters, str) or len(tuple(raters)) != 2:
        raise SpecError("raters takes two columns, of the first and of the second rating.")
    measured = [*raters, *([] if proxy is None else [proxy])]
    adjust = _columns(frame, [outcome, *measured], tuple(covariates))
    kind = _vcov(frame, vcov)
    formula = f"{quoted(outcome)} ~ " + (" + ".join(map(quoted, adjust)) or "1")
    design = build_design(formula, frame, required=[*measured, *vcov_columns(kind)])
    rows = frame.iloc[design.used]
    net = [_residual(rows[c].to_numpy(dtype=float), design.matrix) for c in measured]
    _require(net, measured, limits)
    outcomes = _residual(design.outcome, design.matrix)
    solved = two_raters(outcomes, net[0], net[1], None if proxy is None else net[2])
    _require_solution(solved, net, limits)
    made = _Solved(solved, raters if proxy is not None else raters[1:], proxy is not None)
    kept = Rows(
        frame=frame,
        used=design.used,
        outcome=design.outcome,
        fitted=design.outcome - made.residual(design.outcome, net),
        fitted_fixed=design.outcome - made.residual(design.outcome, net),
        scores=made.influence,
        bread=np.eye(len(made.terms)) / len(rows),
        model_cov=made.influence.T @ made.influence / len(rows) ** 2,
        df_resid=float(len(rows) - design.matrix.shape[1] - len(made.terms)),
        k=design.matrix.shape[1] + len(made.terms),
    )
    cov, inference = covariance(kept, kind)
    fit = Fit(
        model="two raters (moments)",
        outcome=outcome,
        terms=made.terms,
        estimates=made.estimates,
        covariance=cov,
        inference=inference,
        sample=Sample(nobs=len(rows), groups=_groups(rows), dropped=design.dropped),
        spec={"formula": formula, "raters": list(raters), "proxy": proxy, "pair": pair},
        statistics=made.statistics(net) | {"base_rate": float(design.outcome.mean())},
        conventions={"scale": "the trait is on the scale of the first rating"},
        remarks=(_REMARK,),
        provenance=provenance(formula),
        rows=kept,
    )
    return replace(fit, diagnostics={"checks": checks_frame(_checks(fit, net, limits, pair=pair))})


_REMARK = (
    "Assumes that the raters err independently: they did not read each other's answer and do not share a "
    "file that both take at its word. Nothing in the data can show this."
)


@dataclass(frozen=True, eq=False)
class _Solved:
    """The raters' effects among the solved moments."""

    found: TwoRaters
    terms: tuple[str, ...]
    with_proxy: bool

    @property
    def _first(self) -> int:
        return 2 if self.with_proxy else 1

    @property
    def estimates(self) -> Floats:
        return self.found.estimates[: self._first]

    @property
    def influence(self) -> Floats:
        return self.found.influence[:, : self._first]

    def residual(self, outcome: Floats, net: list[Floats]) -> Floats:
        """Outcome less what the ratings' own effects say; the trait stays in."""
        ratings = net[:2] if self.with_proxy else net[1:2]
        effects = sum(b * t for b, t in zip(self.estimates, ratings, strict=True))
        out: Floats = outcome - outcome.mean() - effects
        return out

    def statistics(self, net: list[Floats]) -> dict[str, float]:
        """All other parameters, and how much of the second rating is the rater's own."""
        values = dict(zip(self.found.names, self.found.estimates.tolist(), strict=True))
        kept = {k: v for k, v in values.items() if not k.startswith("gamma")}
        return kept | {"disagreement": values["variance_error2"] / float(np.mean(net[1] ** 2))}


def _columns(frame: pd.DataFrame, needed: Sequence[str], covariates: tuple[str, ...]) -> tuple[str, ...]:
    """Covariates, once every column is there."""
    absent = [c for c in (*needed, *covariates) if c not in frame]
    if absent:
        raise SpecError(f"fit_two_rater needs columns that the data do not have: {', '.join(absent)}.")
    return covariates


def _vcov(frame: pd.DataFrame, vcov: Vcov | None) -> Vcov:
    if vcov is not None:
        return check_vcov(vcov)
    known = [column for column in ("caseworker_id", FORMER) if column in frame]
    return Cluster(*known) if known else Robust()


def _residual(values: Floats, X: Floats) -> Floats:
    """Values net of the columns of X."""
    out: Floats = values - X @ np.linalg.lstsq(X, values, rcond=None)[0]
    return out


def _groups(rows: pd.DataFrame) -> dict[str, int]:
    return {c: int(rows[c].nunique()) for c in ("citizen_id", "caseworker_id") if c in rows}


def _require(net: Sequence[Floats], measured: Sequence[str], limits: Thresholds) -> None:
    """Refuse too few citizens, ratings that do not vary or agree on nothing, a proxy that says nothing."""
    n = len(net[0])
    lacks: list[tuple[str, str]] = []
    if n < limits.min_raters:
        lacks.append(
            (
                "two_ratings",
                f"{counted(n, 'citizen')} with two ratings, at least {limits.min_raters:g} needed",
            )
        )
    flat = [name for name, values in zip(measured, net, strict=True) if not np.ptp(values) > 1e-9]
    if flat:
        lacks.append(("ratings_vary", f"no variation in {', '.join(flat)}"))
    if not lacks:
        pairs = [(0, 1), *([(0, 2), (1, 2)] if len(net) > 2 else [])]
        poor = [(i, j) for i, j in pairs if _correlation_p(net[i], net[j]) > limits.fail_p]
        lacks += [("common_trait", f"{measured[i]} and {measured[j]} do not go together") for i, j in poor]
    if lacks:
        raise IdentificationError(
            "Two raters cannot be told apart from what both see: "
            + "; ".join(text for _, text in lacks)
            + ".",
            tuple(dict.fromkeys(key for key, _ in lacks)),
        )


def _correlation_p(a: Floats, b: Floats) -> float:
    """p-value of a correlation above zero (one-sided)."""
    r = float(a @ b / np.sqrt((a @ a) * (b @ b)))
    return float(stats.norm.sf(r * np.sqrt(len(a) - 1)))


def _require_solution(found: TwoRaters, net: Sequence[Floats], limits: Thresholds) -> None:
    """Refuse ratings without disagreement."""
    values = dict(zip(found.names, found.estimates.tolist(), strict=True))
    shares = [values[f"variance_error{k + 1}"] / float(np.mean(net[k] ** 2)) for k in range(2)]
    if min(shares) < limits.min_disagreement:
        raise IdentificationError(
            f"The raters' own part of their answers is estimated at {100 * shares[0]:.0f} and "
            f"{100 * shares[1]:.0f} per cent of the variance; below {100 * limits.min_disagreement:.0f} "
            "there is no disagreement to learn from.",
            ("disagreement",),
        )


def _checks(fit: Fit, net: Sequence[Floats], limits: Thresholds, *, pair: str) -> list[Assumption]:
    """What the model assumes, and the little that can be tested."""
    clusters = min(fit.inference.clusters.values(), default=fit.nobs)
    checks = [
        Assumption(
            "enough_clusters",
            "holds" if clusters >= limits.min_clusters else "fails",
            test="count",
            value=float(clusters),
            threshold=limits.min_clusters,
        ),
        Assumption("independent_errors", "doubtful"),
        Assumption("linear_measurement", "doubtful"),
        Assumption("acts_through_answer", "doubtful"),
    ]
    if len(net) == 2:
        return [
            *checks,
            Assumption("one_scale", "doubtful"),
            Assumption("first_rating_without_effect", "doubtful"),
        ]
    checks.append(Assumption("proxy_without_effect", "doubtful"))
    if pair == "caseworkers":
        # the former caseworker is gone: a belief that still acts means that beliefs last, or a wrong model
        p = float(fit.pvalues.iloc[0])
        checks.append(
            Assumption(
                "first_rating_without_effect",
                judge_p(p, limits),
                test="placebo_first_rating",
                statistic=float(fit.statistic.iloc[0]),
                p_value=p,
            )
        )
    return checks
