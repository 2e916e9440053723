"""Make the example pictures of the documentation: figures of simulated studies, made small.

    python docs/img/make.py [note | ANALYSIS ...]

makes all of them, or those of the status note (seed 2) and of the analyses named.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import jobchance as jc

HERE = Path(__file__).parent
CATALOGUE = (
    "F3_belief_distribution",
    "F5_rater_agreement_heatmap",
    "F9_belief_before_after_shift",
    "F15_belief_gradient",
    "F16_job_curve_by_belief",
    "F17_optimism_terciles",
    "F23_caseworker_spread",
)
ANALYSES = {
    "rosenthal_effect": ("expectancy_by_contact",),
    "evidence_ladder": ("F89_grade_of_evidence",),
    "robustness": (
        "F83_specification_curve",
        "F86_confounding_contour",
        "F90_attrition",
        "F55_placebo_distribution",
        "F58_leave_one_site_out",
    ),
}
MAX_BYTES = 60_000
SIZES = ((900, 24), (840, 24), (800, 20), (760, 16), (720, 16), (680, 16), (640, 16), (600, 16), (560, 12))


def shrink(source: Path) -> None:
    """Write the widest version (pixels, colours) that stays below the limit."""
    target = HERE / source.name
    with Image.open(source) as picture:
        full = picture.convert("RGB")
    for width, colours in SIZES:
        small = full.resize((width, round(full.height * width / full.width)), Image.Resampling.LANCZOS)
        # the widest cover of colours: the median cut drops those of thin lines
        few = small.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(target, optimize=True)
        if target.stat().st_size <= MAX_BYTES:
            return
    sys.exit(f"{target.name} stays above {MAX_BYTES} bytes")


def main() -> None:
    """Write the note and the analyses into a scratch folder, and make their pictures small."""
    known = ("note", *ANALYSES)
    wanted = sys.argv[1:] or known
    if unknown := set(wanted) - set(known):
        sys.exit(f"Not known: {', '.join(sorted(unknown))}. Known: {', '.join(known)}.")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        if "note" in wanted:
            jc.status_note(jc.simulate_study(seed=2), out / "note", lang="en")
            for name in CATALOGUE:
                shrink(out / "note" / "figures" / f"{name}.png")
        jobchance = Path(sys.executable).parent / "jobchance"
        for analysis in [name for name in ANALYSES if name in wanted]:
            command = [jobchance, "run", f"analyses/{analysis}", "--out", out / analysis, "--lang", "en"]
            subprocess.run(command, cwd=HERE.parents[1], check=True)
            for picture in ANALYSES[analysis]:
                shrink(out / analysis / f"{picture}.png")


if __name__ == "__main__":
    main()
