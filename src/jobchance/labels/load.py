"""`label`: one text by key and language, from the TOML files beside this module.

A key `figure.<name>.<rest>` lives in `<name>.toml`; any other key `<topic>.<rest>` lives in `<topic>.toml`
if there is one and in `common.toml` otherwise. A file is read when one of its keys is first asked for.
Danish and English are mandatory for every key; Swedish and Norwegian fall back to English.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from jobchance.options import check_option

MANDATORY = ("da", "en")
_FALLBACK = {"da": ("da",), "en": ("en",), "sv": ("sv", "en"), "nb": ("nb", "en")}


def label(key: str, lang: str, /, **fill: str) -> str:
    """Text of `key` in `lang`, with its `{placeholders}` filled.

    Parameters
    ----------
    key : str
        Dotted, for example `"axis.share_in_job"`.
    lang : str
        `"da"`, `"en"`, `"sv"` or `"nb"`.
    **fill : str
        Values of the placeholders, already text: numbers go through `Formatter` first.

    Returns
    -------
    str
        The text; Swedish and Norwegian fall back to English.

    Raises
    ------
    KeyError
        The key is unknown, or a placeholder is not filled.
    TypeError
        A fill value is not text, so that it would be printed unformatted.
    SpecError
        The language is not known.

    Examples
    --------
    >>> label("word.note", "da")
    'Anm.'
    """
    check_option("lang", lang, _FALLBACK)
    raw = [name for name, value in fill.items() if not isinstance(value, str)]
    if raw:
        raise TypeError(f"label {key!r}: format these with Formatter first: {', '.join(sorted(raw))}")
    texts = _texts(_file_of(key)).get(key)
    if texts is None:
        raise KeyError(f"no label {key!r} in labels/{_file_of(key)}.toml")
    text = next((texts[option] for option in _FALLBACK[lang] if option in texts), None)
    if text is None:
        raise KeyError(f"label {key!r} has no text in {lang!r}")
    try:
        return text.format_map(fill)
    except KeyError as error:
        raise KeyError(f"label {key!r} needs {error.args[0]!r}") from None


def has_label(key: str) -> bool:
    """Whether `key` exists; for texts that only some codes have (for example `outcome.<rule>.axis`)."""
    return key in _texts(_file_of(key))


def label_table() -> dict[str, dict[str, str]]:
    """Every key of every file with its texts, for tests and for the documentation.

    Raises
    ------
    ValueError
        A key stands in a file where `label` would not look for it.
    """
    table: dict[str, dict[str, str]] = {}
    for name in _file_names():
        for key, texts in _texts(name).items():
            if _file_of(key) != name:
                raise ValueError(f"label {key!r} stands in {name}.toml but belongs in {_file_of(key)}.toml")
            table[key] = texts
    return table


@cache
def _file_names() -> tuple[str, ...]:
    folder = files("jobchance.labels")
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def _file_of(key: str) -> str:
    topic, _, rest = key.partition(".")
    if topic == "figure":
        return rest.partition(".")[0]
    return topic if topic in _file_names() else "common"


@cache
def _texts(name: str) -> dict[str, dict[str, str]]:
    """`{key: {language: text}}` of one file; `{}` where there is no such file."""
    if name not in _file_names():
        return {}
    text = files("jobchance.labels").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return dict(_leaves(tomllib.loads(text), ""))


def _leaves(branch: Mapping[str, object], prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Walk nested TOML tables; a table whose values are texts is a label."""
    if branch and all(isinstance(value, str) for value in branch.values()):
        yield prefix[:-1], {language: str(text) for language, text in branch.items()}
        return
    for name, value in branch.items():
        if not isinstance(value, Mapping):
            raise ValueError(f"label file: {prefix}{name} stands beside tables; a label holds languages only")
        yield from _leaves(value, f"{prefix}{name}.")
