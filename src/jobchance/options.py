"""Closed lists of options: one clear error that names the allowed values and the nearest one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from jobchance.errors import SpecError


def check_option(name: str, value: str, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of `allowed`; otherwise raise with the list and the nearest option.

    Parameters
    ----------
    name : str
        The argument's name, as the user wrote it.
    value : str
        What the user gave.
    allowed : iterable of str
        The closed list.

    Returns
    -------
    str
        `value`, unchanged.

    Raises
    ------
    SpecError
        `value` is not in the list.
    """
    options = list(allowed)
    if value in options:
        return value
    near = get_close_matches(str(value), options, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SpecError(f"{name}={value!r} is not known. Allowed: {', '.join(options)}.{hint}")
