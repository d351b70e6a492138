"""The picture in the README: the demo's page in Chromium, cut to two comments and the receipt.

    python docs/screenshot.py PAGE PICTURE

A browser says how high the shortened page is before it takes the picture, because Chromium cuts a
picture where the window ends.
"""

import re
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

WIDTH = 900
SHORTER = "<style>.file:nth-of-type(n+3), .checks { display: none } main { padding-bottom: 16px }"
MEASURE = (
    "<script>onload = () => { const page = document.querySelector('iframe').contentDocument;"
    "document.title = Math.ceil(page.querySelector('main').getBoundingClientRect().bottom) }"
    "</script>"
)
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
    "--blink-settings=preferredColorScheme=1",  # light
)


def take(page: Path, picture: Path) -> None:
    short = page.read_text("utf-8").replace("</head>", f"{SHORTER}</style></head>")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        frame = f'<iframe width="{WIDTH}" height="100" srcdoc="{escape(short)}"></iframe>'
        document = chromium(home, f"<title>?</title>{frame}{MEASURE}", "--dump-dom")
        height = re.search(r"<title>(\d+)</title>", document)
        if height is None:
            sys.exit("error: the page could not be measured\n help: look at it in a browser")
        chromium(home, short, f"--screenshot={picture}", f"--window-size={WIDTH},{height[1]}")


def chromium(home: Path, html: str, *switches: str) -> str:
    file = home / "page.html"
    file.write_text(html, "utf-8")
    profile = f"--user-data-dir={home / 'profile'}"
    command = ["chromium", *SWITCHES, profile, *switches, file.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]).resolve())
