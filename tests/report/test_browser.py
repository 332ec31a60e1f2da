"""The page as a browser has it; the browser is Chromium, headless, with no network."""

import json
import re
import shutil
import subprocess

import pytest
from report_runs import draw_only, finish

from jaxclr.report import write_report

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WIDTHS = (1280, 380)

MEASURES = """
<script>
addEventListener("load", () => {
  document.querySelectorAll("details").forEach(fold => fold.open = true);
  const root = document.documentElement;
  const told = {
    width: innerWidth, room: root.clientWidth, needs: root.scrollWidth,
    images: [...document.images].map(image => image.naturalWidth * image.offsetWidth),
    loaded: performance.getEntriesByType("resource").map(entry => entry.name),
    background: getComputedStyle(root).backgroundColor,
    scroll: [...document.querySelectorAll(".scroll, pre")].every(
      box => box.scrollWidth <= box.clientWidth || getComputedStyle(box).overflowX === "auto"),
  };
  parent.postMessage(JSON.stringify(told), "*");
});
</script>
"""
"""Put into a copy of the page, which has no scripts itself."""

FRAMES = """<!DOCTYPE html><link rel="icon" href="data:,"><body>
<script>
addEventListener("message", event => {{
  const found = document.createElement("pre");
  found.textContent = event.data;
  document.body.append(found);
}});
</script>
{}
"""
"""A window is at least 500 pixels wide; a frame has the width that it is given."""


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_a_browser_shows_the_page_whole_at_any_width_without_a_network(tmp_path, monkeypatch):
    draw_only(monkeypatch, "losses_over_steps", "confusion", "mistakes_1")
    long = "an_experiment_with_a_name_that_is_far_too_long_for_any_narrow_screen"
    folders = [finish(tmp_path, "base"), finish(tmp_path, long, weight=0.5)]
    text = write_report(folders).read_text()
    (tmp_path / "copy.html").write_text(text.replace("</body>", f"{MEASURES}</body>"))
    frames = [f'<iframe src="copy.html" width="{w}" height="900"></iframe>' for w in WIDTHS]
    (tmp_path / "frames.html").write_text(FRAMES.format("\n".join(frames)))
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND"),
        *("--enable-logging=stderr", "--v=0", "--window-size=1400,1000"),
        *("--virtual-time-budget=5000", "--dump-dom", (tmp_path / "frames.html").as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in done.stderr, done.stderr
    told = [json.loads(found) for found in re.findall(r"<pre>(.*?)</pre>", done.stdout)]
    assert sorted(found["width"] for found in told) == sorted(WIDTHS), done.stderr
    for found in told:
        assert found["needs"] <= found["room"], "the page scrolls sideways"
        assert len(found["images"]) == 3 and all(found["images"]), "a picture is not shown"
        assert found["loaded"] == [] and found["scroll"]
        assert found["background"] == "rgb(255, 255, 255)"
