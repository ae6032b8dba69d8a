"""The report in a real browser: what a reader does with it, on a screen, a phone and paper."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.browser import barriers, browser, complaints, open_page, printed  # noqa: F401
from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.reporting.page.build import produce_report
from xpflow.study.layout import SAMPLES, VERDICTS, Layout
from xpflow.study.rows import expand

PATIENCE_S = 120  # a busy machine
SCREEN = {"width": 1280, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
A4 = {**SCREEN, "width": 718}  # CSS pixels between chromium's usual margins
HOSTILE = "</script><img src=x onerror=\"document.title='taken'\"><b>bold</b>"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(synthetic: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small study whose first problem has a hostile prompt, answer and reason."""
    folder = tmp_path_factory.mktemp("browser")
    results = folder / "results" / "synthetic"
    config = synthetic.small(results, problems=12, seeds=(0, 1))
    layout = Layout.of_results(results)
    for row in expand(config):
        for name, fields in (
            (SAMPLES, {"completion": HOSTILE}),
            (VERDICTS, {"verdict": "error", "reason": HOSTILE}),
        ):
            rows = list(read_jsonl(layout.row(row) / name))
            rows[0].update(fields)
            write_jsonl(layout.row(row) / name, rows)
    for benchmark in config.benchmark_names:
        problems = [
            {"task_id": f"{benchmark}/{n}", "prompt": HOSTILE if n == 0 else "def f():\n", "entry_point": "f"}
            | {"test": "def check(candidate):\n    pass\n"}
            for n in range(12)
        ]
        write_jsonl(layout.problems(benchmark), problems)
    return produce_report(config, results, folder / "out" / "report.html").path


@pytest.fixture(scope="module")
def driver(browser: Any, page: Path) -> Any:  # noqa: F811
    """The browser with the report open, all of it drawn."""
    open_page(browser, page, width=SCREEN["width"], height=SCREEN["height"])
    until(browser, lambda: js(browser, "document.documentElement.dataset.charts === 'drawn'"))
    until(browser, lambda: tasks(browser))
    return browser


def js(driver: Any, code: str) -> Any:
    return driver.execute_script(f"return {code}")


def until(driver: Any, true: Callable[[], Any]) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, PATIENCE_S).until(lambda _: true())


def find(driver: Any, selector: str) -> Any:
    return driver.find_element("css selector", selector)


def texts(driver: Any, selector: str) -> list[str]:
    return [str(one.get_attribute("textContent")) for one in driver.find_elements("css selector", selector)]


def tasks(driver: Any) -> list[str]:
    return texts(driver, "#tasks .name")


def choose(driver: Any, select: str, value: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(find(driver, select)).select_by_value(value)


def press(element: Any, key: str) -> None:
    from selenium.webdriver.common.keys import Keys

    element.send_keys(getattr(Keys, key))


def test_no_request_leaves_the_page_and_nothing_is_complained_of(driver: Any) -> None:
    assert js(driver, "performance.getEntriesByType('resource').map((one) => one.name)") == []
    assert complaints(driver) == []


def test_hostile_text_is_shown_and_never_run(driver: Any) -> None:
    choose(driver, "#which", "all")
    find(driver, "#tasks button").click()
    shown = texts(driver, "#answer pre")
    assert sum(text == HOSTILE for text in shown) >= 3  # an answer and its reason on both sides
    assert HOSTILE in "".join(shown)
    assert driver.execute_script("return document.querySelectorAll('img, #answer b').length") == 0
    assert "taken" not in driver.title


def test_a_table_sorts_by_click_and_by_key(driver: Any) -> None:
    head = find(driver, "#table1 th:nth-child(4)")
    before = texts(driver, "#table1 tbody td:nth-child(4)")
    numbers = sorted((float(text.split()[0]) for text in before), reverse=True)
    button = head.find_element("css selector", "button")
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(text.split()[0]) for text in texts(driver, "#table1 tbody td:nth-child(4)")] == numbers
    press(button, "ENTER")
    assert head.get_attribute("aria-sort") == "ascending"
    assert [float(text.split()[0]) for text in texts(driver, "#table1 tbody td:nth-child(4)")] == numbers[
        ::-1
    ]
    press(button, "SPACE")
    assert head.get_attribute("aria-sort") == "none"
    assert texts(driver, "#table1 tbody td:nth-child(4)") == before


def test_from_a_number_down_to_a_verdict(driver: Any) -> None:
    link = find(driver, "#table1 a.cell")
    cell = str(link.get_attribute("data-arm"))
    driver.execute_script("arguments[0].click()", link)
    until(driver, lambda: json.loads(find(driver, "#first").get_attribute("value"))[0] == cell)
    assert len(tasks(driver)) == 12
    other = next(
        str(one.get_attribute("value"))
        for one in driver.find_elements("css selector", "#second option")
        if one.get_attribute("value") not in ("", find(driver, "#first").get_attribute("value"))
    )
    choose(driver, "#second", other)
    sizes = {}
    for kind in ("only", "other", "both", "neither", "yes", "no"):
        choose(driver, "#which", kind)
        sizes[kind] = len(tasks(driver))
    assert sum(sizes[kind] for kind in ("only", "other", "both", "neither")) == 12
    assert (sizes["only"] + sizes["both"], sizes["yes"] + sizes["no"]) == (sizes["yes"], 12)
    choose(driver, "#which", "no")
    first = find(driver, "#tasks button")
    first.click()
    assert texts(driver, "#answer h3") == [tasks(driver)[0]]
    assert texts(driver, "#answer .side .badge")[0] in ("wrong", "error")
    press(first, "ARROW_DOWN")
    assert driver.execute_script(
        "return document.activeElement.closest('li') === document.querySelector('#tasks li:nth-child(2)')"
    )
    choose(driver, "#which", "all")


def test_search_finds_problems_by_name(driver: Any) -> None:
    choose(driver, "#which", "all")
    find(driver, "#search").send_keys("/11")
    assert [name.rpartition("/")[2] for name in tasks(driver)] == ["11"]
    for _ in "/11":
        press(find(driver, "#search"), "BACKSPACE")
    until(driver, lambda: len(tasks(driver)) == 12)


def test_a_name_in_the_legend_switches_its_curve(driver: Any) -> None:
    count = "return document.querySelectorAll('#sweep .scatterlayer .trace').length"
    button = find(driver, "#sweep .legend button")
    whole = driver.execute_script(count)
    press(button, "ENTER")
    assert button.get_attribute("aria-pressed") == "false"
    until(driver, lambda: driver.execute_script(count) < whole)
    press(button, "ENTER")
    until(driver, lambda: driver.execute_script(count) == whole)


def test_dark_and_light(driver: Any) -> None:
    color = "return getComputedStyle(document.body).backgroundColor"
    light = driver.execute_script(color)
    find(driver, "#theme").click()
    assert find(driver, "#theme").get_attribute("aria-pressed") == "true"
    assert driver.execute_script(color) != light
    find(driver, "#theme").click()
    assert driver.execute_script(color) == light


def test_a_phone_has_no_sideways_scroll(driver: Any) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        until(driver, lambda: driver.execute_script("return window.innerWidth") == 400)
        until(driver, lambda: driver.execute_script("return document.documentElement.scrollWidth") <= 400)
    finally:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SCREEN)


def test_it_prints_on_a4_with_nothing_cut_off(driver: Any) -> None:
    width = "document.querySelector('.plot .main-svg').getAttribute('width')"
    on_screen = 400  # pixels, at least; on paper two panels are side by side
    until(driver, lambda: float(js(driver, width)) > on_screen)
    pdf, pages = printed(driver)
    assert pages >= 3
    assert b"/ToUnicode" in pdf  # text is text
    until(driver, lambda: float(js(driver, width)) > on_screen)  # the figures fill the screen again
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", A4)
    try:
        until(driver, lambda: js(driver, "innerWidth") == A4["width"])
        driver.execute_script("dispatchEvent(new Event('beforeprint'))")
        inside = "[...document.querySelectorAll('main *')].filter((one) => !one.closest('svg'))"
        ends = f"{inside}.map((one) => [one.tagName + one.className, one.getBoundingClientRect().right])"
        assert [name for name, end in js(driver, ends) if end > A4["width"]] == []
        until(driver, lambda: js(driver, f"Number({width})") < A4["width"] / 2)
        assert js(driver, "getComputedStyle(document.querySelector('nav')).display") == "none"
    finally:
        driver.execute_script("dispatchEvent(new Event('afterprint'))")
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SCREEN)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_bars_a_reader(driver: Any, dark: bool) -> None:
    if (find(driver, "#theme").get_attribute("aria-pressed") == "true") != dark:
        find(driver, "#theme").click()
    find(driver, "#tasks button").click()
    driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true;")
    assert barriers(driver) == []
    if dark:
        find(driver, "#theme").click()


def test_nothing_was_complained_of_until_the_end(driver: Any) -> None:
    assert complaints(driver) == []
