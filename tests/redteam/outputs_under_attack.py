"""Real outputs of the package, and what an attacker may know: frames of the note, canaries, file texts."""

import io
import re
import zipfile
import zlib
from functools import cache

import numpy as np

from jobchance import build_panel, simulate_study
from jobchance.disclosure.check import protect
from jobchance.disclosure.overlap import export_beside
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.findings.catalogue import CATALOGUE

CAUTIOUS = DisclosurePolicy.preset("cautious_dk")
# The simulated study's identifiers: citizens, caseworkers, measurements, assignments, activities, teams.
IDENTIFIER = re.compile(r"(?<![A-Za-z0-9])(C\d{6}|S\d{5}|[MAV]\d{7}[SC]?|J\d{2}-T\d)(?![A-Za-z0-9])")
LEAST = CAUTIOUS.min_persons


@cache
def small_study():
    """A study so small that many cells must be hidden."""
    return simulate_study(seed=1, n_citizens=400)


@cache
def small_panel():
    return build_panel(small_study())


@cache
def raw_frames():
    """By output: the frame with everything in it."""
    study, panel = small_study(), small_panel()
    return {
        entry.name: entry.module.build(study, panel, policy=CAUTIOUS).frame
        for entry in CATALOGUE
        if not entry.module.needs(study, panel)
    }


@cache
def shown_frames():
    """By output: the frame as the status note shows it beside the others, and the base of its counts."""
    shown = {}
    for name, frame in raw_frames().items():
        exact = [one for one, base in shown.values() if base is None]
        result, policy = export_beside(protect(frame, CAUTIOUS, output=name), exact, CAUTIOUS)
        shown[name] = result, policy.round_base
    return shown


def everything_readable(content, ending):
    """All text that can be got out of a file: unpacked, inflated, decoded."""
    pieces = [content]
    if ending == "xlsx":
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            pieces += [book.read(name) for name in book.namelist()] + [n.encode() for n in book.namelist()]
    if ending == "pdf":
        for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
            try:
                pieces.append(zlib.decompress(stream))
            except zlib.error:
                continue
    if ending == "png":  # text chunks lie open, compressed ones are inflated
        pieces += _png_texts(content)
    return "\n".join(piece.decode("utf-8", errors="replace") for piece in pieces)


def png_chunks(content):
    place = 8
    while place < len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        place += 12 + size


def _png_texts(content):
    return [body for kind, body in png_chunks(content) if kind in (b"tEXt", b"zTXt", b"iTXt", b"eXIf")]


def arrays_within(value, *, seen=None):
    """Every numpy array and pandas column that can be reached from an object, with where it was found."""
    seen = set() if seen is None else seen
    waiting = [("", value)]
    while waiting:
        where, one = waiting.pop()
        if id(one) in seen or isinstance(one, str | bytes | int | float | type | None):
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            yield where, one
        elif hasattr(one, "to_numpy") and hasattr(one, "index"):
            yield where, np.empty(len(one))
        elif isinstance(one, dict):
            waiting += [(f"{where}[{key!r:.20}]", item) for key, item in one.items()]
        elif isinstance(one, list | tuple | set | frozenset):
            waiting += [(f"{where}[]", item) for item in one]
        else:
            slots = [
                s for kind in type(one).__mro__ for s in getattr(kind, "__slots__", ()) if isinstance(s, str)
            ]
            inner = {s: getattr(one, s) for s in slots if hasattr(one, s)} | getattr(one, "__dict__", {})
            waiting += [(f"{where}.{name}", item) for name, item in inner.items()]
