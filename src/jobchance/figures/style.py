"""One look for every figure: sizes, fonts, and colours that always mean the same thing.

Colours are Okabe and Ito's (2008), which readers with any common colour vision tell apart. Tone, hatching
or a direct label always repeats what the colour says, so that a grey print loses nothing. Settings hold
inside `context()` only: importing this package never changes a caller's matplotlib.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb

LineStyle = Literal["solid", "dashed", "dotted"] | tuple[float, Sequence[float]]

WIDTH_CM = 16.0
MARGIN_CM = 0.3
DPI = 300
CM = 1 / 2.54  # inches

HEADLINE_SIZE = 12.0
TEXT_SIZE = 10.0
SMALL_SIZE = 9.0

INK = "#1A1A1A"
GREY_TEXT = "#4D4D4D"
GRID = "#D9D9D9"

CASEWORKER = "#0072B2"
CITIZEN = "#D55E00"
LOW = "#E69F00"
MIDDLE = "#56B4E9"
HIGH = "#009E73"
NOISE = "#CC79A7"
NEUTRAL = "#8C8C8C"
PUBLISHED = "#000000"
SUPPRESSED = "#F2F2F2"

RESPONDENTS = {"caseworker": CASEWORKER, "citizen": CITIZEN, "partner": NOISE}
DASHED: LineStyle = (0, (4, 3))  # reference lines other than zero
LEVELS = {"low": LOW, "middle": MIDDLE, "high": HIGH}
LINE_STYLES: dict[str, LineStyle] = {"low": (0, (1.2, 1.2)), "middle": (0, (5, 1.6)), "high": "solid"}
MARKERS = {"low": "v", "middle": "o", "high": "^"}

# Low to high: warm to cold round a neutral grey. The cold end is much darker than the warm end, so that
# the two ends differ in grey print as well.
_LIKERT = LinearSegmentedColormap.from_list(
    "likert", ["#D55E00", "#F5C49A", "#D0D0D0", "#7FB8DB", "#00456B"], N=1001
)
SEQUENTIAL = LinearSegmentedColormap.from_list("belief", ["#FFFFFF", "#7FB8DB", "#0072B2", "#003A5C"])
DIVERGING = LinearSegmentedColormap.from_list(
    "signs", ["#8F3F00", "#D55E00", "#FFFFFF", "#0072B2", "#00456B"]
)

_RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    # DejaVu Sans ships with matplotlib, so that a figure looks the same on every server; the rest fill in.
    "font.sans-serif": ["DejaVu Sans", "Liberation Sans", "Arial", "Verdana"],
    "font.size": SMALL_SIZE,
    "text.usetex": False,
    "text.parse_math": False,  # a dollar sign in a study's own words is a dollar sign
    "text.color": INK,
    "text.hinting": "none",
    "axes.unicode_minus": True,
    "axes.titlesize": SMALL_SIZE,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 5.0,
    "axes.labelsize": SMALL_SIZE,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY_TEXT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.labelsize": SMALL_SIZE,
    "xtick.color": GREY_TEXT,
    "ytick.color": GREY_TEXT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.6,
    "hatch.linewidth": 0.6,
    "hatch.color": NEUTRAL,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "jobchance",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


@contextmanager
def context() -> Iterator[None]:
    """Matplotlib's defaults plus this style, for the duration of a `with` block."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def likert_colours(n: int) -> list[str]:
    """`n` tones from the lowest to the highest answer, the middle one neutral when `n` is odd."""
    return [to_hex(_LIKERT(i / (n - 1) if n > 1 else 0.5)) for i in range(n)]


def ordered_colours(n: int) -> list[str]:
    """`n` tones of one ordered quantity, light to dark, all dark enough for lines and marks."""
    ramp = LinearSegmentedColormap.from_list("ordered", [LOW, MIDDLE, CASEWORKER, "#00304D"])
    return [to_hex(ramp(i / (n - 1) if n > 1 else 0.66)) for i in range(n)]


def text_colour_on(background: str | Sequence[float]) -> str:
    """Black or white, whichever contrasts more with the background (WCAG relative luminance)."""
    light = _luminance(background)
    return "#FFFFFF" if 1.05 / (light + 0.05) > (light + 0.05) / 0.05 else "#000000"


def contrast(one: str | Sequence[float], other: str | Sequence[float]) -> float:
    """WCAG contrast ratio of two colours, 1 to 21: (L1 + 0.05) / (L2 + 0.05), lighter over darker."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str | Sequence[float]) -> float:
    rgb = to_rgb(colour if isinstance(colour, str) else tuple(colour[:3]))  # type: ignore[arg-type]  # three floats
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
