"""Writing: what is written reads back as the same study, whole or not at all, and without the truth."""

from __future__ import annotations

import errno
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import jobchance as jc
from jobchance.errors import SpecError
from jobchance.simulate.dummy import dummy_tables
from jobchance.study import write as write_module
from jobchance.study.fingerprint import fingerprint_tables
from jobchance.study.instrument import read_instrument
from jobchance.study.model import Analysis, Study


@pytest.fixture
def study() -> Study:
    tables = dummy_tables(n_citizens=25, seed=2)
    gaps = tables["citizen"].copy()
    gaps["birth_year"] = gaps["birth_year"].astype(float).where(gaps.index % 3 > 0)
    gaps["convicted"] = gaps["convicted"].astype(float).where(gaps.index % 4 > 0)
    gaps = gaps.assign(
        own_number=np.arange(25) / 7, own_text='æøå, "citat"; \\ ok', own_flag=gaps.index % 2 == 0
    )
    gaps["own_date"] = pd.Timestamp("2014-02-03")
    gaps["own_code"] = [f"{row:03d}" for row in range(25)]
    return Study(
        tables={**tables, "citizen": gaps},
        instrument=read_instrument("bip"),
        name='Prøve "1"\\',
        source="Kilde: egne tal\n2016",
        data_kind="simulated",
        language="da",
        data_through=date(2016, 12, 31),
        dates_known=False,
        analysis=Analysis(belief_item="citizen_1", horizon_weeks=26, covariates=("birth_year", "own_number")),
        truth={"belief_effect": 0.123456789},
    )


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_written_study_reads_back_as_itself(study: Study, tmp_path: Path, format: str) -> None:
    jc.write_study(study, tmp_path / "out", format=format)
    again = jc.read_study(tmp_path / "out")
    assert again.fingerprint == study.fingerprint
    for part in (
        "name",
        "source",
        "data_kind",
        "language",
        "data_through",
        "dates_known",
        "analysis",
        "instrument",
    ):
        assert getattr(again, part) == getattr(study, part)
    assert again.truth is None
    assert not [path for path in (tmp_path / "out").iterdir() if b"0.123456789" in path.read_bytes()]
    assert again.tables["citizen"]["own_code"].iloc[1] == "001"
    assert again.tables["citizen"]["own_number"].iloc[1] == 1 / 7
    # Types depend on content only, never on the kind of file.
    jc.write_study(again, tmp_path / "twice", format="csv")
    third = jc.read_study(tmp_path / "twice")
    differences = {"own_flag", "own_date"}
    for name, table in again.tables.items():
        kept = [column for column in table if column not in differences]
        pd.testing.assert_frame_equal(third.tables[name][kept], table[kept])


def test_own_instrument_travels_with_the_study(study: Study, tmp_path: Path) -> None:
    item = study.instrument.items[0]
    changed = replace(
        item, text={"da": 'Tror du "det"?', "en": "Do you?"}, scale_max=4.5, categories={}, category_status={}
    )
    own = replace(study.instrument, name="own", version="2", items=(changed, *study.instrument.items[1:]))
    own = replace(
        own, scales=tuple(s for s in own.scales if item.item_id not in s.items or len(s.items) == 1)
    )
    jc.write_study(replace(study, instrument=own), tmp_path / "out")
    assert jc.read_study(tmp_path / "out").instrument == own
    assert 'instrument = "instrument.toml"' in (tmp_path / "out" / "study.toml").read_text(encoding="utf-8")


def test_shipped_instrument_is_named_and_not_copied(study: Study, tmp_path: Path) -> None:
    jc.write_study(study, tmp_path / "out")
    assert not (tmp_path / "out" / "instrument.toml").exists()


def test_existing_files_are_never_overwritten(study: Study, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    for name in ("full", "file"):
        with pytest.raises(SpecError, match="not empty"):
            jc.write_study(study, tmp_path / name)
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
    assert len(list((tmp_path / "full").iterdir())) == 1
    jc.write_study(study, tmp_path / "empty")
    assert jc.read_study(tmp_path / "empty").fingerprint == study.fingerprint


def test_a_failure_half_way_leaves_nothing(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(write_module, "study_toml", full_disk)
    with pytest.raises(SpecError, match="No space left"):
        jc.write_study(study, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_unknown_format(study: Study, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="Allowed: parquet, csv"):
        jc.write_study(study, tmp_path / "out", format="parkuet")
    assert not (tmp_path / "out").exists()


def test_same_study_gives_the_same_bytes(study: Study, tmp_path: Path) -> None:
    for format in ("csv", "parquet"):
        for name in ("a", "b"):
            jc.write_study(study, tmp_path / f"{format}{name}", format=format)
        for path in (tmp_path / f"{format}a").iterdir():
            assert path.read_bytes() == (tmp_path / f"{format}b" / path.name).read_bytes()


def test_fingerprint_sees_every_change(study: Study) -> None:
    reference = study.fingerprint
    assert len(reference) == 64
    tables = dict(study.tables)
    rating = tables["rating"].copy()
    rating.loc[3, "value"] = 2.0 if rating.loc[3, "value"] != 2.0 else 3.0
    assert fingerprint_tables({**tables, "rating": rating}) != reference
    assert fingerprint_tables({**tables, "rating": tables["rating"].iloc[1:]}) != reference
    assert fingerprint_tables({n: t for n, t in tables.items() if n != "extract"}) != reference
    renamed = tables["citizen"].rename(columns={"own_text": "own_words"})
    assert fingerprint_tables({**tables, "citizen": renamed}) != reference
    swapped = tables["citizen"].assign(own_code=tables["citizen"]["own_code"].to_numpy()[::-1])
    assert fingerprint_tables({**tables, "citizen": swapped}) != reference


@pytest.mark.parametrize(("format", "limit"), [("csv", 5.0), ("parquet", 3.0)])
def test_a_study_of_bip_size_reads_in_seconds(tmp_path: Path, format: str, limit: float) -> None:
    study = jc.simulate_study("bip", seed=8)
    assert len(study.tables["rating"]) > 200_000
    jc.write_study(study, tmp_path / "out", format=format)
    start = time.process_time()
    again = jc.read_study(tmp_path / "out")
    assert time.process_time() - start < limit
    assert again.fingerprint == study.fingerprint
