"""Every dependency does what is asked of it: installing without an error proves little."""

import io
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
CORE = [re.split(r"[<>=\[]", entry)[0] for entry in PROJECT["project"]["dependencies"]]
FRAME = pd.DataFrame(
    {"g": ["a", "a", "b", "b", "c", "c"], "t": [1, 2] * 3, "x": [0.0, 1, 0, 2, 1, 4]}
).assign(y=lambda d: 2 * d["x"] + d["t"])


def smoke_numpy():
    assert np.linalg.qr(np.eye(3))[0].shape == (3, 3)
    assert np.random.default_rng(1).normal() == np.random.default_rng(1).normal()


def smoke_scipy():
    from scipy import optimize, special, stats

    assert stats.t.ppf(0.975, 10) == pytest.approx(2.228139, abs=1e-6)
    assert special.expit(0) == 0.5
    assert optimize.brentq(lambda x: x - 1, 0, 3) == pytest.approx(1)


def smoke_pandas():
    assert FRAME.groupby("g", observed=True)["x"].transform("mean").iloc[0] == 0.5


def smoke_statsmodels():
    import statsmodels.api as sm

    fit = sm.OLS(FRAME["y"], sm.add_constant(FRAME[["x", "t"]])).fit()
    assert fit.params["x"] == pytest.approx(2)


def smoke_linearmodels():
    from linearmodels.panel import PanelOLS

    panel = FRAME.assign(g=pd.factorize(FRAME["g"])[0]).set_index(["g", "t"])
    fit = PanelOLS(panel["y"], panel[["x"]], entity_effects=True).fit()
    assert np.isfinite(fit.params["x"])


def smoke_matplotlib():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    FigureCanvasAgg(figure)
    figure.add_subplot().plot([1, 2])
    target = io.BytesIO()
    figure.savefig(target, format="png")
    assert target.getvalue().startswith(b"\x89PNG")


def smoke_pillow():
    from PIL import Image

    image = Image.new("RGB", (4, 4), "white").quantize(256, method=Image.Quantize.FASTOCTREE)
    assert len(image.getpalette() or []) >= 3


def smoke_formulaic():
    from formulaic import model_matrix

    assert list(model_matrix("x + g", FRAME).columns) == ["Intercept", "x", "g[T.b]", "g[T.c]"]


def smoke_pyarrow():
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(FRAME), target)
    assert pq.read_table(io.BytesIO(target.getvalue())).num_rows == len(FRAME)


def smoke_duckdb():
    import duckdb

    with duckdb.connect() as connection:
        connection.register("frame", FRAME)
        rows = connection.execute("select g, sum(x) from frame group by g order by g").fetchall()
    assert rows == [("a", 1.0), ("b", 2.0), ("c", 5.0)]


def smoke_numba():
    from numba import njit

    @njit
    def total(values):
        out = 0.0
        for value in values:
            out += value
        return out

    assert total(FRAME["x"].to_numpy()) == 8.0


def smoke_threadpoolctl():
    from threadpoolctl import threadpool_info, threadpool_limits

    np.linalg.inv(np.eye(2))
    assert threadpool_info()
    with threadpool_limits(limits=1):
        assert all(library["num_threads"] == 1 for library in threadpool_info())


def smoke_jsonschema():
    import jsonschema

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(1, {"type": "string"})


def smoke_jinja2():
    from jinja2 import Environment, select_autoescape

    template = Environment(autoescape=select_autoescape(default=True)).from_string("{{ x }}")
    assert template.render(x="<b>") == "&lt;b&gt;"


def smoke_typer():
    import typer
    from typer.testing import CliRunner

    app = typer.Typer()
    app.command()(lambda: typer.echo("done"))
    assert CliRunner().invoke(app).output == "done\n"


def smoke_rich():
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=io.StringIO())) as bar:
        bar.update(bar.add_task("x", total=2), completed=1)


def smoke_openpyxl():
    from openpyxl import Workbook, load_workbook

    book = Workbook()
    book.active["A1"] = "æøå"
    target = io.BytesIO()
    book.save(target)
    assert load_workbook(io.BytesIO(target.getvalue())).active["A1"].value == "æøå"


@pytest.mark.parametrize("name", CORE)
def test_a_core_dependency_works(name):
    assert version(name)
    globals()[f"smoke_{name}"]()


def test_a_dask_scheduler_runs_tasks():
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    options = {"processes": False, "dashboard_address": None, "n_workers": 1, "threads_per_worker": 1}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=30) == 6


def test_the_second_opinion_on_random_terms_works():
    formulae = pytest.importorskip("formulae", reason="the extra `test` is not installed")
    group = formulae.design_matrices("y ~ x + (1 | g)", FRAME).group
    assert group.design_matrix.shape == (6, 3)


def test_reading_stata_and_spss_files_works(tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat", reason="the extra `io` is not installed")
    path = tmp_path / "x.sav"
    pyreadstat.write_sav(FRAME, path)
    frame, _ = pyreadstat.read_sav(path)
    pd.testing.assert_series_equal(frame["x"], FRAME["x"])
