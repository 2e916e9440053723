"""The status note in a real browser: no network, nothing wider than the page, all pictures, A4 paper."""

import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
)
PROBE = """
<script>
addEventListener("load", () => {
  const root = document.documentElement;
  const images = [...document.images];
  const text = [...document.querySelectorAll("h1,h2,h3,p,li,td,th")].filter(
    e => e.getBoundingClientRect().right > root.clientWidth + 1 && !e.closest(".scroll"));
  document.title = JSON.stringify({
    wide: root.scrollWidth - root.clientWidth,
    images: images.length,
    broken: images.filter(i => !i.complete || i.naturalWidth === 0).length,
    unnamed: images.filter(i => i.alt.length < 20).length,
    outside: text.length,
    fetched: performance.getEntriesByType("resource").filter(r => !r.name.startsWith("data:")).length,
  });
});
</script>
"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the browser tests did not run"),
]


def chromium(tmp_path, *arguments):
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    result = subprocess.run(
        [CHROMIUM, *FLAGS, profile, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("lang", ["da", "en"])
def test_the_page_fits_and_needs_no_network(note_folders, tmp_path, lang, width):
    html = (note_folders[lang] / "status_note.html").read_text(encoding="utf-8")
    page = tmp_path / "page.html"
    page.write_text(html.replace("</head>", PROBE + "</head>"), encoding="utf-8")
    dom = chromium(tmp_path, f"--window-size={width},900", "--dump-dom", page.as_uri())
    title = re.search(r"<title>(.*?)</title>", dom, flags=re.DOTALL)
    assert title is not None
    seen = dict(re.findall(r'"(\w+)":(-?\d+)', title.group(1).replace("&quot;", '"')))
    assert int(seen.pop("images")) >= 10
    assert seen == {"wide": "0", "broken": "0", "unnamed": "0", "outside": "0", "fetched": "0"}


def test_the_page_prints_on_a4(note_folders, tmp_path):
    target = tmp_path / "note.pdf"
    chromium(
        tmp_path,
        "--no-pdf-header-footer",
        f"--print-to-pdf={target}",
        (note_folders["da"] / "status_note.html").as_uri(),
    )
    content = target.read_bytes()
    boxes = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content))
    assert boxes
    for width, height in boxes:
        assert float(width) == pytest.approx(595, abs=1.5)
        assert float(height) == pytest.approx(842, abs=1.5)
