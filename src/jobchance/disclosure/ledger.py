"""`DisclosureLedger`: who was behind everything exported so far, so that no later output gives them away."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from jobchance.disclosure.clashes import (
    Clash,
    Codes,
    Entry,
    LedgerError,
    cell_clashes,
    sample_clashes,
    warn_of_strangers,
)
from jobchance.disclosure.ledger_file import Line, append_lines, create_file, locked, read_lines
from jobchance.disclosure.policy import DisclosurePolicy
from jobchance.disclosure.release import Release
from jobchance.errors import SpecError


class DisclosureLedger:
    """A file inside the secure server that remembers the samples of all exported outputs of a project.

    **The ledger is personal data.** It holds a keyed hash of the identifier of every person in every sample,
    and the key. It stays inside the secure server, beside the project and never in a folder of outputs; it
    is made readable for its owner only, is refused by `write_bundle`, and cannot be pickled.

    One ledger serves one project for all of its life; see the page on disclosure for how it is used.

    Parameters
    ----------
    path : str or Path
        An existing ledger; `DisclosureLedger.create` makes one.

    Raises
    ------
    SpecError
        There is no ledger at the path, or it is of another version.
    DisclosureError
        The file has been changed by hand.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> ledger = DisclosureLedger.create(Path(folder.name) / "exports.ledger")
    >>> policy = DisclosurePolicy.preset("cautious_dk")
    >>> ledger.record([Release("T1", sample=range(100))], policy)
    >>> [str(clash) for clash in ledger.check([Release("T2", sample=range(98))], policy)]
    ['T2: its sample, or the persons behind one of its cells, differs by 1 to 4 persons from that of T1']
    >>> folder.cleanup()
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().resolve()
        read_lines(self.path)

    @classmethod
    def create(cls, path: str | Path) -> DisclosureLedger:
        """Start an empty ledger for a project.

        Raises
        ------
        SpecError
            The file exists, its folder does not, or the folder holds outputs.
        """
        create_file(Path(path))
        return cls(path)

    def check(self, releases: Sequence[Release], policy: DisclosurePolicy) -> list[Clash]:
        """Everything that these outputs would give away beside each other and beside the earlier ones.

        Compared are, with the larger of the policy's and the earlier output's `min_persons`: the sample of
        each output and the persons behind its cells with those of all outputs; with sums of two disjoint
        samples and with a sample less a part of it; and, for outputs of the same name, the number of persons
        in each cell, and whether a cell hidden before is shown now for the same persons.

        Returns
        -------
        list of Clash
            Empty where the outputs may be exported; also where `policy.differencing` is off.

        Warns
        -----
        UserWarning
            Nobody in a sample is in any earlier one: identifiers replaced by a new delivery would look so.
        """
        return self._clashes(_State.read(self.path), list(releases), policy)

    def record(self, releases: Sequence[Release], policy: DisclosurePolicy) -> None:
        """Check the outputs and, if all may be exported, note them down; call it before writing files.

        An output that is recorded already, with the same frame and persons, is not recorded twice.

        Raises
        ------
        LedgerError
            An output clashes; nothing is recorded. Outputs are named, persons counted in bands only. It is a
            `DisclosureError`.
        SpecError
            The ledger is in use by another program.
        """
        with locked(self.path):
            state = _State.read(self.path)
            releases = list(releases)
            clashes = self._clashes(state, releases, policy)
            if clashes:
                raise LedgerError(clashes, policy)
            lines = state.new_lines(releases, policy)
            if lines:
                append_lines(self.path, lines)

    def withdraw(self, output: str, *, reason: str) -> int:
        """Take back an output that was recorded but never left the server; returns how many entries.

        The entries stay in the file, marked withdrawn, and no longer count.

        Raises
        ------
        SpecError
            There is no such output, or no reason is given.
        """
        if not reason.strip():
            raise SpecError("withdraw: say why, for whoever reads the ledger later.")
        with locked(self.path):
            found = [entry for entry in _State.read(self.path).outputs if entry["name"] == output]
            if not found:
                raise SpecError(f"withdraw: the ledger has no exported output {output!r}; see entries().")
            append_lines(self.path, [{"kind": "withdrawn", "name": output, "reason": reason}])
        return len(found)

    def entries(self) -> pd.DataFrame:
        """What is recorded: `output policy min_persons frame_sha256 n_cells withdrawn`, in order."""
        lines = read_lines(self.path)
        records = []
        for place, line in enumerate(lines):
            if line["kind"] == "output":
                later = [x for x in lines[place:] if x["kind"] == "withdrawn" and x["name"] == line["name"]]
                cells = {**_mapping(line["cells"]), **_mapping(line["counts"])}
                measures = (line["name"], line["policy"], line["min_persons"], line["frame"], len(cells))
                records.append((*measures, bool(later)))
        names = ["output", "policy", "min_persons", "frame_sha256", "n_cells", "withdrawn"]
        return pd.DataFrame(records, columns=names)

    def __repr__(self) -> str:
        return "DisclosureLedger()"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("A DisclosureLedger stays where it is: open it again by its path.")

    def _clashes(self, state: _State, releases: list[Release], policy: DisclosurePolicy) -> list[Clash]:
        """See `check`."""
        if not policy.differencing:
            return []
        new = [Entry.of(release, state.salt, policy) for release in releases]
        old = [_entry(line, state.samples) for line in state.outputs]
        warn_of_strangers(new, old)
        return [*sample_clashes(new, old), *cell_clashes(new, old)]


@dataclass(frozen=True, repr=False)
class _State:
    """The ledger's content: the key, every sample by its name, and the outputs not withdrawn."""

    salt: bytes
    samples: Mapping[str, Codes]
    outputs: Sequence[Line]

    @classmethod
    def read(cls, path: Path) -> _State:
        samples: dict[str, Codes] = {}
        outputs: list[Line] = []
        head, *lines = read_lines(path)
        for line in lines:
            if line["kind"] == "sample":
                packed = base64.b64decode(str(line["persons"]))
                samples[str(line["name"])] = np.frombuffer(zlib.decompress(packed), dtype="<i8").astype(
                    np.int64
                )
            elif line["kind"] == "output":
                outputs.append(line)
            elif line["kind"] == "withdrawn":
                outputs = [one for one in outputs if one["name"] != line["name"]]
        return cls(bytes.fromhex(str(head["salt"])), samples, outputs)

    def new_lines(self, releases: Sequence[Release], policy: DisclosurePolicy) -> list[Line]:
        """Lines to add: samples not yet known, then the outputs."""
        known = set(self.samples)
        lines: list[Line] = []
        outputs: list[Line] = []
        for release in releases:
            entry = Entry.of(release, self.salt, policy)
            names = []
            for codes in entry.sets:
                content = codes.astype("<i8").tobytes()
                names.append(hashlib.sha256(content).hexdigest()[:32])
                if names[-1] not in known:
                    known.add(names[-1])
                    persons = base64.b64encode(zlib.compress(content)).decode()
                    lines.append({"kind": "sample", "name": names[-1], "persons": persons})
            output: Line = {
                "kind": "output",
                "name": release.name,
                "frame": None if release.frame is None else _frame_hash(release.frame),
                "policy": policy.name,
                "min_persons": policy.min_persons,
                "base": policy.round_base,
                "sample": names[0],
                "cells": dict(zip(entry.cells, names[1:], strict=True)),
                "counts": dict(entry.counts),
            }
            if output not in [*self.outputs, *outputs]:
                outputs.append(output)
        return [*lines, *outputs]


def _entry(line: Line, samples: Mapping[str, Codes]) -> Entry:
    """A line of the file as what it stands for."""
    cells = {name: samples[str(code)] for name, code in _mapping(line["cells"]).items()}
    counts = {name: None if n is None else float(str(n)) for name, n in _mapping(line["counts"]).items()}
    base = None if line["base"] is None else int(str(line["base"]))
    least = int(str(line["min_persons"]))
    return Entry(str(line["name"]), least, base, samples[str(line["sample"])], cells, counts)


def _mapping(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def _frame_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of the frame as plain csv."""
    return hashlib.sha256(frame.to_csv(index=False, lineterminator="\n").encode()).hexdigest()
