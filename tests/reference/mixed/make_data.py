"""Deterministic data for the mixed-model reference cases: `frame(name)`, and csv files for `make.R`.

Only uniform draws of PCG64 are used (normals by the inverse distribution function), so that the numbers do
not depend on the version of NumPy's samplers; values are rounded to six decimals, and the csv that R read is
the data.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr, ndtri
from scipy.stats import binom, poisson


class Draw:
    """Random numbers from uniforms alone."""

    def __init__(self, seed):
        self.generator = np.random.Generator(np.random.PCG64(seed))

    def uniform(self, n):
        return self.generator.random(n)

    def normal(self, n, sd=1.0):
        return sd * ndtri(self.generator.random(n))

    def pick(self, n, k):
        """Level number of each of n rows among k levels."""
        return np.minimum((self.generator.random(n) * k).astype(int), k - 1)

    def ordinal(self, eta, cuts, cdf):
        """Answers 1..K+1 with P(Y <= k) = cdf(cut_k - eta)."""
        u = self.generator.random(len(eta))
        return 1 + sum((u > cdf(cut - eta)).astype(int) for cut in cuts)


def names(prefix, codes, width=2):
    return [f"{prefix}{code + 1:0{width}d}" for code in codes]


def levels():
    """Three nested levels, labels unique; outcome, rating and their covariate."""
    draw = Draw(30101)
    n = 660
    worker = np.sort(draw.pick(n, 132))
    team, centre = worker // 4, worker // 12
    x = draw.normal(n) + 0.3 * draw.normal(11)[centre]
    eta = 0.5 * x + draw.normal(11, 0.9)[centre] + draw.normal(33, 0.6)[team] + draw.normal(132, 0.7)[worker]
    return pd.DataFrame(
        {
            "centre": names("c", centre),
            "team": names("t", team % 3),
            "worker": names("w", worker % 4),
            "x": x,
            "y": 2 + eta + draw.normal(n, 0.8),
            "rating": draw.ordinal(eta, (-1.5, -0.2, 1.4), expit),
        }
    )


def slopes():
    """One group with random slopes of two covariates; prior weights, an offset and a category."""
    draw = Draw(30102)
    n, m = 520, 45
    g = np.sort(draw.pick(n, m))
    x, z = draw.normal(n), 2 * draw.uniform(n) - 0.7
    u = np.column_stack([draw.normal(m), draw.normal(m), draw.normal(m)])
    root = np.array([[1.1, 0, 0], [0.35, 0.55, 0], [-0.3, 0.2, 0.7]])
    b = u @ root.T
    k = draw.pick(n, 3)
    part = np.sum(b[g] * np.column_stack([np.ones(n), x, z]), axis=1)
    weight = 0.4 + 2.5 * draw.uniform(n)
    load = draw.normal(n)
    alone = draw.normal(m, 0.9)[g] + draw.normal(m, 0.5)[g] * x
    shift = np.array([0.0, 0.6, -0.4])[k] + np.array([0.0, 0.3, 0.2])[k] * x
    return pd.DataFrame(
        {
            "g": names("g", g),
            "x": x,
            "z": z,
            "kind": [("plain", "short", "wide")[i] for i in k],
            "weight": weight,
            "load": load,
            "y": 1 + 0.4 * x - 0.6 * z + part + draw.normal(n, 0.9),
            "y_apart": 2 + 0.3 * x + alone + draw.normal(n, 1.1),
            "y_kind": shift + draw.normal(m, 0.7)[g] + draw.normal(n),
            "y_weight": 1 + 0.5 * x + draw.normal(m, 0.6)[g] + draw.normal(n) / np.sqrt(weight),
            "y_load": load + 0.5 * x + draw.normal(m, 0.6)[g] + draw.normal(n, 0.8),
        }
    )


def crossed():
    """Two crossed factors with slopes on both."""
    draw = Draw(30103)
    n = 700
    a, b = draw.pick(n, 36), draw.pick(n, 24)
    x = draw.normal(n)
    effect_a, effect_b = draw.normal(36), draw.normal(24)
    own = draw.normal(36, 0.4)
    line = 0.4 * draw.normal(24)
    slopes = (0.8 * effect_a[a] + (0.3 * effect_a + own)[a] * x) + (
        0.6 * effect_b[b] + (line - 0.3 * effect_b)[b] * x
    )
    y = 1 + 0.5 * x + slopes + draw.normal(n)
    return pd.DataFrame({"a": names("a", a), "b": names("b", b), "x": x, "y": y})


def idle():
    """Three crossed factors, of which the third contributes nothing."""
    draw = Draw(30301)
    n = 700
    a, b, c = draw.pick(n, 36), draw.pick(n, 24), draw.pick(n, 18)
    x = draw.normal(n)
    y = 1 + 0.5 * x + draw.normal(36, 0.8)[a] + draw.normal(24, 0.5)[b] + draw.normal(n)
    return pd.DataFrame({"a": names("a", a), "b": names("b", b), "c": names("c", c), "x": x, "y": y})


def singular():
    """Few groups with slopes that are an exact multiple of the intercepts."""
    draw = Draw(30201)
    n, m = 160, 12
    g = np.sort(draw.pick(n, m))
    x = draw.normal(n)
    u = draw.normal(m)
    return pd.DataFrame(
        {
            "g": names("g", g),
            "x": x,
            "y": 1 + 0.5 * x + 0.9 * u[g] - 0.35 * u[g] * x + draw.normal(n),
        }
    )


def district():
    """Many rows per district and a small variance between districts, crossed with persons."""
    draw = Draw(30105)
    n, persons, districts = 24000, 2400, 30
    person, area = draw.pick(n, persons), draw.pick(n, districts)
    x = draw.normal(n)
    y = (
        5
        + 0.2 * x
        + draw.normal(persons, 1.5)[person]
        + draw.normal(districts, 0.07)[area]
        + draw.normal(n, 1.5)
    )
    return pd.DataFrame({"person": names("p", person, 4), "district": names("d", area), "x": x, "y": y})


def binary():
    """Binary outcomes of three links, crossed factors and a slope."""
    draw = Draw(30106)
    n = 900
    a, b = draw.pick(n, 45), draw.pick(n, 20)
    x, z = draw.normal(n), (draw.uniform(n) > 0.5).astype(float)
    base = -0.3 + 0.7 * x - 0.5 * z
    crossed = base + draw.normal(45, 0.9)[a] + draw.normal(20, 0.5)[b]
    u = draw.normal(45)
    slope = base + 0.9 * u[a] + (0.3 * u + draw.normal(45, 0.6))[a] * x
    half = 0.6 * base
    return pd.DataFrame(
        {
            "a": names("a", a),
            "b": names("b", b),
            "x": x,
            "z": z,
            "got": (draw.uniform(n) < expit(crossed)).astype(int),
            "got_slope": (draw.uniform(n) < expit(slope)).astype(int),
            "got_probit": (
                draw.uniform(n) < ndtr(half + draw.normal(45, 0.6)[a] + draw.normal(20, 0.4)[b])
            ).astype(int),
            "got_cloglog": (draw.uniform(n) < -np.expm1(-np.exp(half + draw.normal(45, 0.6)[a]))).astype(int),
        }
    )


def grouped():
    """Counts of successes among trials, and their share."""
    draw = Draw(30107)
    n, m = 240, 40
    g = np.sort(draw.pick(n, m))
    x = draw.normal(n)
    trials = 1 + draw.pick(n, 14)
    p = expit(-0.5 + 0.6 * x + draw.normal(m, 0.8)[g])
    yes = binom.ppf(draw.uniform(n), trials, p).astype(int)
    return pd.DataFrame({"g": names("g", g), "x": x, "yes": yes, "no": trials - yes, "trials": trials})


def counts():
    """Counts with three crossed factors and exposure; counts with more spread than Poisson."""
    draw = Draw(30108)
    n = 600
    a, b, c = draw.pick(n, 30), draw.pick(n, 15), draw.pick(n, 12)
    x = draw.normal(n)
    exposure = np.log(0.5 + 2 * draw.uniform(n))
    three = (
        0.3
        + 0.4 * x
        + exposure
        + draw.normal(30, 0.5)[a]
        + draw.normal(15, 0.35)[b]
        + draw.normal(12, 0.3)[c]
    )
    spread = 1 + 0.3 * x + draw.normal(30, 0.5)[a] + draw.normal(n, 0.6)
    simple = -0.2 + 0.4 * x + draw.normal(30, 0.6)[a]
    return pd.DataFrame(
        {
            "a": names("a", a),
            "b": names("b", b),
            "c": names("c", c),
            "row": names("r", np.arange(n), 3),
            "x": x,
            "exposure": exposure,
            "visits": poisson.ppf(draw.uniform(n), np.exp(three)).astype(int),
            "spread": poisson.ppf(draw.uniform(n), np.exp(spread)).astype(int),
            "calls": poisson.ppf(draw.uniform(n), np.exp(simple)).astype(int),
        }
    )


def ratings():
    """Answers on five steps by crossed factors, with three links, and integer row weights."""
    draw = Draw(30109)
    n = 640
    a, b = draw.pick(n, 40), draw.pick(n, 16)
    x, z = draw.normal(n), (draw.uniform(n) > 0.5).astype(float)
    base = 0.8 * x - 0.5 * z
    u = draw.normal(40)
    return pd.DataFrame(
        {
            "a": names("a", a),
            "b": names("b", b),
            "x": x,
            "z": z,
            "times": 1 + draw.pick(n, 3),
            "answer": draw.ordinal(
                base + draw.normal(40, 1.1)[a] + draw.normal(16, 0.6)[b], (-2.2, -0.8, 0.7, 2.0), expit
            ),
            "answer_probit": draw.ordinal(0.6 * base + draw.normal(40, 0.6)[a], (-1.5, -0.5, 0.5, 1.5), ndtr),
            "answer_cloglog": draw.ordinal(
                0.6 * base + draw.normal(40, 0.6)[a], (-1.6, -0.6, 0.1, 0.8), lambda t: -np.expm1(-np.exp(t))
            ),
            "answer_slope": draw.ordinal(
                base + 1.0 * u[a] + (0.4 * u + draw.normal(40, 0.6))[a] * x, (-2.2, -0.8, 0.7, 2.0), expit
            ),
        }
    )


MAKERS = {
    made.__name__: made
    for made in (levels, slopes, crossed, idle, singular, district, binary, grouped, counts, ratings)
}


def frame(name):
    """Data of that name, rounded to six decimals."""
    return MAKERS[name]().round(6)


def text(data):
    """The csv that R reads."""
    return data.to_csv(index=False, float_format="%.6f", lineterminator="\n")


def checksum(data):
    """Fingerprint of the csv, so that numbers are never compared on other data than R's."""
    return hashlib.sha256(text(data).encode()).hexdigest()[:16]


def write(folder):
    """One csv for each data set and their checksums."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["data,checksum"]
    for name in MAKERS:
        data = frame(name)
        (folder / f"{name}.csv").write_text(text(data), encoding="utf-8")
        lines.append(f"{name},{checksum(data)}")
    (folder / "checksums.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1])
