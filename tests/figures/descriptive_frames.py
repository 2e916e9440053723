"""What the tests of the descriptive figures share: frames as a note makes them, and checks of a drawing."""

from __future__ import annotations

from importlib import import_module
from io import StringIO

import numpy as np
import pandas as pd
from extents import assert_no_text_overlap, assert_nothing_clipped

import jobchance as jc
from jobchance.disclosure.check import check, export_frame, protect

CAUSAL = ("øger", "giver job", "fører til", "raises", "leads to", "increases", "causes")


def frame_of(name, study, panel, policy=None):
    """The frame of a finding after disclosure control; it must pass the check."""
    policy = policy or jc.DisclosurePolicy.preset("cautious_dk")
    module = import_module(f"jobchance.findings.{name}")
    assert module.needs(study, panel) == ()
    finding = module.build(study, panel, policy=policy)
    frame = export_frame(protect(finding.frame, policy, output=name), policy)
    assert check(frame, policy, output=name, disclosure_class=finding.disclosure_class) == []
    return frame


def draw(name, frame, lang="da"):
    return getattr(jc.figures, name)(frame, lang=lang)


def assert_prints_well(name, frame):
    """Both languages: nothing clipped, no words on words, words complete, no causal verb, other texts."""
    texts = []
    for lang in ("da", "en"):
        figure = draw(name, frame, lang)
        assert_nothing_clipped(figure)
        assert_no_text_overlap(figure)
        words = figure.description
        assert words.lang == lang
        texts.append((words.headline, words.subtitle, words.alt))
        for text in (words.headline, words.subtitle, words.alt, words.source):
            assert text
            assert "{" not in text
            assert "nan" not in text.split()
        lower = " ".join((words.headline, words.subtitle, words.note, words.alt)).lower()
        assert not [verb for verb in CAUSAL if verb in lower]
    assert all(da != en for da, en in zip(*texts, strict=True))


def assert_redraws_from_csv(name, frame):
    """The csv alone gives the same picture and the same words."""
    again = pd.read_csv(StringIO(frame.to_csv(index=False)))
    one, other = draw(name, frame), draw(name, again)
    assert one.description == other.description
    np.testing.assert_array_equal(pixels(one), pixels(other))


def pixels(figure):
    figure.set_dpi(60)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def bar_lengths(ax):
    """Lengths of horizontal bars from the top down."""
    bars = sorted((box for c in ax.containers for box in c), key=lambda box: box.get_y())
    return [box.get_width() for box in bars]


def hatched(ax):
    return [box for box in ax.patches if box.get_hatch() == "////"]
