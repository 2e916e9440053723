"""Formulas of docstrings as plain text: the site loads nothing from a network, so no script sets TeX."""

import html
import re
from typing import Any

GAP = "\u2003"
GREEK = "alpha beta eta theta kappa lambda mu pi psi rho sigma tau chi Sigma Lambda ell"
SIGNS = "sim mid cdot times pm le ge neq ne to infty"
WORDS = dict(zip(GREEK.split(), "αβηθκλμπψρστχΣΛℓ", strict=True))
WORDS |= dict(zip(SIGNS.split(), "~|·×±≤≥≠≠→∞", strict=True))
WORDS |= {"qquad": GAP, "quad": GAP, "ldots": "...", "Big": "", "big": "", "left": "", "right": ""}
ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
INNER = r"\{((?:[^{}]|\{[^{}]*\})*)\}"  # braces with at most one pair within


def plain(tex: str) -> str:
    """A formula in TeX as one line of text."""
    text = tex.replace(r"\{", "⟦").replace(r"\}", "⟧").replace(r"\_", "_")
    text = re.sub(r"\\?#", "number of ", re.sub(r"\\[,; ]", " ", text))
    text = re.sub(r"\\(text|mathrm)\{([^{}]*)\}", r" \2 ", text)
    text = re.sub(r"\\overline\{([^{}]*)\}", r"mean of \1", text)
    for name, sign in ACCENTS.items():
        text = re.sub(rf"\\{name}\s*(\\[a-zA-Z]+|\w)", lambda m, s=sign: _word(m[1]) + s, text)
    text = re.sub(r"\\frac\s*(\w)\s*(\w)", r"\1/\2 ", text)
    text = re.sub(r"\\frac\s*(\w)\s*\{", r"\\frac{\1}{", text)
    for _ in range(6):  # from the inside out
        text = re.sub(rf"\\binom{INNER}{INNER}", r"(\1 over \2)", text)
        text = re.sub(r"\\sqrt\{([^{}]*)\}", r"√(\1)", text)
        text = re.sub(rf"\\frac\s*{INNER}\s*{INNER}", lambda m: f"{_side(m[1])} / {_side(m[2])}", text)
        text = re.sub(r"([_^])\{([^{}]*)\}", lambda m: m[1] + _index(m[2]), text)
    text = re.sub(r"\\([a-zA-Z]+)", lambda m: WORDS.get(m[1], m[1]), text)
    text = text.replace("^2", "²").replace("^3", "³").replace("^(-1)", "⁻¹")
    text = re.sub(r" ([,.)])|(\() ", r"\1\2", re.sub(r"[ \n]+", " ", text))
    return text.replace("⟦", "{").replace("⟧", "}").strip()


def _word(name: str) -> str:
    """A letter, or the sign of a TeX command."""
    return WORDS.get(name.lstrip("\\"), name)


def _side(text: str) -> str:
    """A side of a fraction, in parentheses where it is a sum or a product."""
    return text.strip() if re.fullmatch(r"[\w\\'²]+", text.strip()) else f"({text.strip()})"


def _index(text: str) -> str:
    """An index, in parentheses where it is longer than a word."""
    return text if re.fullmatch(r"\w+|\([^()]*\)", text) else f"({text})"


def on_page_content(output: str, **_: Any) -> str:
    """Replace `.. math::` and `:math:` of rendered docstrings."""
    output = re.sub(
        r"<p>\.\. math::\s*(.*?)</p>",
        lambda m: f"<pre><code>{_escaped(m[1])}</code></pre>",
        output,
        flags=re.DOTALL,
    )
    return re.sub(
        r":math:<code>(.*?)</code>", lambda m: f"<code>{_escaped(m[1])}</code>", output, flags=re.DOTALL
    )


def _escaped(rendered: str) -> str:
    """Text of a formula that stands in HTML, as HTML."""
    return html.escape(plain(html.unescape(re.sub(r"<[^>]+>", "", rendered))), quote=False)
