"""`write_study`: a study as a folder that `read_study` turns into the same study again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex

import pandas as pd

from jobchance.errors import SchemaError, SpecError
from jobchance.options import check_option
from jobchance.study.instrument import Instrument, Item, read_instrument
from jobchance.study.model import Study
from jobchance.study.problems import STUDY_FILE

FORMATS = ("parquet", "csv")
_INSTRUMENT_FILE = "instrument.toml"


def write_study(study: Study, path: str | Path, *, format: str = "parquet") -> None:
    """Write the tables of a study, its `study.toml` and, if it is the user's own, its instrument.

    The folder appears whole or not at all. The truth behind a simulated study is never written.

    Parameters
    ----------
    study : Study
        What to write.
    path : str or Path
        A folder that does not exist yet, or is empty.
    format : str
        `"parquet"` or `"csv"` (comma, decimal point, UTF-8, ISO dates, booleans as 1 and 0).

    Raises
    ------
    SpecError
        Unknown format, a folder that is not empty, or one that cannot be written.

    Examples
    --------
    >>> from jobchance.simulate.bip import simulate_study
    >>> write_study(simulate_study(seed=1, n_citizens=200), "my_study", format="csv")
    """
    check_option("format", format, FORMATS)
    target = Path(path)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise SpecError(f"{target} exists and is not empty. Choose a new folder; nothing was written.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.parent / f".{target.name}.{token_hex(4)}"
        draft.mkdir()
    except OSError as error:
        raise SpecError(f"{target} cannot be written: {error.strerror}.") from None
    try:
        _write_files(study, draft, format)
        if target.is_dir():
            target.rmdir()
        draft.rename(target)
    except OSError as error:
        raise SpecError(f"{target} cannot be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_files(study: Study, folder: Path, format: str) -> None:
    """All files of the study."""
    for name, table in study.tables.items():
        _write_table(table, folder / f"{name}.{format}")
    own = not _is_shipped(study.instrument)
    if own:
        (folder / _INSTRUMENT_FILE).write_text(instrument_toml(study.instrument), encoding="utf-8")
    text = study_toml(study, instrument=_INSTRUMENT_FILE if own else study.instrument.name)
    (folder / STUDY_FILE).write_text(text, encoding="utf-8")


def _write_table(table: pd.DataFrame, path: Path) -> None:
    """One table, without its row labels."""
    if path.suffix == ".parquet":
        table.to_parquet(path, engine="pyarrow", index=False)
        return
    booleans = {name: "int8" for name in table.columns if pd.api.types.is_bool_dtype(table[name].dtype)}
    table.astype(booleans).to_csv(
        path, index=False, lineterminator="\n", encoding="utf-8", date_format="%Y-%m-%d"
    )


def _is_shipped(instrument: Instrument) -> bool:
    """True if the package has this very instrument under its name."""
    try:
        return read_instrument(instrument.name) == instrument
    except (SchemaError, SpecError):
        return False


def study_toml(study: Study, *, instrument: str) -> str:
    """Return the text of a `study.toml` for a folder with one file per table."""
    head = {
        "name": study.name,
        "source": study.source,
        "language": study.language,
        "data_kind": study.data_kind,
        "instrument": instrument,
    }
    lines = ["[study]", *(f"{key} = {_toml(value)}" for key, value in head.items())]
    lines.append(f"data_through = {study.data_through.isoformat()}")
    lines.append(f"dates_known = {str(study.dates_known).lower()}")
    analysis = study.analysis
    lines += [
        "",
        "[analysis]",
        f"belief_item = {_toml(analysis.belief_item)}",
        f"belief_respondent = {_toml(analysis.belief_respondent)}",
        f"outcome = {_toml(analysis.outcome)}",
        f"horizon_weeks = {analysis.horizon_weeks}",
        f"at_risk = {_toml(analysis.at_risk)}",
        f"covariates = {_toml(list(analysis.covariates))}",
    ]
    return "\n".join(lines) + "\n"


def instrument_toml(instrument: Instrument) -> str:
    """Return an instrument as the text of a file that `read_instrument` reads."""
    head = {
        "name": instrument.name,
        "version": instrument.version,
        "title": instrument.title,
        "dont_know_label": instrument.dont_know_label,
        "sources": instrument.sources,
    }
    blocks = ["\n".join(f"{key} = {_toml(value)}" for key, value in head.items())]
    for item in instrument.items:
        if item.categories:
            labels = {
                str(value): dict(label) | {"status": item.category_status.get(value, "placeholder")}
                for value, label in item.categories.items()
            }
            blocks.append(_block(f"[categories.{_toml(item.item_id)}]", labels))
    for construct in instrument.constructs:
        entry = dict(vars(construct))
        blocks.append(_block("[[construct]]", {"id": entry.pop("construct_id")} | entry))
    blocks += [_block("[[item]]", _item_entry(item)) for item in instrument.items]
    for scale in instrument.scales:
        entry = {"id": scale.scale_id, "label": scale.label, "items": list(scale.items)}
        blocks.append(_block("[[scale]]", entry | {"min_answered": scale.min_answered}))
    return "\n\n".join(blocks) + "\n"


def _item_entry(item: Item) -> dict[str, object]:
    """One item with the keys of the file."""
    status = {"wording": item.wording_status, "scale": item.scale_status} | dict(item.field_status)
    return {
        "id": item.item_id,
        "construct": item.construct,
        "respondent": item.respondent,
        "text": item.text,
        "text_status": item.text_status,
        "scale": [item.scale_min, item.scale_max],
        "categories": item.item_id if item.categories else "",
        "reversed": item.reversed,
        "has_dont_know": item.has_dont_know,
        "status": status,
        "source": item.source,
    }


def _block(title: str, entry: Mapping[str, object]) -> str:
    """A TOML table with one key per line."""
    return "\n".join([title, *(f"{_key(key)} = {_toml(value)}" for key, value in entry.items())])


def _toml(value: object) -> str:
    """A value in TOML."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(str(key))} = {_toml(entry)}" for key, entry in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    if isinstance(value, str):
        # JSON strings are TOML strings, but for the one control character that JSON leaves alone.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def _key(name: str) -> str:
    """A key, quoted where it has to be."""
    bare = name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
    return name if bare else _toml(name)
