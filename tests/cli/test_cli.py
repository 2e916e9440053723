"""The installed command: exit codes, messages, files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).parent / "jobchance")


def jobchance(*arguments, cwd=None):
    return subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False, cwd=cwd
    )


@pytest.fixture(scope="module")
def small_study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "study"
    result = jobchance("simulate", folder, "--seed", 4, "--citizens", 400, "--format", "csv")
    assert result.returncode == 0, result.stderr
    return folder


def test_help_names_the_commands():
    result = jobchance("--help")
    assert result.returncode == 0
    for name in ("simulate", "validate", "status-note", "run", "multiverse", "--version"):
        assert name in result.stdout


def test_version():
    assert re.fullmatch(r"jobchance \d+\.\d+\.\d+\n", jobchance("--version").stdout)


def test_simulate_writes_a_study_without_its_truth(small_study):
    names = {path.name for path in small_study.iterdir()}
    assert {"study.toml", "citizen.csv", "rating.csv"} <= names
    text = "".join(path.read_text(encoding="utf-8") for path in small_study.iterdir())
    assert "optimism_effect" not in text
    assert "forecasting_skill" not in text


def test_simulate_refuses_a_folder_that_is_not_empty(small_study):
    before = {path.name: path.read_bytes() for path in small_study.iterdir()}
    result = jobchance("simulate", small_study, "--citizens", 50)
    assert result.returncode == 2
    assert {path.name: path.read_bytes() for path in small_study.iterdir()} == before


@pytest.mark.parametrize(("lang", "word"), [("da", "fejl"), ("en", "error")])
def test_validate_a_good_and_a_broken_study(small_study, tmp_path, lang, word):
    good = jobchance("validate", small_study, "--lang", lang)
    assert good.returncode == 0, good.stdout + good.stderr
    assert word in good.stdout.lower()
    broken = jobchance("validate", tmp_path / "absent", "--lang", lang)
    assert broken.returncode == 2
    assert "Traceback" not in broken.stderr + broken.stdout


def test_status_note_of_a_study_folder(small_study, tmp_path):
    out = tmp_path / "note"
    result = jobchance("status-note", small_study, "--out", out, "--lang", "en")
    assert result.returncode == 0, result.stderr
    assert result.stderr == "", "no progress bar off a terminal"
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    drawn = {entry["id"] for entry in manifest["outputs"]}
    named = {line.split()[0] for line in result.stdout.splitlines()[1:]}
    assert len(drawn) >= 10
    assert not drawn & named
    for name in manifest["files"]:
        assert (out / name).is_file()
    first = {path.name: path.read_bytes() for path in (out / "figures").glob("*.csv")}
    assert jobchance("status-note", small_study, "--out", out, "--lang", "en").returncode == 0
    assert {path.name: path.read_bytes() for path in (out / "figures").glob("*.csv")} == first


def test_a_broken_study_gives_one_report_and_writes_nothing(small_study, tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    for path in small_study.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    rating = (folder / "rating.csv").read_text(encoding="utf-8").splitlines()
    rating += rating[1:4]
    (folder / "rating.csv").write_text("\n".join(rating), encoding="utf-8")
    out = tmp_path / "out"
    result = jobchance("status-note", folder, "--out", out)
    assert result.returncode == 2
    assert "rating" in result.stderr
    assert "Traceback" not in result.stderr
    assert rating[1].split(",")[0] not in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["status-note", "--out", "x", "--policy", "cautius_dk"], "cautious_dk"),
        (["status-note", "--out", "hjemsendelser/x"], "copy by hand"),
        (["status-note", "--out", "x", "--data", "."], "--data"),
        (["run", "nowhere", "--out", "x"], "run.py"),
        (["status-note", "--out", "x", "--lang", "fr"], "lang"),
        (["status-note"], "--out"),
        (["status-notes"], "status-note"),
    ],
)
def test_wrong_words_exit_2_with_a_hint(arguments, word, tmp_path):
    result = jobchance(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert word in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bug_shows_no_value_and_exits_1(tmp_path):
    (tmp_path / "run.py").write_text("def main(**given):\n    raise RuntimeError('citizen HEMMELIG-1')\n")
    result = jobchance("run", tmp_path, "--out", tmp_path / "out")
    assert result.returncode == 1
    assert "RuntimeError" in result.stderr
    assert "HEMMELIG" not in result.stderr + result.stdout


def test_a_refusal_of_disclosure_control_exits_3(tmp_path):
    (tmp_path / "run.py").write_text(
        "from jobchance.errors import DisclosureError\n"
        "def main(**given):\n    raise DisclosureError('F1 wave_flow: min_persons (2 rows)')\n"
    )
    result = jobchance("run", tmp_path, "--out", tmp_path / "out")
    assert result.returncode == 3
    assert "min_persons" in result.stderr


def test_module_and_command_are_the_same(tmp_path):
    code = "import sys; sys.argv = ['jobchance', '--version']; from jobchance.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout == jobchance("--version").stdout


@pytest.mark.parametrize(("lang", "word"), [("da", "Rækker"), ("en", "Rows")])
def test_what_is_wrong_is_said_in_the_language_asked_for(small_study, tmp_path, lang, word):
    folder = tmp_path / "broken"
    folder.mkdir()
    for path in small_study.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    citizen = (folder / "citizen.csv").read_text(encoding="utf-8").splitlines()
    (folder / "citizen.csv").write_text("\n".join([*citizen, citizen[1]]), encoding="utf-8")
    result = jobchance("status-note", folder, "--out", tmp_path / "out", "--lang", lang)
    assert result.returncode == 2
    assert word in result.stderr


def test_a_study_file_nested_too_deeply_is_a_report(small_study, tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "study.toml").write_text("a = " + "[" * 5000 + "]" * 5000)
    result = jobchance("validate", folder)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
