import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw, frame_of

NAME = "job_curve_by_belief"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def _with_gaps(frame, gaps):
    """The frame with other gaps: {week: (estimate, low, high)}."""
    turned = frame[frame["mark"] != "gap"]
    template = frame[frame["mark"] == "gap"].iloc[-1]
    rows = [
        template.to_dict() | {"week": week, "estimate": estimate, "conf_low": low, "conf_high": high}
        for week, (estimate, low, high) in gaps.items()
    ]
    return type(frame)(turned.to_dict("records") + rows)


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_lines_run_from_the_origin_through_the_knots(frame):
    ax = draw(NAME, frame).axes[0]
    curves = [line for line in ax.lines if len(line.get_xdata()) > 1]
    for level, line in zip(["1", "2", "3", "4", "5", "dont_know"], curves, strict=True):
        knots = frame[(frame["mark"] == "curve") & (frame["level"] == level)]
        assert list(line.get_xdata()) == [0, *knots["week"]]
        assert list(line.get_ydata()) == pytest.approx([0, *knots["estimate"]])


def test_risk_table_shows_the_banded_numbers(frame):
    table = draw(NAME, frame, "en").axes[1]
    risk = frame[frame["mark"] == "at_risk"]
    shown = [text.get_text() for text in table.texts if text.get_text()]
    assert sorted(shown) == sorted(f"{n:,.0f}" for n in risk["N_at_risk"])
    assert [t.get_text() for t in table.get_yticklabels()][-1] == "don't know"


def test_published_ends_only_over_the_same_question(frame):
    def diamonds(given):
        ax = draw(NAME, given).axes[0]
        return sorted((x.get_xdata()[0], x.get_ydata()[0]) for x in ax.lines if x.get_marker() == "D")

    assert diamonds(frame) == [(52, 0.01), (52, 0.27)]
    assert diamonds(frame.assign(outcome="job_or_education")) == []
    assert diamonds(frame.assign(construct="self_efficacy")) == []


def test_the_neighbour_of_a_hidden_answer_gets_no_published_marker(frame):
    for lost, left in (("1", [0.27]), ("5", [0.01])):
        shown = frame[(frame["level"] != lost) & (frame["mark"] != "gap")]
        ax = draw(NAME, shown).axes[0]
        assert [x.get_ydata()[0] for x in ax.lines if x.get_marker() == "D"] == left


@pytest.mark.parametrize(
    ("lang", "who", "outcome"),
    [
        ("da", "orgere uden job ved målingen", "i job mindst én dag"),
        ("en", "itizens not in a job when measured", "in a job on at least one day"),
    ],
)
def test_note_states_who_is_in_it_and_the_outcome(frame, lang, who, outcome):
    note = draw(NAME, frame, lang).description.note
    assert who in note
    assert outcome in note
    other = draw(NAME, frame.assign(outcome="job_or_education"), lang).description.note
    assert who not in other


def test_headline_follows_the_course_of_the_gap(frame):
    def headline(gaps):
        return draw(NAME, _with_gaps(frame, gaps), "en").description.headline

    wide = (0.25, 0.2, 0.3)
    assert "widens" in headline({13: (0.05, 0.02, 0.08), 26: (0.15, 0.1, 0.2), 52: wide})
    steady = headline({13: (0.22, 0.15, 0.3), 52: wide}).replace("\xa0", " ")
    assert steady.endswith("is 22.0 percentage points after 13 weeks and 25.0 after 52")
    late = headline({39: (0.2, 0.15, 0.25), 52: wide})
    assert "After 52 weeks" in late
    assert "39 weeks" not in late
    assert "No clear gap" in headline({52: (0.02, -0.02, 0.06)})
    assert "reversed" in headline({52: (-0.1, -0.2, -0.05)})
    assert "%" not in headline({})


def test_says_that_it_is_association(frame):
    for lang, words in (("da", "Sammenhæng, ikke effekt"), ("en", "Association, not effect")):
        figure = draw(NAME, frame, lang)
        assert figure.axes[0].get_title(loc="right") == words
        assert words in figure.description.note
