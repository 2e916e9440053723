"""Reference cases from public data, beside the project; tests that need them skip where they are absent."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"


class Case:
    """One expected/<case>.json with its data."""

    def __init__(self, name):
        path = REFERENCE / "expected" / f"{name}.json"
        if not path.exists():
            pytest.skip(f"reference case {name} is not available ({path})")
        self.entry = json.loads(path.read_text(encoding="utf-8"))
        self.data = [pd.read_csv(REFERENCE / part) for part in self.entry["data"]]

    def check(self, quantity, value):
        """Assert that a value is within the stated tolerance of the reference, element by element."""
        tolerance = self.entry["tolerance"][quantity]
        expected = np.asarray(self.entry["quantities"][quantity], dtype=float)
        allowed = tolerance.get("abs", 0) + tolerance.get("rel", 0) * np.abs(expected)
        difference = np.abs(np.asarray(value, dtype=float) - expected)
        assert np.all(difference <= allowed), f"{quantity}: {value} against {expected}, allowed {allowed}"
