"""`MultiverseSpec`: a multiverse file or mapping, checked whole, before anything is expanded or run."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

from jobchance.errors import SpecError
from jobchance.sensitivity.multiverse.choices import DIMENSIONS, OF_THE_PANEL, Choices
from jobchance.sensitivity.multiverse.conditions import Constraint
from jobchance.sensitivity.multiverse.expand import HARD_CAP, MAX_SPECIFICATIONS, Expansion, count, expand
from jobchance.sensitivity.multiverse.spec_choices import PLACE, read_choices
from jobchance.sensitivity.multiverse.spec_constraints import Named, read_constraints
from jobchance.sensitivity.multiverse.spec_entries import known_keys, read_at
from jobchance.sensitivity.multiverse.spec_main import Main, main_specification, read_main
from jobchance.sensitivity.multiverse.spec_terms import AFTER
from jobchance.sensitivity.multiverse.spec_text import Problems, kind, label_fault, name_fault, shown
from jobchance.sensitivity.multiverse.spec_values import column, one_of, whole_number
from jobchance.sensitivity.multiverse.specification import Specification

MAX_BYTES = 100_000
MAX_LINE = 2_000  # the time to read TOML grows with the square of the parts of a dotted key
SCALES = ("sd", "unit")
_KEYS = (
    "name",
    "title",
    "scale",
    "level",
    "joint_cluster",
    "max_specifications",
    "choices",
    "exclude",
    "require",
    "main",
)


@dataclass(frozen=True)
class MultiverseSpec:
    """Every defensible way to run one analysis, declared as data; made by `read` or `from_dict`.

    Parameters
    ----------
    choices : Choices
        What may be chosen on each dimension.
    stated : frozenset of str
        Dimensions that the file gives; the others hold their default.
    constraints : tuple of Constraint
        Combinations that are left out.
    main_choices : tuple or None
        What `[main]` says, by dimension.
    name : str
        For file names: `a-z 0-9 _ -`.
    title_da, title_en : str
        For readers; "" if not given.
    scale : {"sd", "unit"}
        Whether estimates are per standard deviation or per unit of the exposure.
    level : float
        Of intervals and of what counts as significant.
    joint_cluster : str
        Clusters that the joint test over the specifications respects.
    max_specifications : int
        `expand` refuses more, before any is made.

    Examples
    --------
    >>> spec = MultiverseSpec.from_dict(
    ...     {"choices": {"exposure": "belief", "covariates": ["age", "C(education)"], "estimator": "pooled"}}
    ... )
    >>> [one.covariates for one in spec.expand().specifications]
    [(), ('C(education)',), ('age',), ('C(education)', 'age')]
    """

    choices: Choices
    stated: frozenset[str] = frozenset()
    constraints: tuple[Constraint, ...] = ()
    main_choices: Main | None = None
    name: str = "multiverse"
    title_da: str = ""
    title_en: str = ""
    scale: str = "sd"
    level: float = 0.95
    joint_cluster: str = "caseworker_id"
    max_specifications: int = MAX_SPECIFICATIONS

    @classmethod
    def read(cls, path: str | Path) -> MultiverseSpec:
        """Read a multiverse file.

        Parameters
        ----------
        path : str or Path
            A TOML file in UTF-8, at most 100,000 bytes in lines of at most 2,000 characters.

        Raises
        ------
        SpecError
            The file is absent, too large, no UTF-8 text or no TOML; or anything that `from_dict` refuses.
        """
        return cls.from_dict(_toml(Path(path)))

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> MultiverseSpec:
        """Check a mapping that says the same as a file.

        Parameters
        ----------
        mapping : mapping
            The keys of the file: `choices` (with at least `exposure` and `covariates`), and any of `name
            title scale level joint_cluster max_specifications exclude require main`.

        Raises
        ------
        SpecError
            Everything that is wrong, each with its place (lists are counted from 1), what was seen and what
            is allowed.
        """
        if not isinstance(mapping, Mapping):
            raise SpecError(f"A multiverse specification is a mapping, not {kind(mapping)}.")
        problems = Problems()
        known_keys(mapping, _KEYS, "", problems)
        general = _general(mapping, problems)
        read = read_choices(mapping.get("choices"), problems)
        if read is None:
            problems.raise_any()
        assert read is not None, "a problem was raised"
        choices, broken = read
        stated = frozenset(d for d in DIMENSIONS if d in mapping["choices"])
        named = Named(choices, stated, broken)
        constraints = read_constraints(mapping, named, problems)
        main = read_main(mapping.get("main"), named, constraints, problems)
        problems.raise_any()
        return cls(choices=choices, stated=stated, constraints=constraints, main_choices=main, **general)

    @property
    def main(self) -> Specification | None:
        """The specification that the paper rests on, in canonical form."""
        return None if self.main_choices is None else main_specification(self.choices, self.main_choices)

    @property
    def fingerprint(self) -> str:
        """That of the expansion: the same for files that stand for the same specifications."""
        return self.expand().fingerprint

    def on_panel(self, *, outcome: str, horizon_weeks: int, at_risk: str) -> MultiverseSpec:
        """The same file for a given panel: where it is silent about these three, the panel's own hold.

        Raises
        ------
        SpecError
            A value that a file could not hold either.
        """
        problems = Problems()
        given = {"outcome": outcome, "horizon_weeks": horizon_weeks, "at_risk": at_risk}
        made: dict[str, Any] = {
            name: (read_at(f"{PLACE}.{name}", problems, name, given[name]),)
            for name in OF_THE_PANEL
            if name not in self.stated
        }
        problems.raise_any()
        return replace(self, choices=replace(self.choices, **made))

    def count(self) -> int:
        """Number of specifications, counted without making them."""
        return count(self)

    def expand(self) -> Expansion:
        """Every specification that this file stands for; see `jobchance.sensitivity.multiverse.expand`."""
        return expand(self)


def _general(mapping: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """The keys beside choices and constraints."""
    made: dict[str, Any] = {}
    if "name" in mapping:
        made["name"] = mapping["name"]
        if fault := name_fault(mapping["name"]):
            problems.add("name", fault)
    readers: dict[str, Callable[[object], Any]] = {
        "scale": one_of(SCALES),
        "level": _level,
        "joint_cluster": lambda value: column(value, refused=AFTER),
        "max_specifications": lambda value: whole_number(value, 1, HARD_CAP),
    }
    for key, reader in readers.items():
        if key in mapping:
            try:
                made[key] = reader(mapping[key])
            except SpecError as error:
                problems.add(key, str(error))
    return made | _titles(mapping.get("title", {}), problems)


def _level(value: object) -> float:
    number: Any = value
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.5 <= number < 1:
        raise SpecError("a number from 0.5 to below 1 is needed, such as 0.95")
    return float(number)


def _titles(raw: object, problems: Problems) -> dict[str, str]:
    """`title = "..."` for both languages, or `title = { da = "...", en = "..." }`."""
    if not isinstance(raw, Mapping):
        if fault := label_fault(raw):
            problems.add("title", fault)
            return {}
        return {"title_da": str(raw), "title_en": str(raw)}
    known_keys(raw, ("da", "en"), "title", problems)
    titles = {}
    for lang in ("da", "en"):
        if lang in raw and (fault := label_fault(raw[lang])):
            problems.add(f"title.{lang}", fault)
        elif lang in raw:
            titles[f"title_{lang}"] = str(raw[lang])
    return titles


def _toml(path: Path) -> dict[str, Any]:
    """The content of a file, read with bounds."""
    try:
        if not path.is_file():
            raise SpecError(f"There is no multiverse file {shown(path.name)}, or it is a folder.")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        raise SpecError("The multiverse file cannot be read.") from None
    if len(content) > MAX_BYTES:
        raise SpecError(f"The multiverse file is larger than {MAX_BYTES} bytes; it holds choices, no data.")
    try:
        text = content.decode("utf-8-sig")
        longest = max(map(len, text.splitlines()), default=0)
        if longest > MAX_LINE:
            raise SpecError(f"A line of the multiverse file has {longest} characters; at most {MAX_LINE}.")
        return tomllib.loads(text)
    except UnicodeDecodeError:
        raise SpecError("The multiverse file is not UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"The multiverse file is not TOML: {str(error)[:200]}.") from None
    except (ValueError, RecursionError, MemoryError):
        raise SpecError(
            "The multiverse file is nested too deeply or holds a number that is too long."
        ) from None
