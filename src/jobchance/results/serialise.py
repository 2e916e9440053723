"""A fit as JSON values and back: everything but the rows behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from jobchance.errors import SpecError
from jobchance.results.parts import (
    Inference,
    JointCovariance,
    Predictor,
    RandomPart,
    RandomStructure,
    Sample,
)

if TYPE_CHECKING:
    from jobchance.results.fit import Fit

FORMAT = "jobchance.fit/3"

# Who reads a stored coding back. A closed list: a stored fit cannot name code of its own. By name, because
# results and design stand side by side and neither knows the other.
_PREDICTORS = {"design": ("jobchance.design.layout", "read_layout")}

_PLAIN = ("model", "outcome", "loglik", "criterion", "n_scale", "converged", "is_singular")
_MAPPINGS = ("spec", "statistics", "conventions", "provenance")


def to_dict(fit: Fit, *, random_effects: bool) -> dict[str, Any]:
    """See `Fit.to_dict`."""
    stored: dict[str, Any] = {"format": FORMAT}
    stored |= {name: getattr(fit, name) for name in _PLAIN}
    stored |= {name: dict(getattr(fit, name)) for name in _MAPPINGS}
    stored |= {
        "terms": list(fit.terms),
        "estimates": fit.estimates.tolist(),
        "covariance": fit.covariance.tolist(),
        "remarks": list(fit.remarks),
        "inference": {
            "kind": fit.inference.kind,
            "label": fit.inference.label,
            "clusters": dict(fit.inference.clusters),
            "factors": dict(fit.inference.factors),
            "df": fit.inference.df,
            "notes": list(fit.inference.notes),
            "effective_clusters": list(fit.inference.effective_clusters),
        },
        "sample": {
            "nobs": fit.sample.nobs,
            "groups": dict(fit.sample.groups),
            "dropped": dict(fit.sample.dropped),
            "n_singletons": fit.sample.n_singletons,
            "dropped_terms": list(fit.sample.dropped_terms),
        },
        "variance_components": None
        if fit.variance_components is None
        else fit.variance_components.to_dict("records"),
        "diagnostics": {name: _frame_to_dict(frame) for name, frame in fit.diagnostics.items()},
        "predictor": None if fit.predictor is None else fit.predictor.to_dict(),
        "random": [_random_to_dict(part) for part in fit.random] if random_effects else [],
        "structure": [_structure_to_dict(term) for term in fit.structure],
        "joint": None if fit.joint is None else _joint_to_dict(fit.joint),
    }
    plain: dict[str, Any] = _jsonable(stored)
    return plain


def parts(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `Fit` from what `to_dict` stored.

    Raises
    ------
    SpecError
        Not a stored fit, another format, or parts are missing.
    """
    found = stored.get("format") if isinstance(stored, Mapping) else None
    if found != FORMAT:
        other = isinstance(found, str) and found.startswith(FORMAT.split("/")[0])
        raise SpecError(
            f"This is a stored fit of format {found}, but this version reads {FORMAT}: fit the model again."
            if other
            else f"This is not a stored fit of format {FORMAT}."
        )
    try:
        return _read(_restored(stored))
    except (KeyError, TypeError, ValueError) as error:
        raise SpecError(f"The stored fit is damaged: {type(error).__name__} in its parts.") from error


def _read(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `Fit`, with numbers restored."""
    components = stored["variance_components"]
    k = len(stored["terms"])
    df = stored["inference"]["df"]
    inference = stored["inference"] | {"notes": tuple(stored["inference"]["notes"])}
    sample = stored["sample"] | {"dropped_terms": tuple(stored["sample"]["dropped_terms"])}
    return {name: stored[name] for name in (*_PLAIN, *_MAPPINGS, "terms", "remarks")} | {
        "estimates": np.array(stored["estimates"], dtype=float),
        "covariance": np.array(stored["covariance"], dtype=float).reshape(k, k),
        "inference": Inference(**inference | {"df": tuple(df) if isinstance(df, list) else df}),
        "sample": Sample(**sample),
        "variance_components": None if components is None else components_frame(components),
        "diagnostics": {name: _read_frame(frame) for name, frame in stored["diagnostics"].items()},
        "predictor": _read_predictor(stored["predictor"]),
        "random": tuple(_read_random(part) for part in stored["random"]),
        "structure": tuple(_read_structure(term) for term in stored["structure"]),
        "joint": None if stored["joint"] is None else _read_joint(stored["joint"]),
    }


def components_frame(records: list[dict[str, Any]]) -> pd.DataFrame:
    """Variance components as the frame that `Fit` promises: `group term sd variance correlation`."""
    numbers = {
        name: np.array([np.nan if r.get(name) is None else r[name] for r in records], dtype=float)
        for name in ("sd", "variance", "correlation")
    }
    return pd.DataFrame(
        {"group": [r["group"] for r in records], "term": [r["term"] for r in records]} | numbers
    )


def _frame_to_dict(frame: pd.DataFrame) -> dict[str, Any]:
    """A table by columns, with their types: an empty or all-missing column keeps its own."""
    return {
        "dtypes": {str(name): str(column.dtype) for name, column in frame.items()},
        "columns": {str(name): column.tolist() for name, column in frame.items()},
    }


def _read_frame(stored: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series(values, dtype=stored["dtypes"][name]) for name, values in stored["columns"].items()}
    )


def _random_to_dict(part: RandomPart) -> dict[str, Any]:
    return {
        "group": part.group,
        "terms": list(part.terms),
        "levels": list(part.levels),
        "modes": part.modes.tolist(),
        "mode_sds": part.mode_sds.tolist(),
        "predictor": None if part.predictor is None else part.predictor.to_dict(),
    }


def _read_random(stored: Mapping[str, Any]) -> RandomPart:
    shape = (len(stored["levels"]), len(stored["terms"]))
    return RandomPart(
        group=stored["group"],
        terms=tuple(stored["terms"]),
        levels=tuple(stored["levels"]),
        modes=np.array(stored["modes"], dtype=float).reshape(shape),
        mode_sds=np.array(stored["mode_sds"], dtype=float).reshape(shape),
        predictor=_read_predictor(stored["predictor"]),
    )


def _structure_to_dict(term: RandomStructure) -> dict[str, Any]:
    return {
        "group": term.group,
        "columns": list(term.columns),
        "sizes": list(term.sizes),
        "theta": list(term.theta),
        "predictor": None if term.predictor is None else term.predictor.to_dict(),
    }


def _read_structure(stored: Mapping[str, Any]) -> RandomStructure:
    return RandomStructure(
        group=stored["group"],
        columns=tuple(stored["columns"]),
        sizes=tuple(stored["sizes"]),
        theta=tuple(stored["theta"]),
        predictor=_read_predictor(stored["predictor"]),
    )


def _joint_to_dict(joint: JointCovariance) -> dict[str, Any]:
    return {
        "names": list(joint.names),
        "estimates": joint.estimates.tolist(),
        "covariance": joint.covariance.tolist(),
    }


def _read_joint(stored: Mapping[str, Any]) -> JointCovariance:
    k = len(stored["names"])
    return JointCovariance(
        names=tuple(stored["names"]),
        estimates=np.array(stored["estimates"], dtype=float),
        covariance=np.array(stored["covariance"], dtype=float).reshape(k, k),
    )


def _read_predictor(stored: Mapping[str, Any] | None) -> Predictor | None:
    if stored is None:
        return None
    module, function = _PREDICTORS[stored["kind"]]
    reader = getattr(import_module(module), function)
    predictor: Predictor = reader(stored)
    return predictor


def _jsonable(value: Any) -> Any:
    """Plain JSON values; NaN and infinities, which JSON does not have, become `{"float": ...}`."""
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(v) for v in value]
    if isinstance(value, np.generic):
        return _jsonable(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _restored(value: Any) -> Any:
    """Inverse of `_jsonable`."""
    if isinstance(value, Mapping):
        if set(value) == {"float"}:
            return float(value["float"])
        return {k: _restored(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_restored(v) for v in value]
    return value
