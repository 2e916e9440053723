"""`Specification`: one way to run the analysis, frozen, with a key that is the same on every machine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property

from jobchance.errors import SpecError

LINEAR = ("pooled", "within")
LIKELIHOOD = ("logit", "mixed", "mixed_logit")
RUNG = "rung:"
MISSING = ("complete", "common", "indicator")
CR1 = "CR1"

Condition = tuple[str, str, str | float | bool | tuple[str | float, ...]]
"""Column, comparison (`== != < <= > >= in`), value: what a row must fulfil."""


@dataclass(frozen=True)
class Specification:
    """One choice on every dimension of a multiverse.

    Parameters
    ----------
    outcome : str
        Outcome rule, such as `"job"`.
    horizon_weeks : int
        Length of the outcome window.
    at_risk : str
        `"not_in_job"` or `"all"`, as in `build_panel`.
    exposure : str
        Column of the panel whose coefficient is reported.
    covariates : tuple of str
        Terms of the formula beside the exposure, sorted; `C(column)` for categories.
    sample : str
        Name of the sample rule.
    conditions : tuple of Condition
        What that rule asks of a row; all must hold.
    waves : tuple of int or None, twice
        First and last wave used, both included.
    estimator : str
        `"pooled"`, `"within"`, `"logit"`, `"mixed"`, `"mixed_logit"` or `"rung:<rung of the ladder>"`.
    absorb : tuple of str
        Factors whose effects are removed: beside the citizen's for `"within"`, alone for `"pooled"`.
    random : tuple of str
        Random-effects terms of the mixed estimators, such as `"(1 | caseworker_id)"`.
    vcov : str
        `"model"`, `"robust"`, or `"cluster:"` and one or more columns joined by `+`, with the kind behind
        another colon where it is not CR1 (`"cluster:jobcentre_id:CR2"`); `"own"` for a rung of the ladder,
        which has its own.
    missing : str
        `"complete"`: rows complete in this specification; `"common"`: rows complete in every covariate of the
        multiverse; `"indicator"`: missing covariates filled with the mean and marked by a column.
    """

    outcome: str
    horizon_weeks: int
    at_risk: str
    exposure: str
    covariates: tuple[str, ...] = ()
    sample: str = "all"
    conditions: tuple[Condition, ...] = ()
    waves: tuple[int | None, int | None] = (None, None)
    estimator: str = "pooled"
    absorb: tuple[str, ...] = ()
    random: tuple[str, ...] = ()
    vcov: str = "cluster:caseworker_id"
    missing: str = "complete"

    @cached_property
    def key(self) -> str:
        """Sixteen hexadecimal digits from everything above; independent of order of writing and machine."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def rung(self) -> str | None:
        """Rung of the ladder, or `None` for an estimator of one equation."""
        return self.estimator.removeprefix(RUNG) if self.estimator.startswith(RUNG) else None

    @property
    def clusters(self) -> tuple[str, ...]:
        """Columns of a clustered standard error; `()` for the other kinds."""
        if not self.vcov.startswith("cluster:"):
            return ()
        columns = tuple(self.vcov.removeprefix("cluster:").partition(":")[0].split("+"))
        if not all(columns):
            raise SpecError(f"vcov={self.vcov!r} names no column; write 'cluster:caseworker_id'.")
        return columns

    @property
    def cluster_kind(self) -> str:
        """Kind of a clustered standard error, as in `Cluster`; `"CR1"` where none is named."""
        return self.vcov.removeprefix("cluster:").partition(":")[2] or CR1
