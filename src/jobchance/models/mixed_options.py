"""Options of `fit_mixed`, checked together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobchance.errors import SpecError
from jobchance.numerics.mixed.families import DEFAULT_LINK, LINKS_OF
from jobchance.options import check_option

FAMILIES = ("gaussian", "binomial", "poisson", "ordinal")
METHODS = ("reml", "ml")
THRESHOLDS = ("free", "symmetric", "equidistant")
MAX_QUAD = 101


@dataclass(frozen=True)
class MixedOptions:
    """What was asked for beside formula and data, checked.

    Parameters
    ----------
    family, link : str
        Family and its link.
    method : str
        `"reml"` or `"ml"`; other families than gaussian are fitted by `"ml"`.
    n_quad : int
        Quadrature points; 1 is the Laplace approximation.
    thresholds : str
        Structure of the thresholds of an ordinal model.
    """

    family: str
    link: str
    method: str
    n_quad: int
    thresholds: str


def check_options(
    *, family: str, link: str | None, method: str, n_quad: int, thresholds: str
) -> MixedOptions:
    """Options that fit together.

    Raises
    ------
    SpecError
        Everything that does not.
    """
    check_option("family", family, FAMILIES)
    check_option("method", method, METHODS)
    check_option("thresholds", thresholds, THRESHOLDS)
    links = ("identity",) if family == "gaussian" else LINKS_OF[family]
    problems = []
    if link is not None and link not in links:
        problems.append(f"link={link!r} is not one of this family: {', '.join(links)}")
    if isinstance(n_quad, bool) or not isinstance(n_quad, int | np.integer) or not 1 <= n_quad <= MAX_QUAD:
        problems.append(f"n_quad is a whole number from 1 to {MAX_QUAD}")
    elif n_quad > 1 and family == "gaussian":
        problems.append("n_quad: a linear model is integrated exactly and needs no quadrature")
    if thresholds != "free" and family != "ordinal":
        problems.append("thresholds belong to family='ordinal'")
    if problems:
        raise SpecError("fit_mixed: " + "; ".join(problems) + ".")
    default = "identity" if family == "gaussian" else DEFAULT_LINK[family]
    return MixedOptions(
        family, link or default, method if family == "gaussian" else "ml", int(n_quad), thresholds
    )
