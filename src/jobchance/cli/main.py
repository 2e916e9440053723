"""`jobchance`: commands and exit codes.

0 done; 1 a bug; 2 the input is wrong (message, no traceback); 3 disclosure control refused an output.
Heavy modules are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobchance.errors import DisclosureError, EstimationError, SchemaError, SpecError, UserError

if TYPE_CHECKING:
    from jobchance.note.status_note import StatusNote
    from jobchance.study.model import Study

app = typer.Typer(
    name="jobchance",
    help="Belief and job: validate study tables, write status notes, run analyses.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Lang(StrEnum):
    """Languages of the outputs."""

    da = "da"
    en = "en"


class Format(StrEnum):
    """File formats that studies are written in."""

    parquet = "parquet"
    csv = "csv"


_Out = Annotated[Path, typer.Option("--out", help="Folder to write to.", show_default=False)]
_Language = Annotated[Lang, typer.Option("--lang", help="Language of every text.")]
_Policy = Annotated[
    str, typer.Option("--policy", help="Disclosure preset: cautious_dk, dst, sds, sacro, uk_llc, ssb.")
]
_Ledger = Annotated[
    Path | None,
    typer.Option("--ledger", help="Ledger of everything exported so far, to check and record in."),
]
_Seed = Annotated[int, typer.Option("--seed", help="Seed of the simulated study.")]


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import version

        typer.echo(f"jobchance {version('jobchance')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Belief and job: validate study tables, write status notes, run analyses."""


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="New folder for the study's tables.")],
    seed: _Seed = 39,
    citizens: Annotated[
        int | None, typer.Option(help="Number of citizens; the preset's 4,000 if left out.")
    ] = None,
    format: Annotated[Format, typer.Option(help="File format of the tables.")] = Format.parquet,
) -> None:
    """Write a simulated BIP-like study with known truth (the truth itself is not written)."""
    from jobchance.simulate.bip import simulate_study
    from jobchance.study.write import write_study

    study = simulate_study(seed=seed, n_citizens=citizens)
    write_study(study, out, format=format.value)
    typer.echo(f"{out}: {', '.join(f'{name} {len(table)}' for name, table in sorted(study.tables.items()))}")


@app.command()
def validate(
    study: Annotated[Path, typer.Argument(help="Folder with study.toml.")],
    lang: _Language = Lang.da,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data files, if not the study's own.")
    ] = None,
) -> None:
    """Check a study folder and print every failing rule, with counts only; exit 2 if anything is wrong."""
    from jobchance.study.validate import validate_study

    report = validate_study(study, data=data)
    typer.echo(report.render(lang.value))
    if not report.ok:
        raise typer.Exit(2)


@app.command(name="status-note")
def status_note(
    out: _Out,
    study: Annotated[
        Path | None, typer.Argument(help="Folder with study.toml; the simulated BIP study if left out.")
    ] = None,
    lang: _Language = Lang.da,
    policy: _Policy = "cautious_dk",
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data files, if not the study's own.")
    ] = None,
    seed: _Seed = 39,
    ledger: _Ledger = None,
) -> None:
    """Write the status note of a study: a page, a workbook, the figures and a manifest."""
    from jobchance.cli.progress import progress_bar
    from jobchance.disclosure.policy import DisclosurePolicy
    from jobchance.note.status_note import status_note as write_note
    from jobchance.report.bundle import check_target

    chosen = DisclosurePolicy.preset(policy)
    check_target(out)
    tables = _study(study, data, seed, lang.value)
    with progress_bar() as progress, _said_in(lang.value):
        note = write_note(tables, out, lang=lang.value, policy=chosen, ledger=ledger, progress=progress)
    _report(note, out, lang.value)


@app.command()
def run(
    analysis: Annotated[
        Path, typer.Argument(help="Folder of an analysis, for example analyses/rosenthal_effect.")
    ],
    out: _Out,
    study: Annotated[
        Path | None, typer.Option(help="Folder with study.toml, where the analysis asks for one.")
    ] = None,
    lang: _Language = Lang.da,
    policy: _Policy = "cautious_dk",
    ledger: _Ledger = None,
) -> None:
    """Run one analysis of the `analyses` folder."""
    from jobchance.cli.analyses import run_analysis
    from jobchance.disclosure.policy import DisclosurePolicy

    chosen = DisclosurePolicy.preset(policy)
    if ledger is not None and study is None:
        raise SpecError("--ledger records the citizens of a study: name its folder with --study too.")
    with _said_in(lang.value):
        if ledger is None or study is None:
            run_analysis(analysis, out=out, lang=lang.value, study=study, policy=chosen)
        else:
            from jobchance.note.exported import recorded_analysis
            from jobchance.study.read import read_study

            tables, name = read_study(study), analysis.resolve().name
            with recorded_analysis(ledger, tables, out, name=name, policy=chosen) as folder:
                run_analysis(analysis, out=folder, lang=lang.value, study=study, policy=chosen)
    typer.echo(str(out))


@app.command()
def multiverse(
    spec: Annotated[Path, typer.Argument(help="Multiverse file (TOML).")],
    out: _Out,
    study: Annotated[
        Path | None, typer.Option(help="Folder with study.toml; the simulated BIP study if left out.")
    ] = None,
    jobs: Annotated[
        str | None,
        typer.Option(help="Processes of this machine: a number, or all; in one process if left out."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, such as tcp://10.0.0.5:8786.")
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for the first worker of the scheduler.")
    ] = 60.0,
    memory: Annotated[
        float | None, typer.Option(help="Most memory of each process of --jobs, in GB; no limit if left out.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, or begin if there is none.")
    ] = False,
    draws: Annotated[
        int, typer.Option(help="Curves under the null of the joint test; 0 leaves it out.")
    ] = 999,
    lang: _Language = Lang.da,
    policy: _Policy = "cautious_dk",
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data files, if not the study's own.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the joint test's draws and of the simulated study.")
    ] = 39,
    ledger: _Ledger = None,
) -> None:
    """Run every specification of a multiverse file and draw the specification curve."""
    from jobchance.cli.multiverse import Request, run_command

    request = Request(
        spec=spec,
        study=study,
        out=out,
        jobs=jobs,
        scheduler=scheduler,
        wait=wait,
        memory=memory,
        resume=resume,
        lang=lang.value,
        policy=policy,
        draws=draws,
        seed=seed,
        ledger=ledger,
    )
    with _said_in(lang.value):
        run_command(request, lambda: _study(study, data, seed, lang.value))


def _study(path: Path | None, data: Path | None, seed: int, lang: str) -> Study:
    """The study in `path`, or the simulated one; what is wrong with it is said in `lang`."""
    if path is not None:
        from jobchance.study.read import read_study

        with _said_in(lang):
            return read_study(path, data=data)
    if data is not None:
        raise SpecError("--data belongs to a study: name its folder too.")
    from jobchance.simulate.bip import simulate_study

    return simulate_study(seed=seed)


@contextmanager
def _said_in(lang: str) -> Iterator[None]:
    """Reports on studies and refusals of the ledger in the reader's language."""
    from jobchance.disclosure.clashes import LedgerError
    from jobchance.study.validate import ValidationReport

    try:
        yield
    except SchemaError as error:
        if isinstance(error.report, ValidationReport):
            raise SchemaError(error.report.render(lang), error.report) from None
        raise
    except LedgerError as error:
        raise DisclosureError(error.text(lang)) from None


def _report(note: StatusNote, out: Path, lang: str) -> None:
    """Say what was written and what was not; exit 3 if disclosure control refused an output."""
    from jobchance.formatting import Formatter
    from jobchance.note.words import not_drawn_line, withheld_line

    typer.echo(f"{out / 'status_note.html'}: {len(note.outputs)}")
    for entry, needs in note.not_drawn:
        typer.echo(not_drawn_line(entry, needs, lang))
    for breach in note.withheld:
        typer.echo(withheld_line(breach, Formatter(lang)), err=True)
    if note.withheld:
        raise typer.Exit(3)


def main() -> None:
    """Entry point: errors become one message and an exit code; a row's value never reaches the screen."""
    try:
        app()
    except DisclosureError as error:
        _stop(str(error), 3)
    except (UserError, EstimationError) as error:
        _stop(str(error), 2)
    except KeyboardInterrupt:
        _stop("interrupted", 130)
    except Exception as error:  # the last resort: a message of a library may hold a value, so it is not shown
        frames = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-4:]))
        _stop(
            f"jobchance failed: {type(error).__name__} at {where}. This is a bug; please report this line.", 1
        )


def _stop(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)
