"""What holds for any study folder: order and format do not matter, and no input breaks more than itself."""

from __future__ import annotations

import random
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobchance.errors import SchemaError
from jobchance.simulate.dummy import dummy_tables
from jobchance.study.fingerprint import fingerprint_tables
from jobchance.study.raw import raw_column
from jobchance.study.read import read_study
from jobchance.study.validate import validate_study

SECRET = "HEMMELIG"
TOML = """
[study]
name = "x"
source = "y"
language = "en"
data_through = 2016-12-31
[analysis]
belief_item = "citizen_1"
"""
RELAXED = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@cache
def _tables() -> dict[str, pd.DataFrame]:
    return dummy_tables(n_citizens=6, seed=99)


@cache
def _texts() -> dict[str, str]:
    texts = {}
    for name, table in _tables().items():
        plain = table.copy()
        for column in plain:
            if column.endswith("_id") and column != "item_id" and plain[column].notna().all():
                plain[column] = SECRET + plain[column]
        texts[name] = plain.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n")
    return texts


@RELAXED
@given(seed=st.integers(0, 2**32 - 1))
def test_fingerprint_ignores_the_order_of_rows_and_columns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shuffled = {
        name: table.iloc[rng.permutation(len(table))][list(rng.permutation(table.columns))]
        for name, table in reversed(_tables().items())
    }
    assert fingerprint_tables(shuffled) == fingerprint_tables(_tables())


@RELAXED
@given(
    values=st.lists(
        st.one_of(
            st.none(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(10**15), 10**15),
            st.booleans(),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_numbers_as_text_give_the_numbers_back(values: list[float | None]) -> None:
    raw = raw_column(pd.Series(values, dtype=object))
    assert raw is not None
    for code, value in zip(raw.codes, values, strict=True):
        assert (code < 0) == (value is None)
        assert value is None or float(raw.texts[code]) == float(value)


def _mutate(rng: random.Random, text: bytes) -> bytes:
    """Cut, repeat, swap or spoil a few places of a file."""
    for _ in range(rng.randint(1, 4)):
        place = rng.randint(0, max(len(text) - 1, 0))
        kind = rng.randint(0, 6)
        if kind == 0:
            text = text[:place]
        elif kind == 1:
            text = text[:place] + text[max(0, place - 40) :]
        elif kind == 2:
            text = (
                text[:place]
                + rng.choice([b'"', b",", b"\n", b";", b"\x00", b"\xff", b"=", b"\t"])
                + text[place:]
            )
        elif kind == 3:
            lines = text.split(b"\n")
            rng.shuffle(lines)
            text = b"\n".join(lines)
        elif kind == 4:
            text = text.replace(
                rng.choice([b",", b"1", b"-", b"citizen", b"2013"]), rng.choice([b"", b"x", b"9"]), 5
            )
        elif kind == 5:
            text = (
                text[:place]
                + str(rng.choice([10**20, -1, 1e308, "010190-1234", "é"])).encode()
                + text[place:]
            )
        else:
            header, _, rest = text.partition(b"\n")
            names = header.split(b",")
            names.pop(rng.randrange(len(names)))
            text = b",".join(names) + b"\n" + rest
    return text


@pytest.mark.skipif(sys.platform == "win32", reason="paths of the temporary folder")
@pytest.mark.parametrize("seed", range(60))
def test_no_spoilt_folder_does_more_than_fail_validation(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    for name, text in _texts().items():
        content = text.encode()
        if rng.random() < 0.3:
            content = _mutate(rng, content)
        if rng.random() < 0.9:
            (tmp_path / f"{name}.csv").write_bytes(content)
    toml = TOML.encode()
    (tmp_path / "study.toml").write_bytes(_mutate(rng, toml) if rng.random() < 0.2 else toml)
    report = validate_study(tmp_path)
    told = report.render("da") + report.render("en") + repr(report)
    if not report.ok:
        with pytest.raises(SchemaError) as caught:
            read_study(tmp_path)
        told += str(caught.value)
    assert SECRET not in told
