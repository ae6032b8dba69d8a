"""Draw the pictures of docs/first_hour.md from real screens and pages.

    python docs/pictures/draw.py screen OUT.svg REGEX COMMAND...    the first screen with a line that matches
    python docs/pictures/draw.py page OUT.png FILE.html SELECTOR    a page in chromium, from an element on

Needs what the tests need. A command that still runs when its screen was drawn is ended.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import sys
from contextlib import suppress
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from rich.console import Console
from rich.style import Style
from rich.text import Text

from fakes import browser, terminal

COLUMNS, ROWS = 100, 46
WIDTH, HEIGHT = 1000, 720  # pixels of a page's picture
PATIENCE_S = 1800.0
NAMES = {"brown": "yellow", "brightbrown": "bright_yellow", "brightblack": "bright_black"}  # pyte's, rich's


def screen(out: str, wanted: str, *command: str) -> None:
    """Write the first screen of a command that has a line which matches `wanted`."""
    terminal.PATIENCE_S = PATIENCE_S
    with terminal.Terminal(command, Path.cwd(), os.environ, columns=COLUMNS, rows=ROWS) as running:
        running.until(lambda lines: any(re.search(wanted, line) for line in lines))
        shown = running.lines()
        with running.lock:
            rows = [line_of(running.screen.buffer[row]) for row in range(len(shown))]
        with suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGTERM)  # its jobs, too
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    for row in rows:
        console.print(row, no_wrap=True, crop=True)
    drawn = console.export_svg(title="xpflow")
    drawn = re.sub(
        r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL
    )  # fonts that would be asked for on the web
    Path(out).write_text(drawn, encoding="utf-8")


def line_of(cells: Any) -> Text:
    """Return a line of pyte's screen with its colours."""
    text = Text()
    for (colour, bold), run in groupby(
        (cells[column] for column in range(COLUMNS)), lambda one: (one.fg, one.bold)
    ):
        known = f"#{colour}" if re.fullmatch("[0-9a-f]{6}", colour) else NAMES.get(colour, colour)
        style = Style(color=None if known == "default" else known, bold=bold)
        text.append("".join(cell.data for cell in run), style)
    text.rstrip()
    return text


def page(out: str, file: str, selector: str) -> None:
    """Write what a window shows of a page when an element is scrolled to its top."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for option in browser.OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        browser.open_page(driver, Path(file), width=WIDTH, height=HEIGHT)
        driver.execute_async_script("setTimeout(arguments[0], 8000)")  # figures are drawn, problems unpacked
        driver.execute_script(f"document.querySelector({selector!r}).scrollIntoView()")
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        Path(out).write_bytes(base64.b64decode(shot["data"]))
    finally:
        driver.quit()


if __name__ == "__main__":
    {"screen": screen, "page": page}[sys.argv[1]](*sys.argv[2:])
