"""The viewer's page in a real browser: step, play, keys, two in step, themes, narrow; nothing leaves it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fakes.browser import barriers, browser, complaints, open_page  # noqa: F401
from fakes.decoding import REMASKING
from xpflow.decoding import decode, settings_from
from xpflow.traces.viewer import viewer_data, viewer_page

N = 16
TEXTS = ["</script><img src=x onerror=alert(1)>", " return", "\n    ", "def", "(", "\u202ex", "\x00", "😀"]
EVIL = "</script><img src=x onerror='window.hacked=1'><b>"


@pytest.fixture(scope="module")
def page(make_model, prompts, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A page of two decodes with other numbers of forwards, full of hostile texts."""
    model, traces = make_model(seed=3, scale=2), []
    for name, values in ((REMASKING, {}), ("flow", {"budget": "1/2", "policy": "confidence:2"})):
        settings = settings_from(name, {"gen_length": N, **values})
        traces += decode(model, prompts[:1], settings, trace=True, candidates=3).trace
    datas = [
        viewer_data(trace, lambda token: TEXTS[token % len(TEXTS)], special_ids=[1], prompt=EVIL, answer=EVIL)
        for trace in traces
    ]
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(viewer_page(datas, EVIL), encoding="utf-8")
    return file, traces


@pytest.fixture(scope="module")
def four(make_model, prompts, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """A page of one prompt's answers in 2, 4, 8 and 16 forwards, and these numbers."""
    model, traces = make_model(seed=3, scale=2), []
    for budget in ("1/8", "1/4", "1/2", "1/1"):
        settings = settings_from("mask_prediction", {"gen_length": N, "budget": budget})
        traces += decode(model, prompts[:1], settings, trace=True, candidates=3).trace
    file = tmp_path_factory.mktemp("four") / "page.html"
    datas = [viewer_data(trace, lambda token: f"word{token} ", answer="x" * 80) for trace in traces]
    file.write_text(viewer_page(datas, "Four"), encoding="utf-8")
    return file, [trace.steps for trace in traces]


def js(driver: Any, code: str) -> Any:
    return driver.execute_script(f"return {code}")


def frames(driver: Any) -> list[int]:
    return [
        int(frame)
        for frame in js(driver, "[...document.querySelectorAll('.xv-pane')].map(p => p.dataset.frame)")
    ]


def at(driver: Any) -> int:
    return int(js(driver, "document.getElementById('viewer').dataset.at"))


def press(driver: Any, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def shown(driver: Any, pane: int) -> list[bool]:
    """Return which places of a pane show noise."""
    tokens = f"document.querySelectorAll('.xv-pane')[{pane}].querySelectorAll('.xv-tok')"
    found: list[bool] = js(
        driver, f"[...{tokens}].map(t => t.getAttribute('aria-label').includes(': noise'))"
    )
    return found


def test_two_decodes_are_stepped_together_by_their_forwards(browser, page) -> None:  # noqa: F811
    file, traces = page
    open_page(browser, file)
    most, least = max(one.steps for one in traces), min(one.steps for one in traces)
    assert most > least
    assert (at(browser), frames(browser)) == (most, [one.steps for one in traces])
    for step in (0, 1, least, least + 1):
        js(browser, f"xpflowViewer.seek({step})")
        assert frames(browser) == [min(step, one.steps) for one in traces]
        for number, one in enumerate(traces):
            frame = min(step, one.steps)
            wanted = one.is_open(one.tokens[frame - 1]) if frame else [True] * N
            assert shown(browser, number) == list(wanted)
    assert complaints(browser) == []


def test_a_sign_of_two_names_says_whose_they_are(browser, page) -> None:  # noqa: F811
    open_page(browser, page[0])
    key = js(browser, "[...document.querySelectorAll('.xv-legend > span')].map(e => e.textContent)")
    signs = js(browser, "[...document.querySelectorAll('.xv-legend .xv-sign')].map(e => e.textContent)")
    assert len(signs) == len(set(signs))
    assert sum(bool(re.search(r"commit \(.+\) or hard commit \(.+\)$", text)) for text in key) == 1


def test_keys_buttons_and_play(browser, page) -> None:  # noqa: F811
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    file, traces = page
    open_page(browser, file)
    most = max(one.steps for one in traces)
    press(browser, Keys.HOME)
    assert at(browser) == 0
    press(browser, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert at(browser) == 1
    press(browser, Keys.END)
    assert at(browser) == most
    browser.find_element("css selector", "[aria-label='One forward back']").click()
    assert at(browser) == most - 1
    js(browser, "document.activeElement.blur()")
    press(browser, Keys.END, Keys.SPACE)  # from the end it begins anew
    WebDriverWait(browser, 120).until(lambda driver: 2 <= at(driver) < most)
    press(browser, Keys.SPACE)
    assert browser.find_element("css selector", ".xv-play").get_attribute("aria-label") == "Play"
    stopped = at(browser)
    assert browser.execute_async_script("setTimeout(arguments[0], 1500)") is None
    assert at(browser) == stopped
    browser.find_element("css selector", ".xv-play").click()
    WebDriverWait(browser, 120).until(lambda driver: at(driver) == most)
    assert complaints(browser) == []


def test_a_token_tells_its_history_and_the_keys_walk_along_the_answer(browser, page) -> None:  # noqa: F811
    from selenium.webdriver.common.keys import Keys

    file, traces = page
    open_page(browser, file)
    browser.find_elements("css selector", ".xv-tok")[3].click()
    history = browser.find_element("css selector", ".xv-history")
    assert "Place 4" in history.text
    rows = history.find_elements("css selector", "tbody tr")
    spans = [(int(row.get_attribute("data-from")), int(row.get_attribute("data-to"))) for row in rows]
    assert [start for start, _ in spans] == [1, *(end + 1 for _, end in spans[:-1])]
    assert spans[-1][1] == traces[0].steps
    assert history.find_elements("css selector", "li"), "candidates"
    assert "commit" in history.text
    press(browser, Keys.ARROW_RIGHT)
    assert "Place 5" in history.text
    rows = history.find_elements("css selector", "tbody button")
    js(browser, "document.querySelectorAll('.xv-history tbody button')[1].click()")
    assert at(browser) == int(rows[1].text.partition("–")[0])
    assert complaints(browser) == []


def test_hostile_texts_stay_text(browser, page) -> None:  # noqa: F811
    file, _ = page
    open_page(browser, file)
    assert js(browser, "document.querySelectorAll('img, b:not(.xv-cost b)').length") == 0
    assert js(browser, "window.hacked === undefined")
    assert browser.find_element("css selector", ".xv-prompt pre").text == EVIL
    assert browser.title == EVIL
    assert "<img src=x" in browser.find_element("css selector", ".xv-text").text
    assert "\u202e" not in js(browser, "document.body.innerText")
    assert complaints(browser) == []


@pytest.mark.parametrize("scale", ["progress", "confidence"])
@pytest.mark.parametrize("dark", [False, True])
def test_every_colour_has_ink_that_can_be_read_on_it(browser, page, dark, scale) -> None:  # noqa: F811
    file, _ = page
    open_page(browser, file, dark=dark)
    browser.find_element("css selector", f"input[value={scale}]").click()
    backs = js(
        browser,
        "(() => { const probe = document.createElement('span'); document.querySelector('.xv').append(probe);"
        "return [...Array(11).keys()].map(n => { probe.dataset.l = n; const s = getComputedStyle(probe);"
        "return [s.backgroundColor, s.color].map(c => c.match(/[0-9.]+/g).slice(0, 3).map(Number)); }); })()",
    )
    shades = [light(back) for back, _ in backs]
    assert shades == sorted(shades, reverse=not dark), "one order, whatever hues an eye can see"
    for back, ink in backs:
        low, high = sorted((light(back), light(ink)))
        assert (high + 0.05) / (low + 0.05) >= 4.5
    assert (
        light(js(browser, "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)"))
        < 0.1
    ) == dark
    browser.find_element("id", "theme").click()
    assert js(browser, "document.documentElement.dataset.theme") == ("light" if dark else "dark")
    assert (
        light(js(browser, "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)"))
        < 0.1
    ) != dark
    assert complaints(browser) == []


def light(colour: list[float]) -> float:
    """Return the relative luminance of an sRGB colour (WCAG)."""
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in colour[:3])
    ]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_400_pixels_are_wide_enough(browser, page) -> None:  # noqa: F811
    file, _ = page
    open_page(browser, file, width=400)
    browser.find_elements("css selector", ".xv-tok")[3].click()
    assert js(browser, "document.documentElement.scrollWidth <= innerWidth")
    tops = js(browser, "[...document.querySelectorAll('.xv-pane')].map(p => p.getBoundingClientRect().left)")
    assert tops[0] == tops[1], "one below the other"
    assert complaints(browser) == []


def test_four_decodes_stand_side_by_side_on_a_desk_and_below_one_another_on_a_phone(browser, four) -> None:  # noqa: F811
    file, forwards = four
    corners = "[...document.querySelectorAll('.xv-pane')].map(p => p.getBoundingClientRect())"
    for width, across in ((1200, 4), (400, 1)):
        open_page(browser, file, width=width)
        for place in range(4):
            js(browser, f"document.querySelectorAll('.xv-pane')[{place}].querySelector('.xv-tok').click()")
        for step in (3, 8, 16):
            js(browser, f"xpflowViewer.seek({step})")
            assert frames(browser) == [min(step, last) for last in forwards]
        boxes = js(browser, f"{corners}.map(b => [b.left, b.top, b.right])")
        lefts, tops, rights = zip(*boxes, strict=True)
        assert (len(set(lefts)), len(set(tops))) == (across, 5 - across)
        assert max(rights) <= width
        assert js(browser, "document.documentElement.scrollWidth <= innerWidth")
        assert complaints(browser) == []


def test_everything_that_can_be_used_has_a_name(browser, page) -> None:  # noqa: F811
    file, _ = page
    open_page(browser, file)
    browser.find_elements("css selector", ".xv-tok")[0].click()
    nameless = js(
        browser,
        "[...document.querySelectorAll('button, input, select, [role=button], [role=group], [role=region]')]"
        ".filter(e => !(e.ariaLabel || e.textContent.trim() || (e.labels && e.labels.length)))"
        ".map(e => e.outerHTML)",
    )
    assert nameless == []
    assert (
        js(browser, "document.querySelectorAll('.xv-pane:first-child .xv-tok[tabindex=\"0\"]').length") == 1
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_bars_a_reader(browser, page, dark) -> None:  # noqa: F811
    file, _ = page
    open_page(browser, file, dark=dark)
    browser.find_elements("css selector", ".xv-tok")[3].click()
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true;")
    for scale in ("progress", "confidence"):
        browser.find_element("css selector", f"input[value={scale}]").click()
        assert barriers(browser) == []
