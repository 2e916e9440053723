"""`save_figure`: picture, exact frame and description, all or none, after disclosure control.

The csv is the frame that was drawn, so that the figure can be drawn again away from the secure server:
`read_frame` gives it back with its types, and the drawing function makes the same picture from it.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile

import pandas as pd
from PIL import Image

from jobchance.disclosure.check import require
from jobchance.disclosure.export import export_frame
from jobchance.disclosure.folders import refuse_export_folder
from jobchance.disclosure.ledger import DisclosureLedger
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.release import Release
from jobchance.errors import DisclosureError, SpecError
from jobchance.figures import style
from jobchance.figures.base import CatalogueFigure
from jobchance.options import check_option

_NEAR_WHITE = 252  # the palette's white is a shade off; paper is white
_PICTURES = ("png", "pdf", "svg")
# A spreadsheet takes such texts for formulas; an apostrophe in front makes them text again.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def save_figure(
    figure: CatalogueFigure,
    frame: pd.DataFrame,
    path: str | Path,
    *,
    policy: DisclosurePolicy,
    formats: Sequence[str] = ("png",),
    disclosure_class: str | None = None,
    ledger: DisclosureLedger | str | Path | None = None,
    sample: Iterable[object] | None = None,
    cells: Mapping[str, Iterable[object]] | None = None,
) -> list[Path]:
    """Write `path`.png, `path`.csv and `path`.json; the same input gives the same bytes.

    Parameters
    ----------
    figure : CatalogueFigure
        Drawn from `frame` by its catalogue function.
    frame : DataFrame
        After `protect`, and after `export_frame` if the policy rounds counts; written as UTF-8 csv with
        Unix line ends and at most the policy's digits. Texts that a spreadsheet would run as formulas get an
        apostrophe in front.
    path : str or Path
        Where to, without ending (a picture's ending is cut off); the name is ASCII. Missing folders are made.
    policy : DisclosurePolicy
        What may be shown, and in which file types.
    formats : sequence of str
        Of the picture: `"png"`, `"pdf"`, `"svg"`.
    disclosure_class : str, optional
        Word of the disclosure vocabulary, checked and written into the description.
    ledger : DisclosureLedger, str or Path, optional
        Everything exported so far: the figure is refused where its sample or a cell differs from an earlier
        one by a few persons, and is recorded before the files are written. The ledger itself stays where it
        is; None = no such check.
    sample : iterable of identifiers, optional
        With a ledger, required: the persons behind the figure, such as `panel.frame["citizen_id"]`.
    cells : mapping of str to iterable of identifiers, optional
        With a ledger: the persons behind single cells that are shown.

    Returns
    -------
    list of Path
        The files, pictures first.

    Raises
    ------
    DisclosureError
        The frame breaks a rule, the figure was drawn from another frame, a file type is not allowed, or the
        figure beside an earlier output would give a few persons away.
    SpecError
        The path leads to an export folder, its name is not plain ASCII, a ledger comes without a sample or a
        sample without a ledger, or an argument is something else than its name says.
    """
    _check_kinds(figure, frame, policy)
    if (ledger is None) != (sample is None) or (cells is not None and ledger is None):
        raise SpecError("save_figure: ledger and sample belong together; cells need both.")
    base = _target(Path(path))
    name = f"{figure.description.id} {figure.description.name}"
    for kind in formats:
        check_option("formats", kind, _PICTURES)
    refused = sorted({*formats, "csv", "json"} - set(policy.formats))
    if refused:
        raise DisclosureError(f"{name}: policy {policy.name} does not allow {', '.join(refused)} files.")
    if figure.frame_hash != frame_hash(frame):
        raise DisclosureError(f"{name}: the figure was not drawn from the frame that is to be saved with it.")
    # Fewer digits do not move a mark; rounded counts would, so those must be rounded before drawing.
    exported = frame if policy.round_base else export_frame(frame, policy)
    require(exported, policy, output=name, disclosure_class=disclosure_class)
    contents = {kind: _picture(figure, kind) for kind in formats}
    contents["csv"] = _csv(exported)
    contents["json"] = _json(figure, exported, policy, disclosure_class)
    if ledger is not None and sample is not None:
        book = ledger if isinstance(ledger, DisclosureLedger) else DisclosureLedger(ledger)
        book.record([Release(name, sample, exported, cells or {})], policy)
    return _write_all(base, contents)


def _check_kinds(figure: object, frame: object, policy: object) -> None:
    """One error for arguments that are something else than their names say."""
    kinds = (
        (figure, "description", "figure must be a catalogue figure, from jobchance.figures.<name>(frame)"),
        (frame, "columns", "frame must be a DataFrame"),
        (policy, "min_persons", "policy must be a DisclosurePolicy"),
    )
    wrong = [words for value, attribute, words in kinds if not hasattr(value, attribute)]
    if wrong:
        raise SpecError(f"save_figure: {'; '.join(wrong)}.")


def read_frame(path: str | Path) -> pd.DataFrame:
    """The frame that `save_figure` wrote, with the types that it had: draws the same figure again.

    Parameters
    ----------
    path : str or Path
        As given to `save_figure`, with or without ending; csv and json must stand side by side.
    """
    base = _without_ending(Path(path))
    kinds = json.loads(_beside(base, "json").read_text(encoding="utf-8"))["columns"]
    raw = pd.read_csv(_beside(base, "csv"), dtype=str, keep_default_na=False, encoding="utf-8")
    return pd.DataFrame({name: _typed(raw[name], kind) for name, kind in kinds.items()})


def frame_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of the frame as it is written."""
    return hashlib.sha256(_csv(frame)).hexdigest()


def _target(path: Path) -> Path:
    base = refuse_export_folder(_without_ending(path))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", base.name):
        raise SpecError("the file name may hold letters a-z, digits, dot, dash and underscore only")
    return base


def _without_ending(path: Path) -> Path:
    return path.with_suffix("") if path.suffix[1:] in (*_PICTURES, "csv", "json") else path


def _beside(base: Path, ending: str) -> Path:
    return base.with_name(f"{base.name}.{ending}")


def _picture(figure: CatalogueFigure, kind: str) -> bytes:
    """Bytes without clock or version, so that they depend on the figure alone."""
    nothing = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Producer": None, "Creator": None}}
    target = io.BytesIO()
    with style.context():
        figure.savefig(
            target, format=kind, dpi=style.DPI, metadata=nothing.get(kind, {"Date": None, "Creator": None})
        )
    return _palette(target) if kind == "png" else target.getvalue()


def _palette(png: io.BytesIO) -> bytes:
    """The same picture in 256 colours, a quarter of the size: a page with twenty figures can be mailed."""
    small = io.BytesIO()
    with Image.open(png) as image:
        few = image.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        colours = few.getpalette() or []
        near_white = [min(colours[i : i + 3]) >= _NEAR_WHITE for i in range(0, len(colours), 3)]
        few.putpalette([255 if near_white[i // 3] else c for i, c in enumerate(colours)])
        few.save(small, "PNG", dpi=(style.DPI, style.DPI))
    return small.getvalue()


def _csv(frame: pd.DataFrame) -> bytes:
    written = pd.DataFrame({str(c): _as_text(frame[c]) for c in frame.columns}, index=frame.index)
    return written.to_csv(index=False, lineterminator="\n").encode()


def _as_text(column: pd.Series) -> pd.Series:
    """Numbers in their shortest form, texts made harmless, missing as nothing."""
    if pd.api.types.is_bool_dtype(column):
        return column.map({True: "true", False: "false"}).fillna("")
    if pd.api.types.is_integer_dtype(column):
        return column.map(str).where(column.notna(), "")
    if pd.api.types.is_numeric_dtype(column):
        return column.astype(float).map(lambda x: "" if x != x else repr(int(x)) if _whole(x) else repr(x))
    return column.astype(object).map(lambda x: "" if pd.isna(x) else _harmless(str(x)))


def _whole(x: float) -> bool:
    return x.is_integer() and abs(x) < 1e15


def _harmless(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    if pd.api.types.is_integer_dtype(column):
        return "integer"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def _typed(column: pd.Series, kind: str) -> pd.Series:
    if kind == "boolean":
        return column.map({"true": True, "false": False})
    if kind == "integer":
        return column.astype("int64") if not column.eq("").any() else column.replace("", None).astype("Int64")
    if kind == "number":
        return column.replace("", "nan").astype(float)
    plain = column.map(lambda text: text[1:] if re.match(r"'+[=+\-@\t\r]", text) else text)
    return plain.astype(object).where(plain != "", None)


def _json(
    figure: CatalogueFigure, frame: pd.DataFrame, policy: DisclosurePolicy, disclosure_class: str | None
) -> bytes:
    words = figure.description
    document = {
        "id": words.id,
        "name": words.name,
        "lang": words.lang,
        "headline": words.headline,
        "subtitle": words.subtitle,
        "note": words.note,
        "source": words.source,
        "alt": words.alt,
        "units": dict(words.units),
        "published": list(words.published),
        "columns": {str(column): _kind(frame[column]) for column in frame.columns},
        "n_rows": len(frame),
        "frame_sha256": frame_hash(frame),
        "disclosure_class": disclosure_class,
        "policy": asdict(policy),
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _write_all(base: Path, contents: dict[str, bytes]) -> list[Path]:
    """Write every file beside its target first and move them into place when all are whole."""
    base.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as undo:
        scratch: dict[str, Path] = {}
        for ending, content in contents.items():
            with NamedTemporaryFile(dir=base.parent, prefix=f".{base.name}.", delete=False) as file:
                scratch[ending] = Path(file.name)
                undo.callback(scratch[ending].unlink, missing_ok=True)
                file.write(content)
            scratch[ending].chmod(0o644)
        for ending, file_path in scratch.items():
            file_path.replace(_beside(base, ending))
    return [_beside(base, ending) for ending in contents]
