"""Broken study folders: each gives one report that names every fault and no value, and writes nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from study_folder import SECRET, Folder, good_folder

import jobchance as jc
from jobchance.errors import SchemaError
from jobchance.study.validate import validate_study

Break = Callable[[Folder], None]
Place = tuple[str, str, str]  # table, column, rule


@dataclass(frozen=True)
class Case:
    name: str
    breaks: Break
    errors: frozenset[Place]
    secrets: tuple[str, ...] = ()


CASES: list[Case] = []
_WITH_CITIZENS = ("citizen", "assignment", "measurement", "outcome", "follow_up", "activity")


def broken(*errors: Place, secrets: tuple[str, ...] = ()) -> Callable[[Break], Break]:
    """Register a way to break the good folder, with exactly the errors that it must give."""

    def register(breaks: Break) -> Break:
        CASES.append(Case(breaks.__name__, breaks, frozenset(errors), secrets))
        return breaks

    return register


# ---- the folder and study.toml -----------------------------------------------------------------------------


@broken(("study.toml", "", "study_file_missing"))
def no_study_toml(f: Folder) -> None:
    f.without_toml = True


@broken(("study.toml", "", "toml_invalid"), secrets=("0101901234",))
def broken_toml(f: Folder) -> None:
    f.toml += '\nname = "0101901234\n'


@broken(("study.toml", "", "toml_invalid"))
def toml_in_another_character_set(f: Folder) -> None:
    f.without_toml = True
    f.files["study.toml"] = f.toml.encode("cp1252")


@broken(("study.toml", "data_through", "data_through_unknown"))
def empty_study_toml(f: Folder) -> None:
    f.toml = ""
    del f.tables["extract"], f.tables["follow_up"]


@broken(
    ("study.toml", "nmae", "unknown_key"),
    ("study.toml", "delimeter", "unknown_key"),
    ("study.toml", "analyses", "unknown_key"),
)
def slips_of_the_pen(f: Folder) -> None:
    f.toml = f.toml.replace("name =", "nmae =").replace("[analysis]", "[analyses]")
    f.toml += '[tables.citizen]\ndelimeter = ";"\n'


@broken(
    ("study.toml", "horizon_weeks", "key_type"),
    ("study.toml", "file", "key_type"),
    ("study.toml", "data_through", "key_type"),
)
def values_of_the_wrong_type(f: Folder) -> None:
    f.toml = f.toml.replace("2016-12-31", '"31-12-2016"')
    f.toml += 'horizon_weeks = "a year"\n[tables.citizen]\nfile = 5\n'


@broken(("study.toml", "outcome", "key_value"), ("study.toml", "data_kind", "key_value"))
def values_outside_a_closed_list(f: Folder) -> None:
    f.toml = f.toml.replace('"real"', '"imagined"') + 'outcome = "jbo"\n'


@broken(("study.toml", "tables.ratings", "unknown_table"))
def unknown_table_name(f: Folder) -> None:
    f.toml += '[tables.ratings]\nfile = "rating.csv"\n'


@broken(("study.toml", "data", "path_outside"), ("citizen", "file", "path_outside"))
def paths_that_leave_the_folder(f: Folder) -> None:
    f.toml = f.toml.replace("[analysis]", 'data = "../elsewhere"\n[analysis]')
    f.toml += '[tables.citizen]\nfile = "../../etc/passwd"\n'


@broken(("citizen", "file", "path_outside"))
def absolute_path(f: Folder) -> None:
    f.toml += "[tables.citizen]\nfile = 'C:\\data\\citizen.csv'\n"


@broken(("study.toml", "instrument", "instrument_invalid"))
def unknown_instrument(f: Folder) -> None:
    f.toml = f.toml.replace("[analysis]", 'instrument = "pib"\n[analysis]')


@broken(("study.toml", "belief_item", "analysis_item"), ("study.toml", "covariates", "analysis_covariate"))
def analysis_asks_for_what_is_not_there(f: Folder) -> None:
    f.toml = f.toml.replace("caseworker_1", "casworker_1") + 'covariates = ["birth_yaer"]\n'


@broken(("study.toml", "birth_yaer", "unknown_key"), ("citizen", "sex", "mapped_column_missing"))
def mapping_to_columns_that_do_not_exist(f: Folder) -> None:
    f.toml += '[tables.citizen]\ncolumns = { sex = "KOEN", birth_yaer = "FOED" }\n'


# ---- files -------------------------------------------------------------------------------------------------


@broken(("measurement", "", "table_missing"))
def minimum_table_missing(f: Folder) -> None:
    del f.tables["measurement"]


@broken(
    ("citizen", "", "table_missing"),
    ("measurement", "", "table_missing"),
    ("rating", "", "table_missing"),
    ("study.toml", "belief_item", "analysis_item"),
)
def no_data_files_at_all(f: Folder) -> None:
    f.tables.clear()


@broken(("outcome", "", "file_missing"))
def stated_file_missing(f: Folder) -> None:
    f.toml += '[tables.outcome]\nfile = "udfald.csv"\n'


@broken(("rating", "", "file_empty"))
def file_of_zero_bytes(f: Folder) -> None:
    f.files["rating.csv"] = b""


@broken(("rating", "", "file_empty"))
def file_of_blank_lines(f: Folder) -> None:
    f.files["rating.csv"] = b"\n\r\n\n"


@broken(("outcome", "", "no_rows"))
def header_only(f: Folder) -> None:
    f.tables["outcome"] = f.tables["outcome"].iloc[:0]


@broken(("citizen", "", "no_rows"))
def minimum_table_without_rows(f: Folder) -> None:
    f.tables["citizen"] = f.tables["citizen"].iloc[:0]


@broken(("citizen", "", "encoding"))
def latin_letters_without_encoding(f: Folder) -> None:
    f.set("citizen", "note", "Sønderborg åbner", slice(None))
    f.files["citizen.csv"] = f.csv("citizen").encode("cp1252")


@broken(("citizen", "", "encoding"))
def utf8_declared_as_cp1252(f: Folder) -> None:
    f.set("citizen", "note", "Sønderborg åbner", slice(None))
    f.toml += '[tables.citizen]\nencoding = "cp1252"\n'


@broken(("citizen", "", "encoding"))
def utf16_from_a_spreadsheet(f: Folder) -> None:
    f.files["citizen.csv"] = f.csv("citizen").encode("utf-16")


@broken(("study.toml", "encoding", "key_value"))
def unknown_encoding(f: Folder) -> None:
    f.toml += '[tables.citizen]\nencoding = "ansi-dansk"\n'


@broken(("measurement", "", "ragged_rows"))
def rows_with_too_many_and_too_few_fields(f: Folder) -> None:
    lines = f.csv("measurement").splitlines()
    lines[1] += f",{SECRET},extra"
    lines[50] = lines[50].rsplit(",", 3)[0]
    f.files["measurement.csv"] = "\n".join(lines).encode()


@broken(("citizen", "", "header_is_data"), secrets=("1975",))
def no_header_line(f: Folder) -> None:
    frame = f.tables["citizen"][["birth_year", "sex", "children_at_home"]]
    f.files["citizen.csv"] = frame.to_csv(index=False, header=False).encode()


@broken(("citizen", "citizen_id", "column_missing"), secrets=("danish",))
def no_header_line_among_texts(f: Folder) -> None:
    frame = f.tables["citizen"][["citizen_id", "origin"]].assign(origin="danish")
    f.files["citizen.csv"] = frame.to_csv(index=False, header=False).encode()


@broken(("citizen", "sex", "duplicate_columns"))
def same_name_in_two_cases(f: Folder) -> None:
    f.set("citizen", "Sex", "1", slice(None))


@broken(("rating", "item_id", "column_missing"), ("measurement", "wave", "column_missing"))
def required_columns_missing(f: Folder) -> None:
    f.rename("rating", {"item_id": "question"})
    f.rename("measurement", {"wave": "round"})


@broken(("outcome", "", "file_is_folder"))
def folder_in_place_of_file(f: Folder) -> None:
    f.toml += '[tables.outcome]\nfile = "outcome_folder"\n'
    f.files["outcome_folder"] = b""


@broken(("citizen", "", "file_unreadable"))
def text_that_calls_itself_parquet(f: Folder) -> None:
    f.files["citizen.parquet"] = f.csv("citizen").encode()


@broken(("rating", "", "file_unreadable"))
def truncated_parquet(f: Folder) -> None:
    buffer = io.BytesIO()
    f.tables["rating"].to_parquet(buffer, index=False)
    f.files["rating.parquet"] = buffer.getvalue()[:-40]


@broken(("citizen", "", "file_unreadable"))
def corrupt_stata_file(f: Folder) -> None:
    f.files["citizen.dta"] = b"<stata_dta><header><release>118" + SECRET.encode() * 20


@broken(("citizen", "", "file_unreadable"))
def corrupt_sas_file(f: Folder) -> None:
    f.files["citizen.sas7bdat"] = bytes(range(256)) * 8


@broken(("citizen", "", "file_unreadable"))
def corrupt_spss_file(f: Folder) -> None:
    f.files["citizen.sav"] = b"$FL2" + SECRET.encode() * 50


@broken(("citizen", "", "file_format"))
def spreadsheet_file(f: Folder) -> None:
    f.files["citizen.xlsx"] = b"PK\x03\x04" + SECRET.encode()


@broken(("citizen", "", "file_ambiguous"))
def two_files_for_one_table(f: Folder) -> None:
    f.files["citizen.csv"] = f.csv("citizen").encode()
    f.files["Citizen.dta"] = b"x"


@broken(("citizen", "", "ragged_rows"), secrets=("uafsluttet",))
def quote_never_closed(f: Folder) -> None:
    f.files["citizen.csv"] = f.csv("citizen").replace(f"{SECRET}-C000002", '"uafsluttet', 1).encode()


@broken(("citizen", "", "control_characters"))
def zero_bytes_inside(f: Folder) -> None:
    f.files["citizen.csv"] = f.csv("citizen").replace("male", "ma\x00le").encode() + b"\x00\x00"


# ---- values ------------------------------------------------------------------------------------------------


@broken(("citizen", "citizen_id", "required"), ("rating", "item_id", "required"))
def empty_ids(f: Folder) -> None:
    f.set("citizen", "citizen_id", "", 0)
    f.set("rating", "item_id", "", 5)
    for name in ("assignment", "measurement", "outcome", "follow_up", "activity"):
        gone = f.tables[name]["citizen_id"] == f"{SECRET}-C000001"
        dropped = f.tables[name].loc[gone]
        f.tables[name] = f.tables[name].loc[~gone]
        if name == "measurement":
            kept = ~f.tables["rating"]["measurement_id"].isin(dropped["measurement_id"])
            f.tables["rating"] = f.tables["rating"].loc[kept]
    f.set("rating", "item_id", "", 5)


@broken(("measurement", "date", "date_mixed"))
def mixed_date_formats(f: Folder) -> None:
    f.set("measurement", "date", "14-03-2014", [0, 7, 9])
    f.set("measurement", "date", "03/14/2014", 11)
    del f.tables["assignment"]


@broken(("measurement", "date", "date"))
def dates_in_an_undeclared_format(f: Folder) -> None:
    f.set("measurement", "date", "14-03-2014", slice(None))


@broken(("measurement", "date", "date_serial"))
def excel_serial_numbers(f: Folder) -> None:
    f.set("measurement", "date", "41712", slice(None))


@broken(("measurement", "date", "date_time"))
def times_of_day(f: Folder) -> None:
    f.set("measurement", "date", "2014-03-14 10:15:00", [0, 1])


@broken(("measurement", "date", "date"))
def date_that_does_not_exist(f: Folder) -> None:
    f.set("measurement", "date", "nitten-fjorten", 0)


@broken(("citizen", "birth_year", "integer"), ("citizen", "birth_year", "range"))
def birth_years(f: Folder) -> None:
    f.set("citizen", "birth_year", "nitten halvfjerds", 0)
    f.set("citizen", "birth_year", "1975,5", 2)
    f.set("citizen", "birth_year", "1875", 1)


@broken(("rating", "value", "number"))
def words_in_place_of_numbers(f: Folder) -> None:
    f.set("rating", "value", "HEMMELIGT svar", [0, 1, 2])
    f.set("rating", "missing_reason", "", [0, 1, 2])


@broken(("rating", "value", "decimal_mixed"))
def both_decimal_marks(f: Folder) -> None:
    frame = f.tables["rating"]
    rows = [place for place, value in enumerate(frame["value"]) if value][:2]
    f.set("rating", "value", "3,5", rows[0])
    f.set("rating", "value", "3.5", rows[1])
    f.files["rating.csv"] = f.csv("rating", sep=";").encode()


@broken(("rating", "value", "not_finite"))
def infinite_answers(f: Folder) -> None:
    f.set("rating", "value", "NaN", 3)
    f.set("rating", "value", "-inf", 4)
    f.set("rating", "missing_reason", "", [3, 4])


@broken(("citizen", "convicted", "boolean"), ("citizen", "sex", "code"), ("citizen", "education", "code"))
def codes_outside_their_lists(f: Folder) -> None:
    f.set("citizen", "convicted", "måske", 0)
    f.set("citizen", "sex", "9", 1)
    f.set("citizen", "education", "phd", 2)


@broken(("citizen", "municipality_at_entry", "pattern"), ("citizen", "municipality_at_entry", "C02"))
def municipality_code_of_another_form(f: Folder) -> None:
    f.set("citizen", "municipality_at_entry", "999", 0)


@broken(
    ("citizen", "citizen_id", "too_long"),
    ("measurement", "citizen_id", "C02"),
    ("assignment", "citizen_id", "C02"),
    ("outcome", "citizen_id", "C02"),
    ("follow_up", "citizen_id", "C02"),
    ("activity", "citizen_id", "C02"),
)
def absurdly_long_id(f: Folder) -> None:
    f.set("citizen", "citizen_id", SECRET * 300, 0)


@broken(("citizen", "note", "personal_number"), secrets=("010190",))
def person_number_in_free_text(f: Folder) -> None:
    f.set("citizen", "note", "ring til 010190-1234 i morgen", 4)


@broken(("citizen", "note", "personal_number"), secrets=("0101901234",))
def person_number_without_hyphen(f: Folder) -> None:
    f.set("citizen", "note", "cpr: 0101901234.", 4)


@broken(
    *((table, "citizen_id", "personal_number") for table in _WITH_CITIZENS),
    secrets=("0170", "4007"),
)
def person_numbers_as_ids(f: Folder) -> None:
    ids = f.tables["citizen"]["citizen_id"].tolist()
    numbers = {
        name: f"{1 + place % 28:02d}0{1 + place % 9}{60 + place % 40}{4000 + 7 * place}"
        for place, name in enumerate(ids)
    }
    for name in _WITH_CITIZENS:
        f.tables[name] = f.tables[name].assign(citizen_id=f.tables[name]["citizen_id"].map(numbers))


@broken(("citizen", "note", "formula_like"), ("caseworker", "team_id", "formula_like"), secrets=("cmd|",))
def formulas_in_text(f: Folder) -> None:
    f.set("citizen", "note", "=cmd|'/c calc'!A1", [1, 2])
    f.set("citizen", "note", "+45 HEMMELIG", 3)
    f.set("citizen", "note", "@SUM(A1)", 4)
    f.set("caseworker", "team_id", "-2+3", 0)


@broken(("citizen", "note", "control_characters"))
def control_characters_and_lost_letters(f: Folder) -> None:
    f.set("citizen", "note", "a\x07b", 0)
    f.set("citizen", "note", "S\ufffdnderborg", 1)


# ---- keys and rules across tables --------------------------------------------------------------------------


@broken(("citizen", "citizen_id", "C01"), ("rating", "measurement_id, item_id", "C01"))
def duplicate_keys(f: Folder) -> None:
    f.tables["citizen"] = pd.concat([f.tables["citizen"], f.tables["citizen"].iloc[[0]]])
    f.tables["rating"] = pd.concat([f.tables["rating"], f.tables["rating"].iloc[:3]])


@broken(("measurement", "caseworker_id", "C02"), ("rating", "measurement_id", "C02"))
def keys_that_point_nowhere(f: Folder) -> None:
    f.set("measurement", "caseworker_id", f"{SECRET}-nobody", [-1])
    f.set("rating", "measurement_id", f"{SECRET}-never", 0)
    del f.tables["assignment"]


@broken(("measurement", "date", "C03"), ("follow_up", "observed_from", "C03"))
def dates_outside_the_period(f: Folder) -> None:
    f.set("measurement", "date", "2031-05-01", 0)
    f.set("follow_up", "observed_from", "1985-01-01", 0)
    del f.tables["assignment"], f.tables["outcome"]


@broken(("assignment", "end", "C03"))
def open_end_as_a_far_date(f: Folder) -> None:
    f.set("assignment", "end", "9999-12-31", slice(None))


@broken(("assignment", "start, end", "C03"), ("outcome", "window_start, window_end", "C03"))
def end_before_start(f: Folder) -> None:
    del f.tables["follow_up"]
    f.tables["measurement"] = f.tables["measurement"].assign(respondent="citizen", caseworker_id="")
    keep = f.tables["rating"]["item_id"].str.startswith("citizen")
    f.tables["rating"] = f.tables["rating"][keep]
    f.set("assignment", "end", "2012-01-01", 0)
    frame = f.tables["outcome"].assign(event_date="", value="0")
    f.tables["outcome"] = frame.assign(window_end=frame["window_start"])


@broken(("assignment", "start, end", "C06"))
def two_lead_caseworkers_on_one_day(f: Folder) -> None:
    extra = f.tables["assignment"].iloc[[0]].assign(assignment_id=f"{SECRET}-new", start="2014-06-01")
    f.tables["assignment"] = pd.concat([f.tables["assignment"], extra])


@broken(("assignment", "start, end", "C07"))
def assignment_outside_employment(f: Folder) -> None:
    f.set("caseworker", "hired", "2016-06-01", 0)


@broken(("measurement", "date", "C08"))
def answer_outside_assignment(f: Folder) -> None:
    f.set("assignment", "caseworker_id", f"{SECRET}-C000003", 0)


@broken(("rating", "value", "C10"), ("rating", "item_id", "C10"))
def answers_off_the_scale_and_to_unknown_items(f: Folder) -> None:
    frame = f.tables["rating"]
    rows = [place for place, value in enumerate(frame["value"]) if value]
    f.set("rating", "value", "7", rows[:4])
    f.set("rating", "item_id", "caseworker_99", rows[5])


@broken(("outcome", "window_start", "C11"))
def outcome_windows_before_the_measurement(f: Folder) -> None:
    frame = f.tables["outcome"]
    f.tables["outcome"] = frame.assign(
        window_start="2013-12-31",
        window_end="2014-12-29",
        event_date="",
        value="0",
        outcome=frame.index.astype(str),
    )
    late = f.tables["measurement"].assign(date="2014-12-31")
    f.tables["measurement"] = late
    f.tables["outcome"]["outcome"] = "job"
    f.tables["outcome"] = f.tables["outcome"].drop_duplicates("citizen_id")
    f.set("follow_up", "observed_from", "2013-01-01", slice(None))


@broken(("outcome", "window_end", "C11"))
def unlinked_windows_before_the_measurement(f: Folder) -> None:
    frame = f.tables["outcome"].drop_duplicates("citizen_id")
    f.tables["outcome"] = frame.assign(
        measurement_id="", window_start="2012-01-02", window_end="2012-12-31", event_date="", value="0"
    )
    f.set("follow_up", "observed_from", "2012-01-01", slice(None))


@broken(("outcome", "window_end", "C12"), ("outcome", "event_date", "C12"))
def zero_where_follow_up_had_ended(f: Folder) -> None:
    f.set("follow_up", "observed_to", "2014-01-20", slice(None))
    del f.tables["assignment"]


@broken(
    ("activity", "type", "code"),
    ("activity", "minutes_per_week", "range"),
    ("activity", "start, end", "C03"),
    ("activity", "decided_by", "C02"),
)
def activity_that_cannot_be(f: Folder) -> None:
    f.set("activity", "type", "praktik", 0)
    f.set("activity", "minutes_per_week", "60", 1)
    f.set("activity", "end", "2013-01-01", 2)
    f.set("activity", "decided_by", f"{SECRET}-nobody", 3)


@broken(("assignment", "caseworker_id", "C22"))
def two_jobcentres_on_one_day(f: Folder) -> None:
    f.tables["jobcentre"] = pd.concat(
        [f.tables["jobcentre"], f.tables["jobcentre"].iloc[[0]].assign(jobcentre_id=f"{SECRET}-J2")]
    )
    f.set("caseworker", "jobcentre_id", f"{SECRET}-J2", 1)
    extra = (
        f.tables["assignment"]
        .iloc[[0]]
        .assign(assignment_id=f"{SECRET}-new", caseworker_id=f"{SECRET}-C000002", role="co")
    )
    f.tables["assignment"] = pd.concat([f.tables["assignment"], extra])


@broken(("measurement", "caseworker_id", "rater_required"))
def caseworker_without_a_name(f: Folder) -> None:
    f.set("measurement", "caseworker_id", "", [-1])


@broken(("rating", "value, missing_reason", "value_or_reason"))
def neither_number_nor_reason(f: Folder) -> None:
    f.set("rating", "value", "", 0)
    f.set("rating", "missing_reason", "", 0)
    f.set("rating", "value", "3", 1)
    f.set("rating", "missing_reason", "refused", 1)


@broken(("rating", "item_id", "item_respondent"))
def citizen_item_in_a_caseworker_form(f: Folder) -> None:
    f.set("item", "respondent", "partner", 0)


@broken(("outcome", "event_date", "event_in_window"))
def event_outside_its_window(f: Folder) -> None:
    rows = [place for place, value in enumerate(f.tables["outcome"]["value"]) if value == "1"]
    f.set("outcome", "event_date", "2013-01-20", rows[-1])
    del f.tables["follow_up"]


@broken(("outcome", "measurement_id", "outcome_link"))
def outcome_of_another_citizen(f: Folder) -> None:
    late = f.tables["outcome"].assign(
        window_start="2014-06-02", window_end="2015-06-01", event_date="", value="0"
    )
    late = late.drop_duplicates("citizen_id")
    ids = late["measurement_id"].tolist()
    f.tables["outcome"] = late.assign(measurement_id=ids[1:] + ids[:1])


@broken(("outcome", "window_start, window_end", "outcome_overlap"))
def tiles_that_overlap(f: Folder) -> None:
    f.tables["outcome"] = f.tables["outcome"].assign(measurement_id="")


@broken(
    ("study.toml", "nmae", "unknown_key"),
    ("citizen", "", "encoding"),
    ("rating", "value", "C10"),
    ("outcome", "value", "range"),
    ("measurement", "measurement_id", "C01"),
    ("jobcentre", "", "file_empty"),
    secrets=("Søren",),
)
def many_faults_at_once(f: Folder) -> None:
    f.toml = f.toml.replace("name =", "nmae =")
    f.set("citizen", "note", "Søren", slice(None))
    f.files["citizen.csv"] = f.csv("citizen").encode("cp1252")
    f.set("rating", "value", "99", 0)
    f.set("rating", "missing_reason", "", 0)
    f.set("outcome", "value", "2", 0)
    f.set("outcome", "event_date", "", 0)
    f.tables["measurement"] = pd.concat([f.tables["measurement"], f.tables["measurement"].iloc[[0]]])
    f.files["jobcentre.csv"] = b""


# ---- the tests ---------------------------------------------------------------------------------------------


def _write(case: Case, path: Path) -> Path:
    folder = good_folder()
    case.breaks(folder)
    folder.write(path)
    if case.name == "folder_in_place_of_file":
        (path / "outcome_folder").unlink()
        (path / "outcome_folder").mkdir()
    return path


def test_there_are_enough_of_them() -> None:
    assert len({case.name for case in CASES}) >= 60


def test_good_folder_is_good(tmp_path: Path) -> None:
    report = validate_study(good_folder().write(tmp_path / "study"))
    assert report.problems.empty, report.render("en")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_broken_folder(case: Case, tmp_path: Path) -> None:
    path = _write(case, tmp_path / "study")
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}

    with pytest.raises(SchemaError) as caught:
        jc.read_study(path)

    error = caught.value
    report = error.report
    assert isinstance(report, jc.ValidationReport)
    assert not report.ok
    problems = report.problems
    errors = problems[problems["level"] == "E"]
    found = set(zip(errors["table"], errors["column"], errors["rule"], strict=True))
    assert found == case.errors
    assert (problems["n"] > 0).all()
    told = [
        str(error),
        repr(error),
        repr(report),
        report.render("da"),
        report.render("en"),
        problems.to_string(),
    ]
    for secret in (SECRET, *case.secrets):
        assert not any(secret in text for text in told)
    # One line per failing rule, under one verdict.
    assert len(report.render("da").splitlines()) == len(problems) + 1
    for table, column, rule in case.errors:
        assert all(name in text for text in told[3:5] for name in (table, column, rule))
    assert error.__cause__ is None
    assert error.__context__ is None
    assert validate_study(path).problems.equals(problems)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before
