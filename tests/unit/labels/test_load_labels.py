"""Labels: complete in Danish and English, alike in their placeholders, strict about keys and fills."""

from string import Formatter as Template

import pytest

from jobchance.errors import SpecError
from jobchance.labels.load import MANDATORY, has_label, label, label_table


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Template().parse(text) if name is not None}


def test_every_key_has_danish_and_english():
    lacking = {key: sorted(set(MANDATORY) - set(texts)) for key, texts in label_table().items()}
    assert {key: langs for key, langs in lacking.items() if langs} == {}


def test_every_text_is_filled_in_and_tidy():
    bad = [
        (key, lang)
        for key, texts in label_table().items()
        for lang, text in texts.items()
        if not text.strip() or "  " in text or lang not in ("da", "en", "sv", "nb")
    ]
    assert bad == []


def test_placeholders_are_named_and_the_same_set_in_both_languages():
    uneven = {
        key
        for key, texts in label_table().items()
        if _placeholders(texts["da"]) != _placeholders(texts["en"]) or "" in _placeholders(texts["da"])
    }
    assert uneven == set()


def test_lookup_and_fill():
    assert label("word.note", "da") == "Anm."
    assert label("count.citizens", "en", n="4,000") == "4,000\xa0citizens"


def test_swedish_falls_back_to_english():
    assert label("word.source", "sv") == "Källa"
    assert label("word.jobcentres", "sv") == label("word.jobcentres", "en")


def test_unknown_key_missing_fill_and_raw_number():
    with pytest.raises(KeyError, match=r"axis\.nothing"):
        label("axis.nothing", "da")
    with pytest.raises(KeyError, match="no_such_figure"):
        label("figure.no_such_figure.headline", "da")
    with pytest.raises(KeyError, match="needs 'n'"):
        label("count.citizens", "da")
    with pytest.raises(TypeError, match="Formatter"):
        label("count.citizens", "da", n=4000)
    with pytest.raises(SpecError, match="lang"):
        label("word.note", "dk")


def test_has_label():
    assert has_label("outcome.job.state")
    assert not has_label("outcome.no_such_rule.state")
