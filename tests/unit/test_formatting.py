"""Numbers become text only here: house styles, rounding, signs and missing values."""

import math
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobchance.errors import SpecError
from jobchance.formatting import LANGUAGES, MINUS, MISSING, NBSP, Formatter

DA, EN, SV, NB = (Formatter(lang) for lang in ("da", "en", "sv", "nb"))
FLOATS = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False)


def _plain(text: str) -> str:
    return text.replace(NBSP, " ")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (DA.number(5.9, decimals=1), "5,9"),
        (DA.number(2325750), "2.325.750"),
        (DA.number(-0.03, decimals=2), f"{MINUS}0,03"),
        (SV.number(2325750.5, decimals=1), "2 325 750,5"),
        (EN.number(2325750.5, decimals=1), "2,325,750.5"),
        (DA.percent(0.27), "27 pct."),
        (DA.percent(0.0704, decimals=1), "7,0 pct."),
        (SV.percent(0.1), "10 procent"),
        (NB.percent(0.1), "10 prosent"),
        (EN.percent(0.27), "27%"),
        (DA.percent_axis(0.27), "27 %"),
        (EN.percent_axis(0.27), "27%"),
        (DA.pp(0.017), "1,7 procentpoint"),
        (EN.pp(0.017), "1.7 percentage points"),
        (EN.pp(0.01, decimals=0), "1 percentage point"),
        (SV.pp(-0.01, decimals=0), f"{MINUS}1 procentenhet"),
        (DA.absolute_and_relative(0.017, baseline=0.053), "1,7 procentpoint (32 pct.)"),
        (EN.absolute_and_relative(-0.017, baseline=0.053), f"{MINUS}1.7 percentage points ({MINUS}32%)"),
        (DA.absolute_and_relative(0.017, baseline=0), "1,7 procentpoint"),
        (DA.interval(1.2, 3.4), "95 pct.-konfidensinterval: 1,2–3,4"),
        (EN.interval(1.2, 3.4), "95% confidence interval: 1.2–3.4"),
        (NB.interval(1.2, 3.4), "95-prosents konfidensintervall: 1,2–3,4"),
        (SV.interval(1.2, 3.4), "95-procentigt konfidensintervall: 1,2–3,4"),
        (DA.interval(0.012, 0.034, unit="pp"), "95 pct.-konfidensinterval: 1,2–3,4 procentpoint"),
        (DA.interval(0.012, 0.034, unit="percent", level=None), "1,2–3,4 pct."),
        (DA.interval(-1.2, 3.4, level=0.9), f"90 pct.-konfidensinterval: {MINUS}1,2 til 3,4"),
        (DA.interval(float("nan"), 3.4, level=None), MISSING),
        (DA.range(1, 12), "1–12"),
        (DA.p_value(0.03), "0,03"),
        (DA.p_value(0.0004), "< 0,001"),
        (DA.p_value(0.0), "< 0,001"),
        (DA.p_value(0.0042), "0,004"),
        (EN.p_value(0.0496), "0.050"),
        (EN.p_value(0.0512), "0.051"),
        (EN.p_value(0.999), "> 0.99"),
        (EN.p_value(1.0), "1.00"),
        (DA.count(110000), "110.000"),
        (EN.count(np.int64(110000)), "110,000"),
        (DA.count(12.0), "12"),
        (DA.n(212), "N = 212"),
        (DA.date(date(2014, 3, 24)), "24. marts 2014"),
        (SV.date(date(2014, 3, 24)), "24 mars 2014"),
        (NB.date(date(2014, 5, 1)), "1. mai 2014"),
        (EN.date(datetime(2014, 3, 24)), "24 March 2014"),
        (DA.significant(12345, 3), "12.300"),
        (DA.significant(0.012345), "0,0123"),
        (DA.significant(9.996, 3), "10,0"),
        (DA.significant(0.0), "0"),
        (DA.listing(["a"]), "a"),
        (DA.listing(["a", "b", "c"]), "a, b og c"),
        (EN.listing(["a", "b"]), "a and b"),
        (DA.number(math.inf), "∞"),
        (DA.number(-math.inf), f"{MINUS}∞"),
    ],
)
def test_house_style(made, expected):
    assert _plain(made) == expected


@pytest.mark.parametrize("missing", [None, float("nan"), np.float64("nan"), pd.NA, pd.NaT])
def test_missing_is_two_dots(missing):
    made = [
        DA.number(missing),
        DA.percent(missing),
        DA.percent_axis(missing),
        DA.pp(missing),
        DA.count(missing),
    ]
    made += [
        DA.p_value(missing),
        DA.significant(missing),
        DA.date(missing),
        DA.interval(missing, 1, level=None),
    ]
    assert set(made) == {MISSING}


def test_rounding_is_half_up_on_the_shortest_decimal():
    assert DA.number(0.125, decimals=2) == "0,13"
    assert DA.number(2.675, decimals=2) == "2,68"
    assert DA.number(-0.125, decimals=2) == f"{MINUS}0,13"
    assert DA.percent(0.285) == f"29{NBSP}pct."  # 0.285 * 100 is 28.499999999999996 in binary


def test_units_never_break_from_their_number():
    made = [
        DA.percent(0.5),
        DA.percent_axis(0.5),
        DA.pp(0.5),
        DA.n(5),
        SV.number(1e6),
        DA.p_value(0),
        EN.pp(0.5),
    ]
    assert not any(" " in text for text in made)


def test_thin_space_is_offered_for_thousands():
    assert Formatter("da", thin_thousands=True).count(2325750) == "2\u202f325\u202f750"


def test_wrong_input_is_refused():
    with pytest.raises(SpecError, match="Did you mean 'da'"):
        Formatter("daa")
    with pytest.raises(ValueError, match="between 0 and 1"):
        DA.p_value(1.2)
    with pytest.raises(ValueError, match="whole number"):
        DA.count(2.5)
    with pytest.raises(TypeError, match="str"):
        DA.number("5")
    with pytest.raises(TypeError, match="bool"):
        DA.number(True)


def _read(text: str, lang: str) -> Decimal:
    comma = lang != "en"
    text = text.replace(MINUS, "-").replace(NBSP, "")
    text = text.replace(".", "").replace(",", ".") if comma else text.replace(",", "")
    return Decimal(text)


@given(x=FLOATS, decimals=st.integers(0, 8), lang=st.sampled_from(LANGUAGES))
def test_text_reads_back_as_the_rounded_number(x, decimals, lang):
    expected = Decimal(repr(x)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    assert _read(Formatter(lang).number(x, decimals=decimals), lang) == expected


@given(x=FLOATS, decimals=st.integers(0, 8), lang=st.sampled_from(LANGUAGES))
def test_minus_is_true_and_zero_has_no_sign(x, decimals, lang):
    text = Formatter(lang).number(x, decimals=decimals)
    assert "-" not in text
    assert text[0] == MINUS or text[0].isdigit()
    assert not (text[0] == MINUS and set(text[1:]) <= set("0.,"))


@given(x=FLOATS, digits=st.integers(1, 7))
def test_significant_is_within_half_a_digit(x, digits):
    read = _read(EN.significant(x, digits), "en")
    exact = Decimal(repr(x))
    assert read == 0 if exact == 0 else abs(read - exact) <= abs(exact) * Decimal(5).scaleb(-digits)


@given(a=FLOATS, b=FLOATS)
def test_order_survives_formatting(a, b):
    low, high = sorted((a, b))
    assert _read(DA.number(low, decimals=2), "da") <= _read(DA.number(high, decimals=2), "da")


@given(p=st.floats(0, 1))
def test_p_values_never_claim_zero_or_more_than_one(p):
    text = DA.p_value(p)
    assert text not in ("0,00", "0,000")
    assert text.startswith(("<", ">", "0,", "1,00"))


@given(share=st.floats(0, 1), lang=st.sampled_from(LANGUAGES))
def test_switching_language_never_changes_the_number(share, lang):
    digits = [c for c in Formatter(lang).percent(share, decimals=1) if c.isdigit()]
    assert digits == [c for c in EN.percent(share, decimals=1) if c.isdigit()]
