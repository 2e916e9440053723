import io

import numpy as np
import openpyxl
import pandas as pd

from jobchance.report.output import Output
from jobchance.report.workbook import workbook_bytes


def output(frame, id="F15", name="belief_gradient"):
    words = {"headline": "A headline", "note": "", "source": "", "alt": ""}
    return Output(
        id=id, name=name, frame=frame, png=b"", disclosure_class="Frequencies", estimand="predictive", **words
    )


FRAME = pd.DataFrame(
    {
        "level": ["1", "=HYPERLINK(1)", "@x", None],
        "share": [0.25, np.nan, np.inf, 0.5],
        "N_citizens": [10, 20, 30, 40],
        "suppressed": [True, False, False, False],
    }
)
WORDS = {"level": "the answer", "share": "share", "N_citizens": "citizens", "suppressed": "hidden"}


def book():
    content = workbook_bytes([output(FRAME)], WORDS, contents_title="Headline", column_title="Explanation")
    return openpyxl.load_workbook(io.BytesIO(content))


def test_a_sheet_per_output_holds_the_exact_frame():
    sheets = book()
    assert sheets.sheetnames == ["contents", "F15_belief_gradient", "variable_explanation"]
    rows = list(sheets["F15_belief_gradient"].values)
    assert rows[0] == ("level", "share", "N_citizens", "suppressed")
    assert rows[1] == ("1", 0.25, 10, True)
    assert rows[2][1] is None, "NaN is an empty cell"
    assert rows[3][1] is None, "infinity is an empty cell"
    assert rows[4][0] is None


def test_formula_like_text_is_text():
    sheet = book()["F15_belief_gradient"]
    assert sheet["A3"].value == "=HYPERLINK(1)"
    assert sheet["A3"].data_type == "s"
    assert sheet["A4"].data_type == "s"


def test_every_variable_is_explained():
    explained = {row[0]: row[1] for row in list(book()["variable_explanation"].values)[1:]}
    assert explained == WORDS


def test_the_same_numbers_give_the_same_bytes():
    def make():
        return workbook_bytes([output(FRAME)], WORDS, contents_title="H", column_title="E")

    assert make() == make()


def test_long_names_fit_a_sheet_title():
    frame = FRAME[["level"]]
    content = workbook_bytes(
        [output(frame, id="F9", name="belief_before_after_shift_and_more")],
        WORDS,
        contents_title="H",
        column_title="E",
    )
    names = openpyxl.load_workbook(io.BytesIO(content)).sheetnames
    assert names[1] == "F9_belief_before_after_shift_and_more"[:31]
