"""The page by keys alone, with keys to the server, on any screen, and for screen readers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ragkit.access_keys import AccessKeys
from ragkit.index import Index
from tests.cli.conftest import HARBOUR
from tests.server.page.browsing import Visit, visiting
from tests.server.page.library import QUESTION, UNANSWERABLE
from tests.server.serving import Running, environment, running, settings
from tests.tempico import TempicoServer

# --- keys ---------------------------------------------------------------------------------------


def test_the_page_can_be_used_by_keys_alone(visit: Visit) -> None:
    page = visit.page
    page.keyboard.press("Tab")
    assert visit.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    assert visit.evaluate("document.activeElement.id") == "question"
    page.keyboard.type("What does a bicycle cost in July,")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("and where have dogs to be on a lead?")
    page.keyboard.press("Enter")
    page.wait_for_selector(".actions")
    assert "July,\nand" in visit.text(".question")
    page.evaluate("document.activeElement.blur()")
    marker = "document.activeElement.dataset.marker"
    page.keyboard.press("j")
    assert visit.evaluate(marker) == "1"
    page.keyboard.press("ArrowRight")
    assert visit.evaluate(marker) == "2"
    page.keyboard.press("Enter")
    page.wait_for_selector("#panel h2:has-text('Ferry rules')")
    page.keyboard.press("k")  # the focus is in the panel now
    page.wait_for_selector("mark.quote:has-text('4 euros')")
    assert visit.evaluate(marker) == "1"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_selector("dialog kbd")
    page.uncheck("#single-keys")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert visit.evaluate(marker) == "1"


def test_a_server_with_keys_is_asked_with_one(
    browser: Browser, tmp_path: Path, answering: TempicoServer
) -> None:
    """The page asks for it, says when it is wrong, and keeps it until the tab is closed."""
    chosen, environ = settings(answering), environment(tmp_path, answering)
    _, secret = AccessKeys(environ).add("reader", ("read",))
    (tmp_path / "a.md").write_text("# A\n\nA note.")
    index = Index.open(tmp_path / "index.db", chosen, environ=environ)
    index.ingest(tmp_path / "a.md")
    with (
        running(tmp_path / "index.db", chosen, environ, index=index) as server,
        visiting(browser, server.address) as visit,
    ):
        visit.page.fill("#key", "wrong")
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_selector("dialog:has-text('accept this key')")
        visit.page.fill("#key", secret)
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_selector("dialog", state="detached")
        visit.go("#/documents")
        visit.page.wait_for_selector(".document")
        assert visit.page.locator("#add").is_hidden()
        assert visit.page.locator(".document .icon-button").count() == 0
        assert secret not in visit.evaluate("JSON.stringify(localStorage)")


def test_an_index_without_documents_invites_to_add_some(
    browser: Browser, tmp_path: Path, answering: TempicoServer
) -> None:
    chosen, environ = settings(answering), environment(tmp_path, answering)
    with (
        running(tmp_path / "index.db", chosen, environ) as server,
        visiting(browser, server.address) as visit,
    ):
        visit.page.wait_for_selector("h1:has-text('no documents yet')")
        visit.picture("empty")
        visit.drop([("harbour.md", HARBOUR)])
        visit.page.wait_for_selector("h1:has-text('Ask your documents')")
        visit.ask(QUESTION)
        assert "ninety days" in visit.text(".prose")


# --- how it looks, and to whom ------------------------------------------------------------------

# What reaches beyond the right edge, and isn't within something that can be scrolled sideways.
OVERFLOWING = """() => [...document.querySelectorAll("body *")].filter((part) => {
  const scrolls = (each) => /auto|scroll/.test(getComputedStyle(each).overflowX);
  for (let at = part.parentElement; at; at = at.parentElement) {
    if (scrolls(at) && at.scrollWidth > at.clientWidth && !at.matches(".view, main")) return false;
  }
  const box = part.getBoundingClientRect();
  return box.width > 1 && box.right > innerWidth + 1;
}).map((part) => part.outerHTML.slice(0, 120))"""


def opened(visit: Visit) -> Iterator[str]:
    """Bring up one view after the other."""
    visit.page.wait_for_selector("#privacy:not(:empty)", state="attached")
    yield "ask"
    visit.ask("How long does the harbour keep an umbrella?")
    yield "answer"
    visit.page.click(".prose .cite")
    visit.page.wait_for_selector("mark.quote")
    yield "source"
    visit.page.keyboard.press("Escape")
    visit.ask(UNANSWERABLE)
    yield "web"
    visit.go("#/search?q=beacon")
    visit.page.wait_for_selector("#results .passage")
    yield "search"
    visit.go("#/documents")
    visit.page.wait_for_selector(".document")
    yield "documents"
    visit.page.click(".document .icon-button >> nth=0")
    visit.page.wait_for_selector("dialog[open]")
    yield "confirmation"


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_view_is_wider_than_the_screen(
    browser: Browser, served: Running, answering: TempicoServer, width: int
) -> None:
    with visiting(browser, served.address, width=width, height=800) as visit:
        for view in opened(visit):
            visit.picture(f"{view}-{width}")
            assert visit.evaluate("document.documentElement.scrollWidth") <= width, view
            assert visit.evaluate(OVERFLOWING) == [], view


def test_on_a_narrow_screen_the_source_is_a_sheet_with_a_way_back(
    browser: Browser, served: Running, answering: TempicoServer
) -> None:
    """The browser's own way back closes it too, and what is below can't be reached meanwhile."""
    with visiting(browser, served.address, width=360, height=740) as visit:
        visit.ask(QUESTION)
        for way_back in (lambda: visit.page.click("text=Back"), visit.page.go_back):
            visit.page.click(".prose .cite")
            visit.page.wait_for_selector("mark.quote")
            assert visit.is_in_view("mark.quote")
            assert visit.evaluate("document.getElementById('main').inert")
            way_back()
            visit.page.wait_for_selector("#panel", state="hidden")
            assert visit.page.locator(".turn").count() == 1
            assert not visit.evaluate("document.getElementById('main').inert")


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from the npm registry."""
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("NOT TESTED: npm is not installed")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "pack", "--silent", "axe-core@4.14.1"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        pytest.skip(f"NOT TESTED: npm could not fetch axe-core: {done.stderr[-300:]}")
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder, filter="data")
    return (folder / "package" / "axe.min.js").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_nothing_serious_in_any_view(
    browser: Browser,
    served: Running,
    answering: TempicoServer,
    axe: str,
    scheme: str,
    width: int,
) -> None:
    """Contrast, names, roles, focus: by the rules of WCAG that a machine can check."""
    with visiting(browser, served.address, width=width, scheme=scheme) as visit:
        for view in opened(visit):
            visit.picture(f"{view}-{width}-{scheme}")
            if not visit.evaluate("'axe' in window"):
                visit.evaluate(axe)
            found = visit.evaluate("axe.run(document, {resultTypes: ['violations']})")
            serious = [
                (each["id"], each["nodes"][0]["html"])
                for each in found["violations"]
                if each["impact"] in ("serious", "critical")
            ]
            assert serious == [], view
