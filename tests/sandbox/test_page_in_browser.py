"""The demo's page in Chromium: `make test-browser` runs these, and CI does."""

import re
import struct
import subprocess
import zlib
from collections.abc import Callable
from html import escape, unescape
from pathlib import Path
from typing import NamedTuple

import pytest

from claude_batch.costs.pages.page_templates import CONTENT_SECURITY_POLICY
from claude_batch.pull_requests.comment import append_marker
from claude_batch.sandbox.demo.conversation import ConversationItem
from claude_batch.sandbox.demo.page import render_page

pytestmark = pytest.mark.browser

NOON = "2026-11-22T12:00:00Z"
BOT = "github-actions[bot]"
NOTE = "The sandbox's rules wrote these findings, not Claude."
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
HUNK = """\
@@ -1,2 +1,3 @@
 import yaml
+LONG = "a line that is wider than a telephone, and so has to be broken somewhere, somehow, by it"
+table = yaml.load(text)"""
FINDING = append_marker(
    "high · security\n\n**YAML that can make any object**\n\nUse `yaml.safe_load`.\n\n"
    "```suggestion\ntable = yaml.safe_load(text)\n```",
    "0" * 16,
)
SUMMARY = append_marker(
    "## claude-batch\n\n1 finding.\n\n"
    "<details>\n<summary>1 file not reviewed</summary>\n\n- binary: `logo.png`\n\n</details>\n\n"
    "| Receipt | |\n|---|---:|\n| Model | `claude-sonnet-5-5` |\n| **Paid** | **$0.0104** |",
    "summary",
)
RUNS = "<script>document.title = 'it ran'</script>"
HOSTILE = f"{RUNS}\n\n<img src=x onerror=\"document.title = 'it ran'\"> [x](javascript:alert(1))"
SAID = (
    ConversationItem(
        "review comment",
        1001,
        BOT,
        FINDING,
        NOON,
        review=1000,
        path="shop/table.py",
        line=3,
        side="RIGHT",
        diff_hunk=HUNK,
    ),
    ConversationItem("comment", 1002, "octocat", HOSTILE, NOON),
    ConversationItem("comment", 1003, BOT, SUMMARY, NOON),
    ConversationItem(
        "check", 1004, BOT, "1 finding.", NOON, title="1 finding", conclusion="neutral"
    ),
)
PAGE = render_page("Read the <table>", "octocat", "main", "feature", SAID, note=NOTE)

Browser = Callable[..., str]


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    """`browser(html, *switches)`: the document as Chromium has it after loading."""

    def load(html: str, *switches: str) -> str:
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = ["chromium", *SWITCHES, profile, "--dump-dom", *switches, file.as_uri()]
        done = subprocess.run(command, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return load


class Picture(NamedTuple):
    width: int
    height: int
    corner: str  # the colour at the top left


def picture(file: Path) -> Picture:
    """What a PNG of eight bits a colour says: https://www.w3.org/TR/png-3/"""
    raw, at, pixels = file.read_bytes(), 8, b""
    assert raw.startswith(b"\x89PNG\r\n\x1a\n")
    while at < len(raw):
        (length,), kind = struct.unpack(">I", raw[at : at + 4]), raw[at + 4 : at + 8]
        pixels += raw[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    width, height = struct.unpack(">II", raw[16:24])
    # Every filter leaves the first pixel as it is: there is nothing before it.
    return Picture(width, height, zlib.decompress(pixels)[1:4].hex())


def title(dom: str) -> str:
    found = re.search(r"<title>(.*?)</title>", dom)
    assert found
    return unescape(found[1])


def test_the_browser_builds_what_was_written(browser: Browser) -> None:
    dom = browser(PAGE)
    assert title(dom) == "Read the <table>"
    assert f'<p class="note">{NOTE}</p>' in dom
    assert [dom.count(f"<{tag}") for tag in ("article", "details", "mark")] == [4, 1, 1]
    assert "<td>table = yaml.<mark>safe_</mark>load(text)</td>" in dom
    assert (
        "<details><summary>1 file not reviewed</summary>\n<ul>\n"
        "<li>binary: <code>logo.png</code></li>\n</ul>\n</details>"
    ) in dom
    assert '<td style="text-align:right"><strong>$0.0104</strong></td>' in dom
    assert "claude-batch:" not in dom
    assert "<p>&lt;script&gt;document.title = 'it ran'&lt;/script&gt;</p>" in dom
    assert "<p>&lt;img src=x onerror=" in dom


def test_the_policy_stops_what_would_get_past_us(browser: Browser) -> None:
    broken = PAGE.replace("</main>", f"</main>{RUNS}")
    assert title(browser(broken)) == "Read the <table>"
    assert title(browser(broken.replace(CONTENT_SECURITY_POLICY, ""))) == "it ran"


@pytest.mark.parametrize(
    ("scheme", "banner"),
    [("preferredColorScheme=1", "fff8c5"), ("preferredColorScheme=0", "272115")],
)
def test_light_and_dark(browser: Browser, tmp_path: Path, scheme: str, banner: str) -> None:
    shot = tmp_path / "shot.png"
    browser(PAGE, f"--screenshot={shot}", "--window-size=900,1400", f"--blink-settings={scheme}")
    assert picture(shot) == (900, 1400, banner)


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_a_telephone(browser: Browser, width: int) -> None:
    """A frame, because a window of Chromium has a least width."""
    frame = f'<iframe width="{width}" height="700" srcdoc="{escape(PAGE)}"></iframe>'
    measure = (
        "<script>onload = () => { const page = document.querySelector('iframe').contentDocument;"
        "document.title = Math.max(page.documentElement.scrollWidth, ...[...page.querySelectorAll("
        "'body *')].map(each => Math.ceil(each.getBoundingClientRect().right))) }</script>"
    )
    dom = browser(f"<!doctype html><title>not measured</title>{frame}{measure}")
    assert title(dom) == str(width)
