"""Saving: three files or none, the same bytes each time, and nothing that disclosure control refuses."""

import json
import os
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import jobchance.figures as room
from jobchance.disclosure.check import export_frame, protect
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.errors import DisclosureError, SpecError
from jobchance.figures import marks
from jobchance.figures.base import Description, finish, new_figure
from jobchance.figures.save import frame_hash, read_frame, save_figure

POLICY = DisclosurePolicy.preset("cautious_dk")


def frame(**columns):
    made = pd.DataFrame(
        {
            "level": ["1", "2", "3"],
            "label_da": ["nej", "i tvivl; måske", '=HYPERLINK("http://x")'],
            "share": [1 / 3, 0.2, 0.123456789],
            "N_citizens": [120, 100, 3],
            "rounded": [True, False, False],
            "horizon_weeks": 52,
        }
    ).assign(**columns)
    return export_frame(protect(made, POLICY, output="F0"), POLICY)


def draw(table, *, lang="da"):
    figure, (ax,) = new_figure(height_cm=4)
    marks.horizontal_bars(ax, list(table["label_da"]), table["share"])
    words = Description(
        "F0", "demo", lang, "Overskrift æøå", "", "N = 220", "test", "alt", {"share": "share"}, ("BT",)
    )
    return finish(figure, words)


@pytest.fixture
def demo(monkeypatch):
    """A catalogue figure called `demo`, for as long as one test lasts."""
    module = ModuleType("jobchance.figures.demo")
    module.REQUIRED, module.draw = ("level", "label_da", "share"), draw
    monkeypatch.setitem(sys.modules, "jobchance.figures.demo", module)
    names = room._names()
    monkeypatch.setattr(room, "_names", lambda: names | {"demo"})
    yield room.demo
    room._drawing.cache_clear()


def test_three_files_side_by_side_with_nothing_left_over(demo, tmp_path):
    table = frame()
    written = save_figure(demo(table), table, tmp_path / "new" / "F0_demo.png", policy=POLICY)
    assert [path.name for path in written] == ["F0_demo.png", "F0_demo.csv", "F0_demo.json"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "F0_demo.csv",
        "F0_demo.json",
        "F0_demo.png",
    ]


def test_twice_gives_the_same_bytes_and_pictures_carry_no_clock_or_version(demo, tmp_path):
    table = frame()
    policy = replace(POLICY, formats=("png", "pdf", "svg", "csv", "json"))
    kinds = ("png", "pdf", "svg")
    one, other = (
        [
            p.read_bytes()
            for p in save_figure(demo(table), table, tmp_path / n / "f", policy=policy, formats=kinds)
        ]
        for n in ("a", "b")
    )
    assert one == other
    assert b"Matplotlib" not in one[0]
    assert b"CreationDate" not in one[1]


def test_csv_is_utf8_with_unix_line_ends_and_seven_digits(demo, tmp_path):
    table = frame()
    save_figure(demo(table), table, tmp_path / "f", policy=POLICY)
    text = (tmp_path / "f.csv").read_bytes().decode("utf-8")
    assert "\r" not in text
    assert text.splitlines()[0] == "level,label_da,share,N_citizens,rounded,horizon_weeks,suppressed"
    assert text.splitlines()[1] == "1,nej,0.3333333,120,true,52,false"
    assert text.splitlines()[3].startswith("3,\"'=HYPERLINK(")  # harmless in a spreadsheet
    assert text.splitlines()[3].endswith(",,,false,52,true")  # hidden: neither share nor count


def test_json_describes_without_data(demo, tmp_path):
    table = frame()
    save_figure(demo(table), table, tmp_path / "f", policy=POLICY, disclosure_class="Frequencies")
    document = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert document["headline"] == "Overskrift æøå"
    assert document["frame_sha256"] == frame_hash(table)
    assert (document["policy"]["name"], document["disclosure_class"]) == ("cautious_dk", "Frequencies")
    assert (document["units"], document["published"]) == ({"share": "share"}, ["BT"])
    assert "0.3333333" not in json.dumps(document)


def test_redrawing_from_the_saved_table_gives_the_same_picture(demo, tmp_path):
    table = frame()
    save_figure(demo(table), table, tmp_path / "f", policy=POLICY)
    back = read_frame(tmp_path / "f")
    assert back["level"].tolist() == ["1", "2", "3"]
    assert back["label_da"].tolist() == table["label_da"].tolist()
    assert back["rounded"].tolist() == [True, False, False]
    save_figure(demo(back), back, tmp_path / "g", policy=POLICY)
    for ending in ("png", "csv"):
        assert (tmp_path / f"f.{ending}").read_bytes() == (tmp_path / f"g.{ending}").read_bytes()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "'=1", "''+1"])
def test_formula_like_texts_are_neutralised_and_come_back(demo, tmp_path, text):
    table = frame(label_da=[text, "b", "c"])
    save_figure(demo(table), table, tmp_path / "f", policy=POLICY)
    raw = pd.read_csv(tmp_path / "f.csv", dtype=str)
    assert raw.loc[0, "label_da"] == f"'{text}"
    assert read_frame(tmp_path / "f.csv").loc[0, "label_da"] == text


def test_a_frame_that_breaks_a_rule_leaves_nothing(demo, tmp_path):
    table = frame().assign(N_citizens=[120, 100, 3], share=[0.3, 0.2, 0.1234], suppressed=False)
    with pytest.raises(DisclosureError, match=r"F0 demo.*min_persons \(1 rows\)") as refused:
        save_figure(demo(table), table, tmp_path / "f", policy=POLICY)
    assert "0.1234" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_picture_must_be_of_the_frame(demo, tmp_path):
    table = frame()
    readable = table.assign(share=[0.3, 0.2, 0.1])
    with pytest.raises(DisclosureError, match="not drawn from the frame"):
        save_figure(demo(readable), table, tmp_path / "f", policy=POLICY)
    with pytest.raises(DisclosureError, match="not drawn from the frame"):
        save_figure(draw(table), table, tmp_path / "f", policy=POLICY)
    assert list(tmp_path.iterdir()) == []


def test_vector_graphics_need_the_policys_leave(demo, tmp_path):
    table = frame()
    with pytest.raises(DisclosureError, match="does not allow svg"):
        save_figure(demo(table), table, tmp_path / "f", policy=POLICY, formats=("png", "svg"))
    with pytest.raises(SpecError, match="formats"):
        save_figure(demo(table), table, tmp_path / "f", policy=POLICY, formats=("emf",))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["hjemsendelser/2026-11-22", "Hjemtag", "a/HJEMSENDELSER/b"])
def test_export_folders_are_refused(demo, tmp_path, folder):
    table = frame()
    with pytest.raises(SpecError, match="by hand"):
        save_figure(demo(table), table, tmp_path / folder / "f", policy=POLICY)
    assert list(tmp_path.iterdir()) == []


def test_export_folder_behind_a_link_is_refused(demo, tmp_path):
    (tmp_path / "hjemtag").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "hjemtag")
    table = frame()
    with pytest.raises(SpecError, match="by hand"):
        save_figure(demo(table), table, tmp_path / "out" / "f", policy=POLICY)


def test_file_names_are_ascii(demo, tmp_path):
    table = frame()
    with pytest.raises(SpecError, match="a-z"):
        save_figure(demo(table), table, tmp_path / "målerunde", policy=POLICY)


def test_a_failure_half_way_leaves_the_old_files(demo, tmp_path, monkeypatch):
    table = frame()
    save_figure(demo(table), table, tmp_path / "f", policy=POLICY)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls = iter(range(10))

    def no_room(*arguments, **options):
        if next(calls) == 1:
            raise OSError("no space left")
        return real(*arguments, **options)

    real = room.save.NamedTemporaryFile
    monkeypatch.setattr(room.save, "NamedTemporaryFile", no_room)
    other = frame(share=[0.5, 0.5, 0.5])
    with pytest.raises(OSError, match="no space"):
        save_figure(demo(other), other, tmp_path / "f", policy=POLICY)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]  # noqa: PTH208


def test_catalogue_functions_check_their_frame(demo):
    with pytest.raises(SpecError, match="lacks level, share"):
        demo(frame().drop(columns=["level", "share"]))
    with pytest.raises(SpecError, match="no rows"):
        demo(frame().iloc[:0])
    with pytest.raises(SpecError, match="lang"):
        demo(frame(), lang="dk")
    with pytest.raises(AttributeError, match="no catalogue figure 'nothing'"):
        _ = room.nothing


def test_names_stay_functions_after_their_modules_are_imported():
    for name in dir(room):
        __import__(f"jobchance.figures.{name}")
        assert callable(getattr(room, name)), name
        assert not isinstance(getattr(room, name), ModuleType), name


def test_missing_numbers_and_whole_floats_are_written_plainly(demo, tmp_path):
    table = frame(estimate=[1.0, np.nan, 2.0], N_rows=pd.array([12, None, 30], dtype="Int64"))
    save_figure(demo(table), table, tmp_path / "f", policy=POLICY)
    lines = (tmp_path / "f.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1].endswith("52,1,12,false")
    pd.testing.assert_series_equal(read_frame(tmp_path / "f")["estimate"], table["estimate"])
