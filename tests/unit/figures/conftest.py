"""Puts `tests/figures/extents.py` on the path for the tests of the figure base."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "figures"))
