"""The pages in a real headless Chromium: no errors, no requests, no sideways scrolling, and what is pressed works."""

from __future__ import annotations

from pathlib import Path

import pytest

from interpose_ros.evaluation.report.write import write_comparison, write_report

from .browser import WHAT_IS_MISSING, Browser, executable
from .made_up_run import write_run

pytestmark = pytest.mark.skipif(executable() is None, reason=WHAT_IS_MISSING)

PHONE, DESKTOP = (390, 844), (1280, 900)
HEADERS = "[...document.querySelectorAll('#pairs th')].map(h => h.textContent)"
COLUMN = "[...document.querySelectorAll('#pairs tr[data-pair]')].map(r => r.children[{}].textContent)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    return write_report(write_run(tmp_path_factory.mktemp("page") / "run", pairs=130, protocol="scannet-50-65"))


@pytest.fixture(scope="module")
def comparison(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    first, second = (write_run(folder / name, pairs=60, seed=seed) for seed, name in enumerate(("one", "two")))
    write_comparison(first, second, folder / "both.html")
    return folder / "both.html"


@pytest.fixture
def opened(browser, report) -> Browser:
    browser.open(report, *DESKTOP)
    return browser


def column(browser: Browser, title: str) -> list[str]:
    """Texts of a column of the table of pairs."""
    number = browser.run(HEADERS).index(title)
    return browser.run(COLUMN.format(number))


def sort_by(browser: Browser, title: str) -> None:
    """Press the head of a column."""
    number = browser.run(HEADERS).index(title)
    browser.press(f"#pairs th:nth-child({number + 1}) button")


@pytest.mark.parametrize("page", ["report", "comparison"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_loads_alone_without_errors_and_fits(browser, page, size, dark, request):
    path = request.getfixturevalue(page)
    browser.open(path, *size, dark=dark)
    assert browser.run("document.querySelectorAll('h2').length") >= 3
    assert browser.complaints() == []
    assert browser.requests() == [path.resolve().as_uri()]
    wide, window = browser.run("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= window == size[0]
    ground = browser.run("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == ("rgb(20, 23, 28)" if dark else "rgb(255, 255, 255)")


def test_names_from_outside_stay_text(opened):
    assert opened.run("document.title") == "made up: relative poses"
    assert opened.run("document.querySelectorAll('img[src=x]').length") == 0
    assert any("<img src=x" in scene for scene in column(opened, "scene"))


def test_sorting_goes_up_and_down_with_what_is_missing_last(opened):
    def errors() -> list[float | None]:
        return [None if text == "–" else float(text.rstrip("°")) for text in column(opened, "rotation error")]

    opened.press(".more")
    sort_by(opened, "rotation error")
    rising = errors()
    known = [e for e in rising if e is not None]
    assert len(rising) == 130
    assert known == sorted(known)
    assert rising[: len(known)] == known
    sort_by(opened, "rotation error")
    assert [e for e in errors() if e is not None] == known[::-1]
    assert errors()[-1] is None
    number = opened.run(HEADERS).index("rotation error")
    assert opened.run(f"document.querySelectorAll('#pairs th')[{number}].getAttribute('aria-sort')") == "descending"


def test_filters_leave_what_they_say(opened):
    opened.run(
        "(() => { const s = document.getElementById('outcome'); s.value = 'refused'; "
        "s.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )
    assert set(column(opened, "outcome")) == {"refused"}
    refused = len(column(opened, "outcome"))
    assert 0 < refused < 130
    opened.run(
        "(() => { const s = document.getElementById('search'); s.value = 'PLACE 3'; "
        "s.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    assert set(column(opened, "scene")) == {"place 3"}
    assert opened.run("document.querySelector('#pairs [role=status]').textContent") == (
        f"{len(column(opened, 'scene'))} of 130 pairs"
    )
    assert len(column(opened, "scene")) < refused


def test_a_long_table_comes_in_parts(opened):
    assert len(column(opened, "pair")) == 100
    opened.press(".more")
    assert len(column(opened, "pair")) == 130
    assert opened.run("document.querySelector('.more').hidden")


def test_a_row_opens_to_pictures_matches_and_hypotheses(opened):
    opened.press("[data-pair='1'] button")
    assert opened.run("document.querySelectorAll('.details .couple image').length") == 2
    assert opened.run("document.querySelectorAll('.details .couple line').length") == 2
    assert opened.run("document.querySelectorAll('.details .strip img').length") == 3
    told = opened.run("document.querySelector('.details').textContent")
    assert "features (the answer)" in told
    assert "recorded, real, forward, c0ffee" in told
    assert "no matches <b>at all</b>" in told
    assert opened.run("document.querySelector(\"[data-pair='1'] button\").getAttribute('aria-expanded')") == "true"
    opened.press("[data-pair='1'] button")
    assert opened.run("document.querySelectorAll('.details').length") == 0


def test_pictures_are_shown(opened):
    loaded = "[...document.querySelectorAll('.thumbs img')].slice(0, 6).every(i => i.complete && i.naturalWidth > 50)"
    opened.run("document.querySelector('.thumbs').scrollIntoView()")
    assert opened.run(f"new Promise(d => {{ const t = () => ({loaded}) ? d(true) : setTimeout(t, 20); t(); }})")


def test_series_can_be_switched_off(opened):
    dots = "document.querySelectorAll('figure')[0].querySelectorAll('circle').length"
    before = opened.run(dots)
    opened.press("figure .legend button")
    after = opened.run(dots)
    assert 0 < after < before
    assert opened.run("document.querySelector('figure .legend button').getAttribute('aria-pressed')") == "false"
    opened.press("figure .legend button")
    assert opened.run(dots) == before


def test_a_mark_explains_itself_and_leads_to_its_pair(opened):
    opened.hover("figure circle")
    tip = opened.run("(t => [t.hidden, t.textContent])(document.querySelector('figure .tip'))")
    assert tip[0] is False
    assert "rotation error" in tip[1]
    opened.press("figure circle")
    assert opened.run("document.querySelectorAll('.details').length") == 1
    assert f"pair {opened.run('document.querySelector(`.chosen`).dataset.pair')}," in tip[1]


def test_published_figures_are_on_the_page(opened):
    assert "Published figures for scannet-50-65" in opened.run("document.body.textContent")
    assert "21.3°" in opened.run("document.body.textContent")


def test_where_two_runs_differ(browser, comparison):
    browser.open(comparison, *DESKTOP)
    rows = "document.querySelectorAll('tr[data-pair]').length"
    every = browser.run(rows)
    browser.press("#changed")
    assert every == 60
    assert 0 < browser.run(rows) < every
    assert "no difference shown" in browser.run("document.body.textContent")


def test_paper_shows_everything(opened, tmp_path):
    printed = opened.call("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 20_000
