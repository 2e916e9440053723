"""Attacks on files: metadata, names, vectors, spreadsheets, web pages; none says who, where or when."""

import getpass
import io
import json
import re
import socket
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from outputs_under_attack import CAUTIOUS, IDENTIFIER, everything_readable, png_chunks, raw_frames
from PIL import Image, PngImagePlugin

from jobchance import DisclosurePolicy, figures, save_figure
from jobchance.disclosure.check import protect
from jobchance.disclosure.export import export_frame
from jobchance.disclosure.ledger import DisclosureLedger
from jobchance.errors import DisclosureError, SpecError
from jobchance.figures.base import CatalogueFigure
from jobchance.report.bundle import write_bundle
from jobchance.report.output import Output
from jobchance.report.workbook import workbook_bytes

CLOCK = re.compile(r"(CreationDate|ModDate|dcterms:(created|modified)|<dc:date>)")


def traces(text):
    """Names of this machine, its user and its folders that stand in a text."""
    names = {str(Path.home()), str(Path.cwd()), "/tmp/", socket.gethostname(), f"/{getpass.getuser()}/"}
    return {name for name in names if len(name) > 3 and name in text}


def files(folder):
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


@pytest.mark.parametrize("lang", ["da", "en"])
def test_no_file_of_the_note_holds_an_identifier_a_path_a_user_or_a_clock(note_folders, lang):
    found = {}
    for path in files(note_folders[lang]):
        ending = path.suffix[1:]
        text = everything_readable(path.read_bytes(), ending) if ending != "png" else ""
        assert not traces(text), path.name
        assert not CLOCK.search(text), path.name
        found |= {match.group(0): path.name for match in IDENTIFIER.finditer(text)}
    assert not found


def test_control_the_search_finds_what_is_planted(tmp_path):
    assert IDENTIFIER.search("label,C000017,2")
    assert traces(f"saved in {Path.home()}/secret")
    image = Image.new("RGB", (4, 4))
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "C000017")
    image.save(tmp_path / "x.png", pnginfo=info)
    assert IDENTIFIER.search(everything_readable((tmp_path / "x.png").read_bytes(), "png"))
    book = openpyxl.Workbook()
    book.active["A1"] = "C000017"
    book.save(tmp_path / "x.xlsx")
    text = everything_readable((tmp_path / "x.xlsx").read_bytes(), "xlsx")
    assert IDENTIFIER.search(text)
    assert CLOCK.search(text)


def test_pictures_hold_pixels_and_nothing_else(note_folders):
    pictures = [path for path in files(note_folders["en"]) if path.suffix == ".png"]
    assert pictures
    for path in pictures:
        kinds = {kind for kind, _ in png_chunks(path.read_bytes())}
        assert kinds <= {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"pHYs"}, path.name


def test_file_names_are_those_of_the_catalogue(note_folders):
    for path in files(note_folders["en"]):
        assert re.fullmatch(r"(status_note|manifest|[FT]\d+_[a-z_]+)\.(html|xlsx|json|csv|png)", path.name)


def test_hidden_rows_cannot_be_read_anywhere(note_folders):
    hidden = 0
    for path in sorted(note_folders["en"].glob("figures/*.csv")):
        frame = pd.read_csv(path)
        if "suppressed" in frame and frame["suppressed"].any():
            gone = frame[frame["suppressed"]]
            hidden += len(gone)
            results = [c for c in ("estimate", "share", "value", "conf_low", "conf_high") if c in gone]
            assert (
                gone[[*results, *[c for c in gone if c in ("N_citizens", "N_events")]]].isna().all(axis=None)
            )
    assert hidden, "the attack has something to attack"


def test_the_page_runs_nothing_and_fetches_nothing(note_folders):
    page = (note_folders["en"] / "status_note.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|javascript:|<iframe|\son\w+=", page)
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert not re.search(r"<meta name=.(author|creator|date)", page)


def test_the_workbook_names_nobody_and_hides_nothing(note_folders):
    content = (note_folders["en"] / "status_note.xlsx").read_bytes()
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.properties.creator in (None, "", "openpyxl")
    assert book.properties.lastModifiedBy is None
    assert all(sheet.sheet_state == "visible" for sheet in book.worksheets)
    assert not any(c.comment for sheet in book.worksheets for row in sheet.iter_rows() for c in row)
    assert not [
        n for n in zipfile.ZipFile(io.BytesIO(content)).namelist() if "custom" in n or "external" in n
    ]


@pytest.mark.parametrize("evil", ["=HYPERLINK(1)", "+1+1", "-1+2", "@SUM(1)", "\t=1", "\r=1", "'=1"])
def test_labels_that_are_spreadsheet_formulas_stay_text(evil):
    output = Output("F0", "test", pd.DataFrame({"label": [evil]}), b"", evil, "", "", "", "", "")
    content = workbook_bytes([output], {"label": evil}, contents_title="c", column_title=evil)
    book = openpyxl.load_workbook(io.BytesIO(content))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert any(cell.value == evil or str(cell.value).strip() == evil.strip() for cell in cells)
    assert not [cell for cell in cells if cell.data_type == "f"]


# --- vector graphics -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A figure with hidden rows in every format, and the frame before hiding."""
    raw = raw_frames()["belief_gradient"]
    policy = DisclosurePolicy(formats=("png", "pdf", "svg", "csv", "json"))
    frame = export_frame(protect(raw, policy, output="F15"), policy)
    folder = tmp_path_factory.mktemp("vector")
    figure = figures.belief_gradient(frame, lang="en")
    save_figure(figure, frame, folder / "F15", policy=policy, formats=("png", "pdf", "svg"))
    return folder, raw, frame


@pytest.mark.parametrize("ending", ["pdf", "svg", "json", "csv"])
def test_vector_files_hold_neither_hidden_numbers_nor_a_mark_for_each_person(saved, ending):
    folder, raw, frame = saved
    text = everything_readable((folder / f"F15.{ending}").read_bytes(), ending)
    hidden = frame["suppressed"].to_numpy(dtype=bool)
    assert hidden.any()
    secrets = raw.loc[hidden, ["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float).ravel()
    for secret in secrets[np.isfinite(secrets) & (secrets > 0) & (secrets < 1)]:
        assert f"{secret:.6f}" not in text
        assert f"{100 * secret:.3f}" not in text
    assert not traces(text)
    assert not IDENTIFIER.search(text)
    # Text is drawn as glyphs in an svg; the marks of the data are those that are clipped to the axes.
    marks = text.count("clip-path=") if ending == "svg" else text.count(" re\nf")
    assert marks < int(raw["N_citizens_total"].iloc[0])


def test_control_an_unprotected_picture_holds_the_hidden_number(tmp_path):
    from matplotlib.figure import Figure

    picture = Figure()
    picture.text(0.1, 0.1, "0.123457", parse_math=False)
    target = io.BytesIO()
    picture.savefig(target, format="svg")
    assert "0.123457" in everything_readable(target.getvalue(), "svg")
    assert CLOCK.search(target.getvalue().decode())


def test_the_same_bytes_whoever_draws_and_whenever(saved, tmp_path):
    folder, _, frame = saved
    policy = DisclosurePolicy(formats=("png", "pdf", "svg", "csv", "json"))
    figure = figures.belief_gradient(frame, lang="en")
    save_figure(figure, frame, tmp_path / "F15", policy=policy, formats=("png", "pdf", "svg"))
    for path in files(folder):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


# --- the ledger ------------------------------------------------------------------------------------------


def test_a_ledger_cannot_be_written_into_a_bundle(tmp_path):
    ledger = DisclosureLedger.create(tmp_path / "exports.ledger")
    with pytest.raises(DisclosureError, match="ledgers"):
        write_bundle(tmp_path / "out", {"innocent.csv": ledger.path.read_bytes()}, {})
    assert not (tmp_path / "out").exists()


def test_figures_are_held_against_the_ledger(tmp_path, saved):
    _, _, frame = saved
    figure = figures.belief_gradient(frame, lang="en")
    assert isinstance(figure, CatalogueFigure)
    ledger = DisclosureLedger.create(tmp_path / "exports.ledger")
    save_figure(figure, frame, tmp_path / "a", policy=CAUTIOUS, ledger=ledger, sample=range(400))
    save_figure(figure, frame, tmp_path / "b", policy=CAUTIOUS, ledger=ledger.path, sample=iter(range(400)))
    with pytest.raises(DisclosureError, match="differencing"):
        save_figure(figure, frame, tmp_path / "c", policy=CAUTIOUS, ledger=ledger, sample=range(399))
    assert not list(tmp_path.glob("c.*"))
    for one in ({"ledger": ledger}, {"sample": range(400)}, {"cells": {"a": range(100)}}):
        with pytest.raises(SpecError, match="belong together"):
            save_figure(figure, frame, tmp_path / "d", policy=CAUTIOUS, **one)
    assert "ledger" not in json.loads((tmp_path / "a.json").read_text())
