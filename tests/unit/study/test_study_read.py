"""Reading: every file type, every key of study.toml, and what must survive the way from file to table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from study_folder import Folder, good_folder

import jobchance as jc
from jobchance.errors import SchemaError
from jobchance.study import files
from jobchance.study.validate import validate_study

Paths = Callable[[Folder], Path]


@pytest.fixture
def write(tmp_path: Path) -> Paths:
    return lambda folder: folder.write(tmp_path / "study")


def _rules(path: Path) -> set[tuple[str, str, str]]:
    problems = validate_study(path).problems
    return set(zip(problems["table"], problems["column"], problems["rule"], strict=True))


def test_good_folder_becomes_a_study(write: Paths) -> None:
    study = jc.read_study(write(good_folder()))
    assert study.name == "Prøve"
    assert study.data_through == date(2016, 12, 31)
    assert list(study.tables) == [
        *("citizen", "jobcentre", "caseworker", "assignment", "measurement"),
        *("item", "rating", "outcome", "follow_up", "activity", "extract"),
    ]
    citizen = study.tables["citizen"]
    assert citizen["birth_year"].dtype == np.int64
    assert citizen["convicted"].dtype == bool
    assert pd.api.types.is_datetime64_any_dtype(citizen["entry_date"].dtype)
    assert pd.api.types.is_string_dtype(citizen["citizen_id"].dtype)


def test_study_file_itself_may_be_named(write: Paths) -> None:
    assert jc.read_study(write(good_folder()) / "study.toml").name == "Prøve"


def test_minimum_study_gets_items_from_the_instrument(write: Paths) -> None:
    folder = good_folder(minimum=True)
    del folder.tables["item"]
    folder.toml = folder.toml.replace("caseworker_1", "belief_job")
    folder.set("measurement", "instrument_version", "", slice(None))
    names = {"caseworker_1": "belief_job", "caseworker_2": "job_search_cw", "caseworker_3": "network_cw"}
    names |= {"citizen_1": "job_search_ci", "citizen_2": "network_ci", "citizen_3": "cooperation_ci"}
    folder.tables["rating"]["item_id"] = folder.tables["rating"]["item_id"].map(names)
    study = jc.read_study(write(folder))
    assert set(study.tables) == {"citizen", "measurement", "rating", "item"}
    assert len(study.tables["item"]) == 20


@pytest.mark.parametrize(
    ("separator", "decimal", "encoding", "bom"),
    [
        (",", ".", "utf-8", False),
        (";", ",", "utf-8", False),
        (";", ".", "utf-8", True),
        ("\t", ",", "utf-8", False),
        ("|", ".", "cp1252", False),
        (";", ",", "latin-1", False),
        (";", ",", "utf-16", False),
    ],
)
def test_text_files_of_all_kinds_give_the_same_study(
    tmp_path: Path, separator: str, decimal: str, encoding: str, bom: bool
) -> None:
    folder = good_folder()
    folder.set("citizen", "note", "Sønderborg, æblegrød", slice(None))
    reference = jc.read_study(folder.write(tmp_path / "reference"))

    other = good_folder()
    other.set("citizen", "note", "Sønderborg, æblegrød", slice(None))
    for name, table in other.tables.items():
        texts = table.copy()
        for column in ("value", "fte", "job_education_share_5y", "scale_min", "scale_max"):
            if column in texts and name != "outcome":
                texts[column] = texts[column].str.replace(".", decimal)
        text = texts.to_csv(index=False, sep=separator, lineterminator="\r\n")
        other.files[f"{name}.csv"] = (b"\xef\xbb\xbf" if bom else b"") + text.encode(encoding)
        if encoding != "utf-8":
            other.toml += f'[tables.{name}]\nencoding = "{encoding}"\n'
    study = jc.read_study(other.write(tmp_path / "other"))
    assert study.fingerprint == reference.fingerprint
    assert study.tables["citizen"]["note"].iloc[0] == "Sønderborg, æblegrød"


def test_decimal_comma_in_a_comma_file_must_be_declared(write: Paths, tmp_path: Path) -> None:
    folder = good_folder()
    folder.set("citizen", "job_education_share_5y", "0,25", slice(None))
    assert _rules(write(folder)) == {("citizen", "job_education_share_5y", "number")}
    folder.toml += '[tables.citizen]\ndecimal = ","\n'
    study = jc.read_study(folder.write(tmp_path / "declared"))
    assert (study.tables["citizen"]["job_education_share_5y"] == 0.25).all()


def test_spreadsheet_separator_line_and_trailing_blank_rows(write: Paths) -> None:
    folder = good_folder()
    text = folder.csv("jobcentre", sep=";")
    folder.files["jobcentre.csv"] = ("sep=;\r\n" + text + ";;;;;\n;;;;;\n").encode()
    path = write(folder)
    assert _rules(path) == {("jobcentre", "", "blank_rows")}
    assert len(jc.read_study(path).tables["jobcentre"]) == 1


def test_wrong_declared_delimiter_is_named(write: Paths) -> None:
    folder = good_folder()
    folder.toml += '[tables.citizen]\ndelimiter = ";"\n'
    assert _rules(write(folder)) == {("citizen", "", "delimiter")}


def test_upper_case_columns_and_file_names(write: Paths) -> None:
    folder = good_folder()
    frame = folder.tables["citizen"].rename(columns=str.upper)
    folder.files["CITIZEN.CSV"] = frame.to_csv(index=False).encode()
    del folder.tables["citizen"]
    assert jc.read_study(write(folder)).tables["citizen"]["birth_year"].between(1900, 2012).all()


def test_ids_keep_leading_zeros(write: Paths) -> None:
    folder = good_folder(minimum=True)
    for name in ("citizen", "measurement"):
        ids = folder.tables[name]["citizen_id"].str[-6:].str.zfill(12)
        folder.tables[name]["citizen_id"] = ids
    study = jc.read_study(write(folder))
    assert study.tables["citizen"]["citizen_id"].iloc[0] == "000000000001"
    assert study.tables["measurement"]["citizen_id"].str.len().eq(12).all()


def _typed_tables(dtype: str) -> tuple[Folder, dict[str, pd.DataFrame]]:
    """Minimum tables with typed columns and ids as numbers."""
    folder = good_folder(minimum=True)
    frames = {}
    for name, texts in folder.tables.items():
        frame = texts.copy()
        for column in frame.columns:
            if column in ("citizen_id", "measurement_id"):
                frame[column] = frame[column].str[-6:].astype(int).astype(dtype)
            elif column in ("birth_year", "sex", "wave", "value", "scale_min", "scale_max", "order_in_day"):
                frame[column] = pd.to_numeric(frame[column])
            elif column in ("date", "entry_date", "planned_date"):
                frame[column] = pd.to_datetime(frame[column])
        frames[name] = frame.drop(columns=["caseworker_id"], errors="ignore")
        if name == "measurement":
            frames[name]["caseworker_id"] = "7"
    folder.tables = {}
    return folder, frames


@pytest.mark.parametrize(
    ("ending", "dtype"),
    [
        *(("parquet", "int64"), ("parquet", "float64"), ("parquet", "Int32")),
        *(("dta", "int64"), ("dta", "float64"), ("sav", "int64"), ("sav", "float64")),
    ],
)
def test_binary_files_give_the_same_study_as_text(tmp_path: Path, ending: str, dtype: str) -> None:
    folder, frames = _typed_tables(dtype)
    path = folder.write(tmp_path / ending)
    for name, frame in frames.items():
        target = path / f"{name}.{ending}"
        if ending == "parquet":
            frame.to_parquet(target, index=False)
        elif ending == "dta":
            pyreadstat.write_dta(frame, str(target))
        else:
            pyreadstat.write_sav(frame, str(target))
    text, frames = _typed_tables("int64")
    reference = text.write(tmp_path / "text")
    for name, frame in frames.items():
        frame.to_csv(reference / f"{name}.csv", index=False, date_format="%Y-%m-%d")
    study = jc.read_study(path)
    assert study.fingerprint == jc.read_study(reference).fingerprint
    assert study.tables["citizen"]["citizen_id"].iloc[0] == "1"


def test_statistics_files_need_the_extra(write: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    folder = good_folder()
    folder.files["citizen.dta"] = b"x"
    with pytest.raises(SchemaError, match=r'pip install "jobchance\[io\]"'):
        jc.read_study(write(folder))


def test_ids_that_lost_digits_as_floats(write: Paths) -> None:
    folder = good_folder(minimum=True)
    frame = folder.tables.pop("citizen")
    path = write(folder)
    frame.assign(citizen_id=12345678901234567.0 + np.arange(len(frame)) * 2).to_parquet(
        path / "citizen.parquet"
    )
    assert ("citizen", "citizen_id", "id_number") in _rules(path)


def test_columns_without_meaning_are_named(write: Paths) -> None:
    folder = good_folder()
    frame = folder.tables.pop("citizen")
    path = write(folder)
    frame.assign(parts=[[1, 2]] * len(frame), raw=[b"x"] * len(frame)).to_parquet(path / "citizen.parquet")
    assert _rules(path) == {("citizen", "parts", "column_type"), ("citizen", "raw", "column_type")}


def test_mapping_of_columns_values_constants_and_dates(write: Paths) -> None:
    folder = good_folder()
    folder.rename("citizen", {"citizen_id": "PNR", "sex": "KOEN", "entry_date": "START"})
    folder.tables["citizen"]["KOEN"] = folder.tables["citizen"]["KOEN"].map({"1": "M", "2": "K"})
    folder.tables["citizen"]["START"] = pd.to_datetime(folder.tables["citizen"]["START"]).dt.strftime(
        "%d/%m %y"
    )
    folder.tables["citizen"] = folder.tables["citizen"].drop(columns="target_group")
    folder.toml += """
[tables.citizen]
file = "citizen.csv"
columns = { citizen_id = "pnr", sex = "Koen", entry_date = "START" }
values.sex = { "M" = 1, "K" = 2 }
constants = { target_group = "aktivitetsparat", cohort = 2013, in_trial = true }
date_format = { entry_date = "%d/%m %y" }
"""
    citizen = jc.read_study(write(folder)).tables["citizen"]
    assert set(citizen["sex"]) == {1, 2}
    assert set(citizen["target_group"]) == {"aktivitetsparat"}
    assert citizen["cohort"].eq(2013).all()
    assert citizen["in_trial"].eq(1).all()
    assert citizen["entry_date"].min().year == 2013
    assert not {"pnr", "PNR", "KOEN", "START"} & set(citizen.columns)


def test_a_column_that_the_mapping_hides_is_told(write: Paths) -> None:
    folder = good_folder()
    folder.set("citizen", "KOEN", "1", slice(None))
    folder.toml += '[tables.citizen]\ncolumns = { sex = "KOEN" }\nconstants = { origin = "danish" }\n'
    path = write(folder)
    assert _rules(path) == {("citizen", "sex", "column_shadowed"), ("citizen", "origin", "column_shadowed")}
    assert jc.read_study(path).tables["citizen"]["sex"].eq(1).all()


@pytest.mark.parametrize(
    "words", [("1", "0"), ("true", "false"), ("Ja", "Nej"), ("YES", "no"), ("1.0", "0.0")]
)
def test_yes_and_no(tmp_path: Path, words: tuple[str, str]) -> None:
    folder = good_folder()
    folder.tables["citizen"]["convicted"] = [words[place % 2] for place in range(45)]
    convicted = jc.read_study(folder.write(tmp_path / "study")).tables["citizen"]["convicted"]
    assert convicted.dtype == bool
    assert convicted.sum() == 23


def test_own_columns_are_numbers_only_where_nothing_is_lost(write: Paths) -> None:
    folder = good_folder()
    own = {
        "small": "12",
        "decimal": "1.5",
        "code": "007",
        "huge": "1e300",
        "long": "12345678901234567",
        "word": "1 st.",
    }
    for name, value in own.items():
        folder.set("citizen", name, value, slice(None))
    folder.set("citizen", "gaps", "3", [1, 2])
    citizen = jc.read_study(write(folder)).tables["citizen"]
    assert citizen["small"].dtype == np.int64
    assert citizen[["decimal", "huge", "gaps"]].dtypes.eq(np.float64).all()
    assert citizen["huge"].eq(1e300).all()
    assert citizen[["code", "long", "word"]].iloc[0].tolist() == ["007", "12345678901234567", "1 st."]


def test_missing_values_become_null_and_integers_stay_plain(write: Paths) -> None:
    folder = good_folder()
    folder.set("citizen", "birth_year", "NA", 0)
    folder.set("citizen", "birth_year", ".", 1)
    folder.set("citizen", "birth_year", " ", 2)
    folder.set("citizen", "birth_year", "-9", 3)
    folder.set("citizen", "convicted", "", 0)
    folder.toml += '[tables.citizen]\nmissing = ["-9"]\n'
    citizen = jc.read_study(write(folder)).tables["citizen"]
    assert citizen["birth_year"].isna().sum() == 4
    assert citizen["birth_year"].dtype == np.float64
    assert citizen["convicted"].dtype == np.float64
    assert citizen["convicted"].isna().sum() == 1


def test_labelled_missing_answers_keep_their_reason(write: Paths) -> None:
    folder = good_folder()
    folder.tables["rating"]["missing_reason"] = ""
    folder.set("rating", "value", "4", slice(None))
    folder.set("rating", "value", "88", [0, 1])
    folder.set("rating", "value", "ved ikke", 2)
    folder.toml += '[tables.rating]\nmissing = { "88" = "refused", "ved ikke" = "dont_know" }\n'
    rating = jc.read_study(write(folder)).tables["rating"]
    assert rating["missing_reason"].value_counts().to_dict() == {"refused": 2, "dont_know": 1}
    assert rating["value"].isna().sum() == 3


def test_unknown_reason_is_refused(write: Paths) -> None:
    folder = good_folder()
    folder.toml += '[tables.rating]\nmissing = { "88" = "no_idea" }\n'
    assert _rules(write(folder)) == {("study.toml", "missing", "key_value")}


WIDE = """
[study]
name = "wide"
source = "own"
language = "en"
instrument = "own.toml"
data_through = 2016-12-31
[analysis]
belief_item = "search"
belief_respondent = "citizen"
covariates = ["age"]
[tables.citizen]
file = "wide.csv"
row_id = "citizen_id"
keep = ["age"]
[tables.measurement]
file = "wide.csv"
row_id = ["citizen_id", "measurement_id"]
constants = { date = 2014-01-06, wave = 1, respondent = "citizen" }
keep = []
[tables.rating]
file = "wide.csv"
row_id = "measurement_id"
items = { search = "Q1", health = "q2" }
missing = { "9" = "dont_know" }
[tables.outcome]
file = "wide.csv"
row_id = ["citizen_id", "measurement_id"]
columns = { value = "work" }
values.value = { "yes" = 1, "no" = 0 }
constants = { outcome = "job", window_start = 2014-01-13, window_end = 2014-07-14 }
keep = []
"""
INSTRUMENT = """
name = "own"
version = "1"
[[construct]]
id = "job_search"
number = 1
label = { en = "job search" }
[[item]]
id = "search"
construct = "job_search"
respondent = "citizen"
text = { en = "search" }
scale = [1, 5]
[[item]]
id = "health"
construct = "job_search"
respondent = "citizen"
text = { en = "health" }
scale = [1.0, 5.0]
"""


def test_one_wide_file_for_four_tables(tmp_path: Path) -> None:
    path, data = tmp_path / "study", tmp_path / "elsewhere"
    path.mkdir()
    data.mkdir()
    (path / "study.toml").write_text(WIDE, encoding="utf-8")
    (path / "own.toml").write_text(INSTRUMENT, encoding="utf-8")
    rows = ["age,Q1,q2,work,secret", "34.2,4.8333,3,yes,a", "51,1,,no,b", "29,9,5,no,c"]
    (data / "wide.csv").write_text("\n".join(rows), encoding="utf-8")
    study = jc.read_study(path, data=data)
    citizen, rating = study.tables["citizen"], study.tables["rating"]
    assert citizen["citizen_id"].tolist() == ["000000000001", "000000000002", "000000000003"]
    assert citizen["age"].tolist() == [34.2, 51.0, 29.0]
    assert "secret" not in citizen
    assert list(study.tables["measurement"].columns)[-1] == "order_in_day"
    # Two items by three persons, without the empty cell; "9" is an answer without a number.
    assert rating["item_id"].tolist() == ["search"] * 3 + ["health"] * 2
    assert rating["value"].tolist()[:2] == [4.8333, 1.0]
    assert rating["missing_reason"].tolist()[2] == "dont_know"
    assert study.tables["outcome"]["value"].tolist() == [1, 0, 0]
    assert study.analysis.covariates == ("age",)
    assert study.fingerprint == jc.read_study(path, data=data).fingerprint


def test_instrument_inside_study_toml(tmp_path: Path) -> None:
    path = tmp_path / "study"
    path.mkdir()
    own = INSTRUMENT.replace("[[", "[[instrument.").replace('name = "own"', '[instrument]\nname = "own"', 1)
    text = WIDE.replace('instrument = "own.toml"\n', "dates_known = false\n") + own
    (path / "study.toml").write_text(text, encoding="utf-8")
    (path / "wide.csv").write_text("age,Q1,q2,work\n34,4,3,yes\n", encoding="utf-8")
    study = jc.read_study(path)
    assert study.instrument.name == "own"
    assert not study.dates_known
    (path / "study.toml").write_text(
        text.replace("dates_known", 'instrument = "bip"\ndates_known'), encoding="utf-8"
    )
    assert ("study.toml", "instrument", "instrument_twice") in _rules(path)
    (path / "study.toml").write_text(text.replace('"job_search"\nresp', '"job_sea"\nresp'), encoding="utf-8")
    assert ("study.toml", "instrument", "instrument_invalid") in _rules(path)


def test_data_through_from_extract_and_from_follow_up(tmp_path: Path) -> None:
    folder = good_folder()
    folder.toml = folder.toml.replace("data_through = 2016-12-31\n", "")
    first = jc.read_study(folder.write(tmp_path / "extract"))
    assert first.data_through == date(2016, 12, 31)
    del folder.tables["extract"]
    path = folder.write(tmp_path / "follow_up")
    assert _rules(path) == {("study.toml", "data_through", "data_through_derived")}
    assert jc.read_study(path).data_through == date(2016, 12, 31)


def test_warnings_do_not_stop_a_study(write: Paths) -> None:
    folder = good_folder()
    folder.toml = folder.toml.replace('source = "egne tal"\n', "").replace(
        'belief_item = "caseworker_1"\n', ""
    )
    path = write(folder)
    report = validate_study(path)
    assert report.ok
    assert _rules(path) == {
        ("study.toml", "source", "study_key_missing"),
        ("study.toml", "belief_item", "analysis_item_absent"),
    }
    assert "2" in report.render("da").splitlines()[0]
    assert jc.read_study(path).source == ""


def test_errors_speak_the_language_of_the_study(tmp_path: Path) -> None:
    folder = good_folder()
    del folder.tables["rating"]
    for lang, word in (("da", "FEJL"), ("en", "ERROR"), ("sv", "ERROR")):
        folder.toml = folder.toml.replace(folder.toml.split('language = "')[1][:2], lang, 1)
        with pytest.raises(SchemaError, match=word):
            jc.read_study(folder.write(tmp_path / lang))


def test_links_out_of_the_folder_are_refused(write: Paths, tmp_path: Path) -> None:
    folder = good_folder()
    outside = tmp_path / "outside.csv"
    outside.write_text(folder.csv("citizen"), encoding="utf-8")
    folder.toml += '[tables.citizen]\nfile = "linked.csv"\n'
    path = write(folder)
    (path / "linked.csv").symlink_to(outside)
    assert _rules(path) == {("citizen", "file", "path_outside")}


@pytest.mark.parametrize(
    "line",
    [
        'file = "a\\u0000b.csv"',
        'file = "//server/share/citizen.csv"',
        'file = "~/citizen.csv"',
        'file = "sub/../../citizen.csv"',
        f'file = "{"x" * 400}.csv"',
        "constants = { origin = [1] }",
        "constants = { origin = 07:32:00 }",
        "values.sex = { a = {} }",
        'date_format = "%Q"',
        'date_format = "%Y"',
        "date_format = { entry_date = 5 }",
        'date_format = { entry_dato = "%Y-%m-%d" }',
        "keep = [1]",
        "missing = { a = 1 }",
        'row_id = "citizen"',
        'encoding = "rot13"',
        'delimiter = "--"',
        "items = { a = 'b' }",
        "columns = { sex = 1 }",
    ],
)
def test_odd_lines_of_a_table_give_one_report(line: str, write: Paths) -> None:
    folder = good_folder()
    folder.toml += f"[tables.citizen]\n{line}\n"
    report = validate_study(write(folder))
    assert not report.ok
    assert set(report.problems["table"]) <= {"study.toml", "citizen"}


def test_text_and_path_that_are_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "absent", tmp_path / "file", "a\x00b"):
        assert validate_study(path).problems["rule"].tolist() == ["folder_missing"]
    folder = good_folder().write(tmp_path / "study")
    assert _rules(folder) == set()
    assert validate_study(folder, data=tmp_path / "absent").problems["rule"].tolist() == ["folder_missing"]


def test_formula_as_a_column_name_is_not_repeated(write: Paths) -> None:
    folder = good_folder()
    folder.set("citizen", "=HYPERLINK()", "1", slice(None))
    path = write(folder)
    assert _rules(path) == {("citizen", "(?)", "formula_like")}
    assert "HYPERLINK" not in validate_study(path).render("da")


@pytest.mark.parametrize(
    ("ids", "flagged"),
    [
        ([f"{number:012d}" for number in range(1, 46)], False),
        ([f"1001{number:06d}" for number in range(1, 46)], False),
        ([f"{number * 7919 % 10**10:010d}" for number in range(10**8, 10**8 + 45)], False),
        ([f"{number:08x}-1234-4321-8888-{number:012x}" for number in range(10**8, 10**8 + 45)], False),
        (["311299-4321"] + [f"{number:012d}" for number in range(2, 46)], True),
        (["3112994321"] + [f"{number:012d}" for number in range(2, 46)], True),
        (["19811218-9876"] + [f"{number:012d}" for number in range(2, 46)], True),
        (["198112189876"] + [f"x{number:012d}" for number in range(2, 46)], True),
        (["01010750160"] + [f"{number:012d}" for number in range(2, 46)], True),
    ],
    ids=[
        "padded",
        "counted",
        "random",
        "uuid",
        "danish",
        "danish digits",
        "swedish",
        "swedish digits",
        "norwegian",
    ],
)
def test_person_numbers_and_pseudonyms_are_told_apart(ids: list[str], flagged: bool, write: Paths) -> None:
    folder = good_folder(minimum=True)
    names = dict(zip(folder.tables["citizen"]["citizen_id"], ids, strict=True))
    for table in ("citizen", "measurement"):
        folder.tables[table]["citizen_id"] = folder.tables[table]["citizen_id"].map(names)
    found = {rule for _, _, rule in _rules(write(folder))}
    assert found == ({"personal_number"} if flagged else set())
