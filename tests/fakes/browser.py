"""Debian's chromium, headless, driven by selenium: for tests of pages. Skips, with a reason, without it.

Use: `from fakes.browser import browser  # noqa: F401` in a test file, and the fixture `browser` in its tests.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
)
INSIDE = ("data:", "about:", "chrome:", "chrome-untrusted:", "devtools:")  # no file and no other machine


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yield a driver with a fresh profile; its logs hold the console and every request of a page."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium and chromedriver on this machine (Debian: apt install chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    started.set_page_load_timeout(180)
    started.set_script_timeout(180)
    started.get("about:blank")  # not the page of new tabs, which asks for things
    yield started
    started.quit()


def open_page(driver: Any, path: Path, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
    """Open a file at a size of the window's inside, with a preferred theme, and forget older logs."""
    for kind in ("browser", "performance"):
        driver.get_log(kind)
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})
    driver.get(path.resolve().as_uri())


def complaints(driver: Any) -> list[str]:
    """Return what went wrong since `open_page`: console errors and warnings, requests that left the page."""
    said = [
        entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")
    ]
    own = driver.current_url.partition("#")[0]
    asked = [url for url in requests(driver) if url.partition("#")[0] != own and not url.startswith(INSIDE)]
    return said + [f"a request to {url}" for url in asked]


def barriers(driver: Any) -> list[tuple[str, str, list[str]]]:
    """Return what axe-core calls serious or critical in the open page: rule, its help, elements.

    The axe.min.js is that of the package axe-core-python; XPFLOW_AXE=FILE names a newer one.
    """
    named = os.environ.get("XPFLOW_AXE")
    code = Path(named) if named else resources.files("axe_core_python") / "axe.min.js"
    driver.execute_script(code.read_text(encoding="utf-8"))
    asked = (  # colours that still fade have neither contrast
        "Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)))"
        ".then(() => axe.run({resultTypes: ['violations']}))"
        ".then(arguments[0], (error) => arguments[0](String(error)))"
    )
    found = driver.execute_async_script(asked)
    assert isinstance(found, dict), found
    return [
        (one["id"], one["help"], [str(node["target"]) for node in one["nodes"]][:5])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def printed(driver: Any) -> tuple[bytes, int]:
    """Return the open page as chromium prints it on A4: the PDF, and how many pages it has."""
    paper = {"paperWidth": 8.27, "paperHeight": 11.69}
    pdf = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", paper)["data"])
    return pdf, len(re.findall(rb"/Type\s*/Page\b", pdf))


def requests(driver: Any) -> list[str]:
    """Return the addresses that the page asked for since the log was last read."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [event for event in events if event["method"] == "Network.requestWillBeSent"]
    return [event["params"]["request"]["url"] for event in sent]
