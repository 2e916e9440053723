"""One drawing function per catalogue figure: `jc.figures.<catalogue name>(frame, *, lang="da")`.

A figure is a module `figures/<catalogue name>.py` with `REQUIRED` (the columns that it needs) and
`draw(frame, *, lang)`. Modules are found by their file names and imported on first use; modules that are no
figure are named in `_SHARED`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from jobchance.figures.base import CatalogueFigure

_SHARED = frozenset({"bars", "base", "direct", "frame", "grids", "layout", "lines", "marks", "save", "style"})


@cache
def _names() -> frozenset[str]:
    found = {module.name for module in iter_modules(__path__)}
    return frozenset(name for name in found - _SHARED if not name.startswith("_"))


@cache
def _drawing(name: str) -> Callable[..., CatalogueFigure]:
    """The public function of one figure: checks language and columns, then draws in the package's style."""
    module = import_module(f"{__name__}.{name}")

    def draw(frame: pd.DataFrame, *, lang: str = "da") -> CatalogueFigure:
        from jobchance.errors import SpecError
        from jobchance.figures.save import frame_hash
        from jobchance.figures.style import context
        from jobchance.formatting import LANGUAGES
        from jobchance.options import check_option

        check_option("lang", lang, LANGUAGES)
        missing = [column for column in module.REQUIRED if column not in frame.columns]
        if missing:
            raise SpecError(f"figure {name}: the frame lacks {', '.join(missing)}")
        if frame.empty:
            raise SpecError(f"figure {name}: the frame has no rows")
        with context():
            figure: CatalogueFigure = module.draw(frame, lang=lang)
        figure.frame_hash = frame_hash(frame)
        return figure

    draw.__name__ = draw.__qualname__ = name
    draw.__doc__ = module.draw.__doc__
    return draw


class _Room(ModuleType):
    """Keeps `figures.<name>` the function: importing a submodule would bind the module to the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and name in _names():
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Room


def __getattr__(name: str) -> Callable[..., CatalogueFigure]:
    if not name.startswith("_") and name in _names():
        return _drawing(name)
    raise AttributeError(f"there is no catalogue figure {name!r}; there are: {', '.join(sorted(_names()))}")


def __dir__() -> list[str]:
    return sorted(_names())
