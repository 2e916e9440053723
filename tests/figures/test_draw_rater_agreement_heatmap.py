import numpy as np
import pytest
from descriptive_frames import assert_prints_well, assert_redraws_from_csv, draw, frame_of, hatched

NAME = "rater_agreement_heatmap"


@pytest.fixture(scope="module")
def frame(bip_study, bip_panel):
    return frame_of(NAME, bip_study, bip_panel)


def test_prints_well_in_both_languages(frame):
    assert_prints_well(NAME, frame)


def test_redraws_from_csv(frame):
    assert_redraws_from_csv(NAME, frame)


def test_cells_stand_where_the_frame_says(frame):
    ax = draw(NAME, frame, "en").axes[0]
    cells = frame[frame["quantity"] == "cell"].set_index(["level_caseworker", "level_citizen"])
    rows = [text.get_text() for text in ax.get_yticklabels()]
    columns = [text.get_text() for text in ax.get_xticklabels()]
    assert rows[0].startswith("5")
    assert columns[0] == "1"
    for text in ax.texts:
        x, y = (round(part) for part in text.get_position())
        share = float(cells.loc[(rows[y][0], columns[x]), "estimate"])
        if text.get_text() not in ("..", "<1"):
            assert int(text.get_text()) == int(share * 100 + 0.5)


def test_hidden_cell_is_hatched(frame):
    hidden = frame.copy()
    lost = (hidden["level_caseworker"] == "5") & (hidden["level_citizen"] == "1")
    hidden.loc[lost, ["estimate", "N_pairs", "N_citizens"]] = np.nan
    before = len(hatched(draw(NAME, frame).axes[0]))
    assert len(hatched(draw(NAME, hidden).axes[0])) == before + int(
        frame.loc[lost, "estimate"].notna().iloc[0]
    )


@pytest.mark.parametrize(
    ("chance", "words"), [(0.1, "pure chance would give 10%"), (0.29, "no more often"), (0.6, "less often")]
)
def test_headline_sets_agreement_against_chance(frame, chance, words):
    other = frame.copy()
    other.loc[other["quantity"] == "agreement", ["estimate", "conf_low", "conf_high"]] = [0.30, 0.28, 0.32]
    other.loc[other["quantity"] == "chance", "estimate"] = chance
    assert words in draw(NAME, other, "en").description.headline
