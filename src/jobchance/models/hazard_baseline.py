"""The baseline of a hazard model: its level by period, as terms of a formula."""

from __future__ import annotations

import re

from jobchance.design.formula import Formula
from jobchance.design.nodes import Name, render
from jobchance.errors import SpecError

FORMS = ("steps", "linear", "polynomial:<degree>", "spline:<df>", "none")
_SIZED = re.compile(r"(polynomial|spline):([1-9][0-9]?)")


def check_baseline(baseline: str) -> str:
    """`baseline`, if it is a form that is known.

    Raises
    ------
    SpecError
        It is not.
    """
    known = isinstance(baseline, str) and (
        baseline in ("steps", "linear", "none") or _SIZED.fullmatch(baseline) is not None
    )
    if not known:
        raise SpecError(
            f"baseline={baseline!r} is not known. Allowed: {', '.join(FORMS)}, such as 'polynomial:2'."
        )
    return baseline


def with_baseline(formula: Formula, *, time: str | None, baseline: str, more: str = "") -> str:
    """Text of the formula with the terms of the baseline first, and further terms last."""
    left, right = formula.text.split("~", 1)
    rest = right.strip()
    if baseline != "none" and time is not None:
        rest = f"{_terms(time, baseline)} {'' if rest.startswith('-') else '+ '}{rest}"
    return f"{left.strip()} ~ {rest}{more}"


def _terms(time: str, baseline: str) -> str:
    """The terms of one form."""
    column = render(Name(time))
    sized = _SIZED.fullmatch(baseline)
    if sized is None:
        return f"C({column})" if baseline == "steps" else column
    return f"poly({column}, {sized[2]})" if sized[1] == "polynomial" else f"spline({column}, df={sized[2]})"
