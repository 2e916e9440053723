"""Run `analyses/<name>/run.py`: a script with `main(*, out, lang, study, policy)`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from jobchance.errors import SpecError
from jobchance.report.bundle import check_target

if TYPE_CHECKING:
    from jobchance.disclosure.policy import DisclosurePolicy


def run_analysis(folder: Path, *, out: Path, lang: str, study: Path | None, policy: DisclosurePolicy) -> None:
    """Load the analysis' script and call its `main`.

    Raises
    ------
    SpecError
        The folder has no `run.py`, or that script has no `main`.
    """
    script = folder / "run.py"
    if not script.is_file():
        raise SpecError(f"{folder.name} is not an analysis: it has no run.py.")
    spec = importlib.util.spec_from_file_location(f"jobchance_analysis_{folder.name}", script)
    # A .py file always has a loader.
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    main = getattr(module, "main", None)
    if main is None:
        raise SpecError(f"{folder.name}/run.py has no function main(*, out, lang, study, policy).")
    main(out=check_target(out), lang=lang, study=study, policy=policy)
