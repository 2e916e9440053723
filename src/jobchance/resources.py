"""Where the package's own data files are: inside the wheel, or at the top of a source checkout."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path


@cache
def data_folder() -> Path:
    """Folder with `schemas/`, `codelists/` and `instruments/` (wheel first, then checkout)."""
    installed = Path(str(files("jobchance"))) / "data"
    if (installed / "schemas").is_dir():
        return installed
    return Path(__file__).resolve().parents[2] / "data"


def read_data_text(*parts: str) -> str:
    """Text of one shipped data file, UTF-8."""
    return data_folder().joinpath(*parts).read_text(encoding="utf-8")
