"""`DisclosurePolicy`: the thresholds of disclosure control as one value, with presets by place.

Not legal advice; the data controller's rule wins. Where a source gives no number for a field, its preset
keeps this library's cautious default and lists the field in `open_fields`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from jobchance.errors import SpecError
from jobchance.formatting import Formatter
from jobchance.labels.load import label
from jobchance.options import check_option

_FORMATS = ("png", "csv", "json", "xlsx", "html", "pdf", "svg")
_RASTER = ("png", "csv", "json", "xlsx", "html", "pdf")


@dataclass(frozen=True)
class DisclosurePolicy:
    """Thresholds that every saved output must keep; the defaults are those of `cautious_dk`.

    Parameters
    ----------
    name : str
        Name of the preset, or `"own"`.
    min_persons : int
        Persons behind any published cell or estimate.
    min_events : int
        Events, and also non-events, behind a rate; 0 = no rule.
    min_entities : mapping of str to int
        Entities of each kind behind an estimate, read from columns `N_<kind>s`.
    min_dof : int
        Residual degrees of freedom of a model, read from `df_resid`.
    nk : (int, float) or None
        Dominance: the n largest contributors hold less than the share k of a sum (column `dominance_share`).
    p_percent : float or None
        Dominance: what the others hold is at least this share of the largest (column `dominance_remainder`).
    zeros_disclosive : bool
        Empty cells and full cells (0 and 100 per cent) count as unsafe.
    allow_quantiles : bool
        Medians and other percentiles may be shown.
    allow_extremes : bool
        Minimum and maximum may be shown.
    round_base : int or None
        Counts are rounded to multiples of this, and shares to three digits, since a share with seven digits
        gives the exact counts back.
    max_digits : int
        Significant digits in exports.
    check_margins : bool
        Where cells add up to a shown total, a lone hidden cell takes a second one with it; over linked
        tables, every cross that leaves out one grouping counts as known.
    differencing : bool
        With a `DisclosureLedger`: an output is refused where its sample, or one of its cells, differs from an
        earlier exported one by 1 to `min_persons` - 1 persons.
    curve_min_events : int
        Events behind each step of a curve.
    formats : tuple of str
        Allowed file types; vector graphics can hold points and are left out by default.
    open_fields : tuple of str
        Fields that the preset's source leaves open.

    Raises
    ------
    SpecError
        A value makes no sense; all such fields are named at once.

    Examples
    --------
    >>> DisclosurePolicy.preset("cautious_dk").min_persons
    5
    """

    name: str = "own"
    min_persons: int = 5
    min_events: int = 5
    min_entities: Mapping[str, int] = field(
        default_factory=lambda: {"caseworker": 3, "jobcentre": 3, "workplace": 3}, hash=False
    )
    min_dof: int = 10
    nk: tuple[int, float] | None = None
    p_percent: float | None = None
    zeros_disclosive: bool = True
    allow_quantiles: bool = False
    allow_extremes: bool = False
    round_base: int | None = None
    max_digits: int = 7
    check_margins: bool = True
    differencing: bool = True
    curve_min_events: int = 5
    formats: tuple[str, ...] = _RASTER
    open_fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shapes = _wrong_shapes(self)
        if shapes:
            raise SpecError("disclosure policy: " + "; ".join(shapes))
        # A plain dict, not a mapping proxy: `dataclasses.asdict` must be able to copy it into manifests.
        object.__setattr__(self, "min_entities", dict(self.min_entities))
        object.__setattr__(self, "formats", tuple(self.formats))
        object.__setattr__(self, "open_fields", tuple(self.open_fields))
        wrong = _nonsense(self)
        if wrong:
            raise SpecError("disclosure policy: " + "; ".join(wrong))

    @classmethod
    def preset(cls, name: str) -> DisclosurePolicy:
        """A named policy: `cautious_dk` (the default), `dst`, `sds`, `sacro`, `uk_llc` or `ssb`.

        Raises
        ------
        SpecError
            No preset of that name; the message names the nearest.
        """
        return _PRESETS[check_option("policy", name, _PRESETS)]

    @property
    def digits(self) -> int:
        """Significant digits of exported numbers, after the loss that rounded counts require."""
        return min(self.max_digits, 3) if self.round_base else self.max_digits

    def describe(self, lang: str) -> str:
        """The settings in words, one line each: what holds, what the source leaves open, and the caution.

        Parameters
        ----------
        lang : str
            `"da"` or `"en"` (`"sv"` and `"nb"` read English).
        """
        text = Formatter(lang)
        lines = [label("disclosure.policy", lang, name=label(f"disclosure.preset.{self.name}", lang))]
        for setting in fields(self):
            if setting.name in ("name", "open_fields"):
                continue
            value = _in_words(getattr(self, setting.name), text)
            line = label(f"disclosure.field.{setting.name}", lang, value=value)
            open_mark = label("disclosure.open", lang) if setting.name in self.open_fields else ""
            lines.append(f"{line} {open_mark}".rstrip())
        return "\n".join([*lines, label("caution.not_legal_advice", lang)])


def _in_words(value: object, text: Formatter) -> str:
    """A setting as a reader's word or number."""
    lang = text.lang
    if isinstance(value, bool):
        return label("word.yes" if value else "word.no", lang)
    if value is None:
        return label("disclosure.none", lang)
    if isinstance(value, Mapping):
        kinds = [f"{label(f'disclosure.entity.{k}', lang)} {text.count(n)}" for k, n in sorted(value.items())]
        return text.listing(kinds) if kinds else label("disclosure.none", lang)
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return ", ".join(value)
    if isinstance(value, tuple):
        return label("disclosure.nk", lang, n=text.count(value[0]), share=text.percent(value[1]))
    return text.percent(value) if isinstance(value, float) else text.count(value)


def _wrong_shapes(policy: DisclosurePolicy) -> list[str]:
    """Fields that are not even of the right kind, so that their content cannot be looked at."""
    wrong = [] if isinstance(policy.min_entities, Mapping) else ["min_entities must map a kind to a number"]
    for name in ("formats", "open_fields"):
        value = getattr(policy, name)
        if isinstance(value, str) or not isinstance(value, Iterable):
            wrong.append(
                f"{name} must be several texts: ({value!r},)"
                if isinstance(value, str)
                else f"{name} must be several texts"
            )
    return wrong


def _nonsense(policy: DisclosurePolicy) -> list[str]:
    """What is wrong with the values, one entry per field; empty when all make sense."""
    counts = ("min_persons", "min_events", "min_dof", "curve_min_events")
    wrong = [
        f"{name} must be a whole number of 0 or more"
        for name in counts
        if not _whole(getattr(policy, name), 0)
    ]
    wrong += [
        f"min_entities[{kind!r}] must be a whole number of 0 or more"
        for kind, least in policy.min_entities.items()
        if not _whole(least, 0)
    ]
    if not _whole(policy.max_digits, 1) or policy.max_digits > 7:
        wrong.append("max_digits must be 1 to 7: more digits are taken for microdata")
    if policy.round_base is not None and not _whole(policy.round_base, 2):
        wrong.append("round_base must be None or a whole number of 2 or more")
    if policy.nk is not None and not _is_nk(policy.nk):
        wrong.append("nk must be None or (whole number of 1 or more, share between 0 and 1)")
    if policy.p_percent is not None and not _is_share(policy.p_percent):
        wrong.append("p_percent must be None or a share between 0 and 1")
    switches = ("zeros_disclosive", "allow_quantiles", "allow_extremes", "check_margins", "differencing")
    wrong += [
        f"{name} must be True or False" for name in switches if not isinstance(getattr(policy, name), bool)
    ]
    unknown = [one for one in policy.formats if one not in _FORMATS]
    if unknown or not policy.formats:
        wrong.append(f"formats must be some of {', '.join(_FORMATS)}")
    names = {setting.name for setting in fields(policy)}
    if not names.issuperset(policy.open_fields):
        wrong.append("open_fields must be names of fields")
    return wrong


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_nk(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and _whole(value[0], 1) and _is_share(value[1])


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value < 1


_NO_NUMBER = ("nk", "p_percent", "round_base", "allow_quantiles", "differencing", "curve_min_events")

_PRESETS = {
    "cautious_dk": DisclosurePolicy(name="cautious_dk"),
    # Statistics Denmark's conditions as read by research groups; no current written threshold text is public.
    # One such reading asks for every cross that leaves out one grouping (`check_margins`).
    "dst": DisclosurePolicy(
        name="dst",
        min_persons=3,
        open_fields=("min_events", "min_dof", "zeros_disclosive", "allow_extremes", *_NO_NUMBER),
    ),
    "sds": DisclosurePolicy(
        name="sds",
        open_fields=(
            "min_events",
            "min_entities",
            "min_dof",
            "zeros_disclosive",
            "allow_extremes",
            "max_digits",
            "check_margins",
            *_NO_NUMBER,
        ),
    ),
    "sacro": DisclosurePolicy(
        name="sacro",
        min_persons=10,
        nk=(2, 0.90),
        p_percent=0.10,
        curve_min_events=10,
        open_fields=(
            "min_events",
            "min_entities",
            "max_digits",
            "allow_quantiles",
            "allow_extremes",
            "check_margins",
            "differencing",
            "round_base",
        ),
    ),
    # "Hidden low counts must not be derivable": the margins are checked because the source asks for it.
    "uk_llc": DisclosurePolicy(
        name="uk_llc",
        min_persons=10,
        open_fields=("min_events", "min_entities", "min_dof", "max_digits", "allow_extremes", *_NO_NUMBER),
    ),
    "ssb": DisclosurePolicy(
        name="ssb",
        min_persons=3,
        round_base=3,
        open_fields=(
            "min_events",
            "min_entities",
            "min_dof",
            "zeros_disclosive",
            "allow_extremes",
            "max_digits",
            "nk",
            "p_percent",
            "allow_quantiles",
            "check_margins",
            "differencing",
            "curve_min_events",
        ),
    ),
}
