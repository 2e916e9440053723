"""Write a set of files into a folder whole or not at all, and take away what an earlier run left.

Files are first written to a scratch folder beside the target and then moved into place; a run that fails
leaves the target as it was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from jobchance.disclosure.folders import refuse_export_folder
from jobchance.disclosure.ledger_file import MAGIC
from jobchance.errors import DisclosureError, SpecError

MANIFEST = "manifest.json"


def check_target(out: Path) -> Path:
    """Absolute target folder; refuses files and the folders from which results leave a secure server.

    Raises
    ------
    SpecError
        The target is a file, or a folder from which results are sent home: a person copies by hand.
    """
    target = refuse_export_folder(out)
    if target.exists() and not target.is_dir():
        raise SpecError(f"--out names a file, not a folder: {out.name}")
    return target


def sha256(content: bytes) -> str:
    """Hex digest of a file's content."""
    return hashlib.sha256(content).hexdigest()


def write_bundle(out: Path, files: Mapping[str, bytes], manifest: Mapping[str, object]) -> Path:
    """Write `files` (relative name -> content) and `manifest.json` into `out`; return the folder.

    Files that an earlier bundle's manifest lists and that this one does not have are removed; files of
    other origin are left alone.

    Raises
    ------
    SpecError
        The target is a file, or a folder from which results are sent home.
    DisclosureError
        One of the files is a disclosure ledger, which is personal data.
    """
    target = check_target(out)
    ledgers = sum(content.startswith(MAGIC) for content in files.values())
    if ledgers:
        raise DisclosureError(
            f"{ledgers} of the files to write are disclosure ledgers: personal data that never leaves."
        )
    document = {**manifest, "files": {name: sha256(content) for name, content in sorted(files.items())}}
    text = json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name, content in {**files, MANIFEST: text.encode()}.items():
            place = scratch / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        stale = _listed(target) - set(files)
        for name in [*sorted(files), MANIFEST]:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).replace(target / name)
        for name in stale:
            (target / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _listed(target: Path) -> set[str]:
    """Files that an earlier bundle in this folder says it wrote (none if it is no bundle of ours)."""
    path = target / MANIFEST
    if not path.is_file():
        return set()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        return set()
    names = document.get("files") if isinstance(document, dict) else None
    if not isinstance(names, dict):
        return set()
    return {n for n in names if ".." not in Path(n).parts and not Path(n).is_absolute()}
