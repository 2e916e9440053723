"""The only place where numbers become text: Danish, Swedish, Norwegian and English, without the OS locale.

Rounding is half up, away from zero ("commercial"), on the shortest decimal that names the float: 0.125
becomes 0.13, 2.675 becomes 2.68 and −0.125 becomes −0.13. (Half-even would print 0.12, which readers with
a calculator take for a mistake.) Arithmetic is done in `Decimal`, so text never shows binary noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal

from jobchance.options import check_option

LANGUAGES = ("da", "sv", "nb", "en")
MISSING = ".."
MINUS = "\N{MINUS SIGN}"
NBSP = "\N{NO-BREAK SPACE}"
THIN = "\N{NARROW NO-BREAK SPACE}"
DASH = "\N{EN DASH}"

# Wide enough for every float, so that `quantize` never signals an overflow of the context's precision.
_EXACT = Context(prec=1200, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class _Habits:
    """Marks and words of one language; `{n}` is the formatted number."""

    decimal: str
    thousands: str
    percent: str
    percent_axis: str
    point: str
    points: str
    to: str
    conjunction: str
    interval: str
    date: str
    months: tuple[str, ...]


_HABITS = {
    "da": _Habits(
        decimal=",",
        thousands=".",
        percent=f"{{n}}{NBSP}pct.",
        percent_axis=f"{{n}}{NBSP}%",
        point=f"{{n}}{NBSP}procentpoint",
        points=f"{{n}}{NBSP}procentpoint",
        to="til",
        conjunction="og",
        interval=f"{{n}}{NBSP}pct.-konfidensinterval: ",
        date=f"{{day}}.{NBSP}{{month}} {{year}}",
        months=(
            "januar",
            "februar",
            "marts",
            "april",
            "maj",
            "juni",
            "juli",
            "august",
            "september",
            "oktober",
            "november",
            "december",
        ),
    ),
    "sv": _Habits(
        decimal=",",
        thousands=NBSP,
        percent=f"{{n}}{NBSP}procent",
        percent_axis=f"{{n}}{NBSP}%",
        point=f"{{n}}{NBSP}procentenhet",
        points=f"{{n}}{NBSP}procentenheter",
        to="till",
        conjunction="och",
        interval="{n}-procentigt konfidensintervall: ",
        date=f"{{day}}{NBSP}{{month}} {{year}}",
        months=(
            "januari",
            "februari",
            "mars",
            "april",
            "maj",
            "juni",
            "juli",
            "augusti",
            "september",
            "oktober",
            "november",
            "december",
        ),
    ),
    "nb": _Habits(
        decimal=",",
        thousands=NBSP,
        percent=f"{{n}}{NBSP}prosent",
        percent_axis=f"{{n}}{NBSP}%",
        point=f"{{n}}{NBSP}prosentpoeng",
        points=f"{{n}}{NBSP}prosentpoeng",
        to="til",
        conjunction="og",
        interval="{n}-prosents konfidensintervall: ",
        date=f"{{day}}.{NBSP}{{month}} {{year}}",
        months=(
            "januar",
            "februar",
            "mars",
            "april",
            "mai",
            "juni",
            "juli",
            "august",
            "september",
            "oktober",
            "november",
            "desember",
        ),
    ),
    "en": _Habits(
        decimal=".",
        thousands=",",
        percent="{n}%",
        percent_axis="{n}%",
        point=f"{{n}}{NBSP}percentage{NBSP}point",
        points=f"{{n}}{NBSP}percentage{NBSP}points",
        to="to",
        conjunction="and",
        interval="{n}% confidence interval: ",
        date=f"{{day}}{NBSP}{{month}} {{year}}",
        months=(
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ),
    ),
}


class Formatter:
    """Numbers, shares, intervals, p-values, dates and counts in one language.

    Missing values (`None`, NaN, `NA`, `NaT`) become `".."`; negative numbers carry a true minus sign and
    never read "−0"; the leading zero is kept. Spaces inside a number and before its unit never break.

    Parameters
    ----------
    lang : str
        `"da"`, `"sv"`, `"nb"` or `"en"`.
    thin_thousands : bool
        Group thousands with a narrow space (the EU institutions' Danish) instead of the language's mark.

    Raises
    ------
    SpecError
        The language is not one of the four.

    Examples
    --------
    >>> danish = Formatter("da")
    >>> danish.number(2325.75, decimals=1)
    '2.325,8'
    >>> danish.range(0.3, 1.7, decimals=1)
    '0,3–1,7'
    """

    def __init__(self, lang: str, *, thin_thousands: bool = False) -> None:
        self.lang = check_option("lang", lang, LANGUAGES)
        self._habits = _HABITS[lang]
        self._thousands = THIN if thin_thousands else self._habits.thousands

    def __repr__(self) -> str:
        return f"Formatter({self.lang!r})"

    def number(self, x: object, *, decimals: int = 0) -> str:
        """`x` with a fixed number of decimals, rounded half up: `"2.325,8"` (da), `"2,325.8"` (en)."""
        return MISSING if _is_missing(x) else self._decimal(_exact(x), decimals)

    def significant(self, x: object, digits: int = 3) -> str:
        """`x` with `digits` significant digits, never in scientific notation: `"0,0123"`, `"12.300"`."""
        if _is_missing(x):
            return MISSING
        value = _exact(x)
        if not value.is_finite() or value == 0:
            return self._decimal(value, 0)
        places = digits - 1 - value.adjusted()
        rounded = value.quantize(Decimal(1).scaleb(-places), context=_EXACT)
        # 9.996 with three digits is 10.0, not 10.00: rounding can add a digit in front.
        return self._decimal(rounded, max(digits - 1 - rounded.adjusted(), 0))

    def percent(self, share: object, *, decimals: int = 0) -> str:
        """A share in running text: 0.27 is `"27 pct."` (da), `"27 procent"` (sv), `"27%"` (en)."""
        return self._with_unit(share, decimals, self._habits.percent)

    def percent_axis(self, share: object, *, decimals: int = 0) -> str:
        """A share on an axis or in a table: 0.27 is `"27 %"` (da, sv, nb), `"27%"` (en)."""
        return self._with_unit(share, decimals, self._habits.percent_axis)

    def pp(self, difference: object, *, decimals: int = 1) -> str:
        """A difference of two *shares*: 0.017 is `"1,7 procentpoint"` / `"1.7 percentage points"`."""
        number = self._hundredfold(difference, decimals)
        one = number.lstrip(MINUS) == "1"
        return (
            MISSING
            if number == MISSING
            else (self._habits.point if one else self._habits.points).format(n=number)
        )

    def absolute_and_relative(self, difference: object, *, baseline: object, decimals: int = 1) -> str:
        """Both changes side by side, as every output must have them: `"1,7 procentpoint (32 pct.)"`.

        Parameters
        ----------
        difference : float
            New share minus baseline share, as shares (0.017).
        baseline : float
            The share compared with (0.053); where it is zero or missing there is no relative change, and
            only the absolute one is given.
        decimals : int
            Decimals of the percentage points; the relative change is in whole per cent.
        """
        absolute = self.pp(difference, decimals=decimals)
        if absolute == MISSING or _is_missing(baseline) or _exact(baseline) == 0:
            return absolute
        return f"{absolute} ({self.percent(_exact(difference) / _exact(baseline))})"

    def range(self, low: object, high: object, *, decimals: int = 0) -> str:
        """Two numbers as a range: `"1,2–3,4"`; with a negative end in words, `"−1,2 til 3,4"`."""
        return self._join_range(self.number(low, decimals=decimals), self.number(high, decimals=decimals))

    def interval(
        self,
        low: object,
        high: object,
        *,
        decimals: int = 1,
        unit: str = "number",
        level: float | None = 0.95,
    ) -> str:
        """A confidence interval, by default named: `"95 pct.-konfidensinterval: 1,2–3,4"`.

        Parameters
        ----------
        low, high : float
            Ends; as shares where `unit` is `"percent"` or `"pp"`.
        decimals : int
            Decimals of both ends.
        unit : str
            `"number"`, `"percent"` or `"pp"`; printed once, after the upper end.
        level : float or None
            Confidence level to name; `None` gives the bare range.
        """
        check_option("unit", unit, ("number", "percent", "pp"))
        habits = self._habits
        if unit == "number":
            text = self.range(low, high, decimals=decimals)
        else:
            ends = self._join_range(self._hundredfold(low, decimals), self._hundredfold(high, decimals))
            text = (habits.percent if unit == "percent" else habits.points).format(n=ends)
        if level is None:
            return text
        percent = (_exact(level) * 100).normalize()
        named = self._decimal(percent, max(-int(percent.as_tuple().exponent), 0))
        return habits.interval.format(n=named) + text

    def p_value(self, p: object) -> str:
        """A p-value: two decimals, three where two would be 0.00 or 0.05, and `"< 0,001"` below that.

        Raises
        ------
        ValueError
            `p` is outside 0 to 1.
        """
        if _is_missing(p):
            return MISSING
        value = _exact(p)
        if not 0 <= value <= 1:
            raise ValueError("a p-value lies between 0 and 1")
        if value < Decimal("0.001"):
            return f"<{NBSP}{self._decimal(Decimal('0.001'), 3)}"
        if Decimal("0.99") < value < 1:
            return f">{NBSP}{self._decimal(Decimal('0.99'), 2)}"
        three = value < Decimal("0.01") or Decimal("0.045") <= value < Decimal("0.055")
        return self._decimal(value, 3 if three else 2)

    def count(self, n: object) -> str:
        """A whole number with thousands marked: `"110.000"` (da), `"110,000"` (en).

        Raises
        ------
        ValueError
            `n` is not whole: a count that is not a count points to a mistake upstream.
        """
        if _is_missing(n):
            return MISSING
        value = _exact(n)
        if not value.is_finite() or value != value.to_integral_value():
            raise ValueError("a count is a whole number")
        return self._decimal(value, 0)

    def n(self, n: object) -> str:
        """A count as it stands in a label: `"N = 212"`, unbroken."""
        return f"N{NBSP}={NBSP}{self.count(n)}"

    def date(self, day: date | None) -> str:
        """A date in words: `"24. marts 2014"` (da), `"24 March 2014"` (en)."""
        if day is None or _is_missing(day):
            return MISSING
        month = self._habits.months[day.month - 1]
        return self._habits.date.format(day=day.day, month=month, year=day.year)

    def listing(self, words: Sequence[str]) -> str:
        """Words in a row: `"a, b og c"` / `"a, b and c"`."""
        if len(words) < 2:
            return "".join(words)
        return f"{', '.join(words[:-1])} {self._habits.conjunction} {words[-1]}"

    def _with_unit(self, share: object, decimals: int, pattern: str) -> str:
        number = self._hundredfold(share, decimals)
        return MISSING if number == MISSING else pattern.format(n=number)

    def _hundredfold(self, share: object, decimals: int) -> str:
        return MISSING if _is_missing(share) else self._decimal(_exact(share) * 100, decimals)

    def _join_range(self, low: str, high: str) -> str:
        if MISSING in (low, high):
            return MISSING
        if MINUS in low + high:  # a dash beside a minus sign cannot be read
            return f"{low} {self._habits.to} {high}"
        return f"{low}{DASH}{high}"

    def _decimal(self, value: Decimal, decimals: int) -> str:
        if decimals < 0:
            raise ValueError("decimals must be zero or more")
        sign = MINUS if value < 0 else ""
        if value.is_infinite():
            return f"{sign}∞"
        rounded = abs(value).quantize(Decimal(1).scaleb(-decimals), context=_EXACT)
        if rounded == 0:
            sign = ""  # no negative zero
        whole, _, fraction = f"{rounded:,.{decimals}f}".partition(".")
        text = whole.replace(",", self._thousands)
        return f"{sign}{text}{self._habits.decimal}{fraction}" if fraction else f"{sign}{text}"


def _is_missing(x: object) -> bool:
    """None, NaN, pandas' NA and NaT (by name: this module must not import pandas to stay light)."""
    if x is None or type(x).__name__ in ("NAType", "NaTType"):
        return True
    return (isinstance(x, float) and math.isnan(x)) or (isinstance(x, Decimal) and x.is_nan())


def _exact(x: object) -> Decimal:
    """The decimal that the shortest text of the number names; numpy scalars included."""
    if isinstance(x, Decimal):
        return x
    if isinstance(x, bool) or not hasattr(x, "__float__"):
        raise TypeError(f"cannot format a {type(x).__name__} as a number")
    if hasattr(x, "__index__"):
        return Decimal(int(x))
    return Decimal(repr(float(x)))
