"""What is shipped: one pure-Python wheel with its data, a light import, commands that the README promises."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "pandas",
    "scipy",
    "statsmodels",
    "linearmodels",
    "matplotlib",
    "duckdb",
    "pyarrow",
    "numba",
    "numpy",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_is_pure_python_and_carries_the_data(wheel):
    assert wheel.name.endswith("-py3-none-any.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("schemas", "codelists", "instruments"):
        for path in (ROOT / "data" / folder).rglob("*.*"):
            assert f"jobchance/data/{path.relative_to(ROOT / 'data').as_posix()}" in names
    assert "jobchance/report/templates/note.html.j2" in names
    assert "jobchance/labels/common.toml" in names
    assert "jobchance/py.typed" in names
    assert not [n for n in names if n.startswith(("tests/", "docs/", "analyses/"))]


def test_the_wheel_reads_its_own_data_away_from_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "from jobchance.resources import data_folder; from jobchance.study.instrument import read_instrument;"
        "print(data_folder()); print(len(read_instrument('bip').constructs))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    folder, constructs = result.stdout.split()
    assert Path(folder) == tmp_path / "jobchance" / "data"
    assert constructs == "11"


@pytest.mark.parametrize("code", ["import jobchance", "import jobchance.cli.main"])
def test_importing_is_light(code):
    script = f"import sys; {code}; print(*(m for m in {HEAVY!r} if m in sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_every_public_name_arrives():
    import jobchance as jc

    for name in jc.__all__:
        assert getattr(jc, name) is not None
    assert set(jc.__all__) <= set(dir(jc))
    with pytest.raises(AttributeError, match="fit_everything"):
        jc.fit_everything  # noqa: B018


def test_ci_runs_exactly_the_test_command_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"```sh\n(.*?)\n```", readme, flags=re.DOTALL)
    (test_command,) = [c for c in commands if c.endswith("pytest")]
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("\n" + test_command)


def test_every_dependency_has_an_upper_bound():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    unbounded = [d for d in project["dependencies"] if not re.search(r",<\d", d)]
    assert unbounded == []
