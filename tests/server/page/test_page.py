"""The page in a browser: asking, sources, searching, documents; what strangers' texts can't do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect

import ragkit.server
from tests.server.page import library
from tests.server.page.browsing import Visit
from tests.server.page.library import (
    BOTH,
    EVIL,
    FOLLOW_UP,
    PAGE_OF_THE_WEB,
    QUESTION,
    SAYS,
    UNANSWERABLE,
    UNPROVEN,
)
from tests.server.serving import Running
from tests.tempico import TempicoServer, sse

PAGE = Path(ragkit.server.__file__).parent / "page"
MODULES = sorted(PAGE.glob("*.js"))
LOGIC = Path(__file__).with_name("page.test.mjs")


# --- without a browser --------------------------------------------------------------------------


def test_the_page_has_no_way_to_make_elements_of_texts() -> None:
    """Neither a script nor the page itself holds what turns text into elements or into code."""
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment"
        r"|DOMParser|srcdoc|\beval\(|new Function|setAttribute\(\"style"
    )
    for path in PAGE.iterdir():
        assert not forbidden.search(path.read_text()), path.name
    markup = (PAGE / "index.html").read_text()
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", markup)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", markup))


def test_the_page_names_no_other_host() -> None:
    """What it loads lies beside it; the one address in it names the language of its drawings."""
    for path in PAGE.iterdir():
        found = set(re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}[^\s\"'`)>]*", path.read_text()))
        assert found <= {"http://www.w3.org/2000/svg"}, path.name


def test_what_a_module_imports_is_there() -> None:
    names = {path.name for path in MODULES}
    for path in MODULES:
        text = path.read_text()
        assert set(re.findall(r'from "\./([\w.-]+)"', text)) <= names, path.name
        assert len(text.splitlines()) < 400, path.name


def test_the_logic_of_the_page(tmp_path: Path) -> None:
    """Offsets, streams, Markdown, routes and words, as page.test.mjs tests them."""
    node = shutil.which("node")
    if not node:
        pytest.skip("NOT TESTED: node is not installed")
    for path in (*MODULES, LOGIC):
        shutil.copy(path, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    command = [node, "--test", LOGIC.name]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout


# --- asking -------------------------------------------------------------------------------------


def test_an_answer_comes_sentence_by_sentence(visit: Visit, answering: TempicoServer) -> None:
    """The first stands there, proven and cited, while the second is being written."""
    answering.piece_seconds = 0.1
    page = visit.page
    page.fill("#question", BOTH)
    page.keyboard.press("Enter")
    page.wait_for_selector(".prose .cite")
    assert "4 euros" in visit.text(".prose")
    assert "saloon" not in visit.text(".prose")
    assert visit.text("#ask-button") == "Stop"
    page.wait_for_selector(".state.grounded")
    assert "saloon" in visit.text(".prose")
    assert visit.texts(".prose .cite") == ["1", "2"]
    assert "every sentence is proven" in visit.text(".state")
    assert visit.text("#ask-button") == "Ask"
    said = visit.texts("#live p")
    assert "In July and August it costs 4 euros." in said
    assert page.evaluate("location.hash").startswith("#/c/")


def test_a_citation_opens_its_quote(visit: Visit) -> None:
    """The whole document stands beside the answer, the quote marked and in view; Esc goes back."""
    visit.ask(QUESTION)
    visit.page.focus(".prose .cite")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("mark.quote")
    assert visit.text("mark.quote").startswith("Umbrellas and bags that are found on board")
    assert visit.is_in_view("mark.quote")
    assert "Opening hours" in visit.text("#panel-text")
    assert visit.evaluate("document.activeElement.closest('#panel') !== null")
    assert "Lost property" in visit.text("#panel .where")
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_selector("#panel", state="hidden")
    assert visit.evaluate("document.activeElement.className") == "cite"


def test_a_quote_after_characters_of_two_units_is_marked_exactly(visit: Visit) -> None:
    """The server counts code points, and a ship before the quote is one of them."""
    visit.ask("How much can the crane of Vesterhavn lift?")
    visit.page.click(".prose .cite")
    visit.page.wait_for_selector("mark.quote")
    assert visit.text("mark.quote") == "The crane of Vesterhavn lifts forty tonnes."


def test_a_quote_far_down_is_scrolled_to(visit: Visit) -> None:
    """What is above it is drawn as well, by and by, and doesn't move it."""
    visit.ask("Where does the archive key hang?")
    visit.page.click(".prose .cite")
    visit.page.wait_for_selector("mark.quote")
    expect(visit.page.locator(".text-section:empty")).to_have_count(0)
    visit.page.wait_for_timeout(200)
    assert visit.is_in_view("mark.quote")
    assert visit.page.locator("#panel-text h3, #panel-text [role=heading]").count() == 800


def test_a_page_of_a_pdf_is_shown_as_it_is_printed(visit: Visit) -> None:
    visit.ask("When does the night ferry sail?")
    visit.page.click(".prose .cite")
    visit.page.wait_for_selector("mark.quote")
    assert visit.text("mark.quote") == SAYS
    assert visit.text("#tab-picture") == "Page 2"
    visit.page.click("#tab-picture")
    visit.page.wait_for_selector(".picture img")
    width = visit.evaluate("document.querySelector('.picture img').naturalWidth")
    assert width > 400
    assert visit.evaluate("document.querySelector('.picture img').src").startswith("data:image/png")
    visit.page.click("[aria-label='Previous page']")
    visit.page.wait_for_selector(".picture img[alt^='Page 1 ']")


def test_removed_sentences_are_folded_with_their_reasons(visit: Visit) -> None:
    visit.ask("How long does the harbour keep an umbrella?")
    assert visit.page.locator(".state.partial").count() == 1
    assert "1887" not in visit.text(".prose")
    visit.page.click("summary:has-text('1 sentence removed')")
    assert UNPROVEN in visit.text(".removed-text")
    assert visit.texts(".fold .where")[0].startswith("Removed: ")


def test_what_the_documents_lack_comes_from_the_web_and_is_set_apart(visit: Visit) -> None:
    """Said in words; its links tell nobody where they were followed; its picture isn't loaded."""
    visit.ask(UNANSWERABLE)
    assert "not proven by your documents" in visit.text(".state.web")
    assert "From the web" in visit.text(".part.web .part-label")
    assert "It boils at 17 degrees" in visit.text(".part.web .prose")
    for place in (".part.web", ".web-sources"):
        link = visit.page.locator(f"{place} a")
        assert link.get_attribute("href") == PAGE_OF_THE_WEB
        assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    assert visit.page.locator("main img").count() == 0


def test_without_the_web_the_nearest_passages_are_shown_as_such(visit: Visit) -> None:
    visit.page.click("#ask-filters summary")
    visit.page.select_option("#ask-web", "never")
    visit.ask(UNANSWERABLE)
    assert "your documents don't hold the answer" in visit.text(".state.not_found")
    assert "come nearest" in visit.text(".nearest h3")
    visit.page.click(".nearest .passage button")
    visit.page.wait_for_selector("mark.quote")
    visit.page.keyboard.press("Escape")
    visit.page.click("text=Ask the web")
    visit.page.wait_for_selector(".turn:nth-child(2) .state.web")


def test_a_follow_up_is_of_its_conversation_which_can_be_resumed(visit: Visit) -> None:
    """Stored ones are listed, opened again at one of their answers, and deleted."""
    visit.ask(QUESTION)
    visit.ask(FOLLOW_UP)
    turn = ".turn:nth-child(2)"
    assert "lead on every deck" in visit.text(f"{turn} .prose")
    visit.page.click(f"{turn} summary:has-text('About this answer')")
    assert "Where have dogs to be on a lead?" in visit.text(f"{turn} .fold")
    visit.page.click(f"{turn} button:has-text('Copy link')")
    link = visit.evaluate("navigator.clipboard.readText()")
    visit.page.click("#new")
    assert visit.page.locator(".turn").count() == 0
    visit.page.click(f"#conversations a:has-text('{QUESTION}') >> nth=0")
    visit.page.wait_for_selector(turn)
    visit.go(link.partition("/#")[2] and "#" + link.partition("#")[2])
    visit.page.wait_for_selector(f"{turn} .state.grounded")
    assert visit.texts(".question") == [QUESTION, FOLLOW_UP]
    visit.page.hover("#conversations li >> nth=0")
    visit.page.click("#conversations li .icon-button >> nth=0")
    visit.page.click("dialog .danger")
    visit.page.wait_for_selector(".turn", state="detached")
    visit.go(link[link.index("#") :])
    visit.page.wait_for_selector(".notice.error")


def test_an_answer_can_be_stopped(visit: Visit, answering: TempicoServer) -> None:
    """What came stays, and it is said that it isn't whole."""
    answering.piece_seconds = 0.15
    visit.page.fill("#question", BOTH)
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector(".prose .cite")
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_selector(".notice.calm")
    assert "isn’t whole" in visit.text(".notice.calm")
    assert "4 euros" in visit.text(".prose")
    answering.piece_seconds = 0.0
    visit.page.click("text=Ask again")
    visit.page.wait_for_selector(".state.grounded")
    assert visit.page.locator(".turn").count() == 1


def test_a_stream_that_breaks_keeps_what_came(visit: Visit, answering: TempicoServer) -> None:
    """The server's words are shown, and the question can be asked again."""
    said = "Umbrellas and bags that are found on board are kept for ninety days [1]. And"
    broken = json.dumps({"choices": [{"index": 0, "delta": {"content": said}}]})
    answering.fail("/chat/completions", sse(f"data: {broken}\n\n"))
    visit.ask(QUESTION)
    assert "ninety days" in visit.text(".turn .prose")
    assert visit.text(".turn .notice.error strong")
    visit.page.click("text=Try again")
    visit.page.wait_for_selector(".state.grounded")


def test_an_answer_is_copied_with_its_citations(visit: Visit) -> None:
    visit.ask(QUESTION)
    visit.page.click("text=Copy as Markdown")
    visit.page.wait_for_selector(".toast.shown")
    copied = visit.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"**{QUESTION}**\n\nUmbrellas and bags")
    assert "Sources:\n\n- [1] “Umbrellas and bags" in copied
    assert "(Harbour office, Lost property, line 9, harbour.md)" in copied


def test_quotes_are_checked_again(visit: Visit, served: Running, tmp_path: Path) -> None:
    """Each is said to be current, and gone once its document is."""
    visit.page.goto(f"{visit.address}/#/documents")
    visit.drop([("beacon-two.md", "# Beacon two\n\nThe archive of beacon two holds nine lamps.\n")])
    visit.page.wait_for_selector(".upload.over")
    visit.go()
    visit.ask("How is the beacon of Skarholm painted?")
    visit.page.click("text=Check the quotes")
    visit.page.wait_for_selector(".badge.current")
    assert "still stand" in visit.text(".verified")


# --- searching ----------------------------------------------------------------------------------


def test_a_search_marks_words_takes_filters_and_opens_sources(visit: Visit) -> None:
    visit.page.click("text=Search")
    visit.page.fill("#query", "bicycle in July")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector(".passage")
    assert "bicycle" in visit.texts("mark.word")[0].lower()
    visit.page.click("#search-filters summary")
    visit.page.fill("#search-path", "harbour.md")
    visit.page.keyboard.press("Tab")
    expect(visit.page).to_have_url(re.compile("path=harbour.md"))
    expect(visit.page.locator(".passage .where:not(:has-text('harbour.md'))")).to_have_count(0)
    visit.page.click(".passage button >> nth=0")
    visit.page.wait_for_selector("mark.quote")


# --- documents ----------------------------------------------------------------------------------


def test_files_are_added_by_dropping_them_listed_and_deleted(visit: Visit) -> None:
    """Progress, success and the reason of a failure are told for each file."""
    visit.page.click("text=Documents")
    visit.page.wait_for_selector(".document")
    lamp = "# Lamp\n\nThe lamp has a lens of glass.\n"
    visit.drop([("lamp.md", lamp), ("x.exe", "MZ\0\1\2"), ("torn.pdf", "%PDF-1.4 torn")])
    visit.page.wait_for_selector(".upload:nth-child(3).over")
    expect(visit.page.locator(".upload.over")).to_have_count(3)
    first, second, third = visit.texts(".upload .where")
    assert first == "added"
    assert re.match(r"(failed|left out): \w+", second)
    assert re.match(r"failed: \w+", third)
    visit.page.fill("#documents-path", "lamp")
    expect(visit.page.locator(".document")).to_have_count(1)
    assert visit.text(".document a") == "Lamp"
    visit.page.click(".document .icon-button")
    visit.page.wait_for_selector("dialog[open]")
    visit.page.click("dialog >> text=Cancel")
    assert visit.page.locator(".document").count() == 1
    visit.page.click(".document .icon-button")
    visit.page.click("dialog .danger")
    visit.page.wait_for_selector(".document", state="detached")


def test_a_document_has_an_address(visit: Visit, served: Running) -> None:
    info = next(each for each in served.index.documents() if each.uri.endswith("ferry.md"))
    start = served.index.get(info.id).text.index("Dogs have")
    visit.go(f"#/d/{info.id}?start={start}&end={start + 9}")
    visit.page.wait_for_selector("mark.quote")
    assert visit.text("mark.quote") == "Dogs have"
    visit.page.keyboard.press("Escape")
    expect(visit.page).to_have_url(re.compile("#/documents$"))


# --- what strangers' texts can't do -------------------------------------------------------------


def test_tags_scripts_and_pictures_in_texts_stay_texts(visit: Visit) -> None:
    """In titles, names, headings, answers, quotes, snippets and uploads (Visit.check looks)."""
    visit.ask("How is the beacon of Skarholm painted?")
    assert EVIL in visit.text(".source-name")
    visit.page.click(".prose .cite")
    visit.page.wait_for_selector("mark.quote")
    assert visit.text("#panel h2").startswith(EVIL)
    assert "<script>alert(2)</script>" in visit.text("#panel-text")
    visit.page.keyboard.press("Escape")
    visit.go("#/search?q=beacon+tracker")
    visit.page.wait_for_selector(f".passage:has-text('{EVIL}')")
    visit.go("#/documents")
    visit.page.wait_for_selector(f".document:has-text('{EVIL}')")
    visit.drop([(f"{EVIL}.exe", "MZ\0\1")])
    visit.page.wait_for_selector(f".upload.over:has-text('{EVIL}')")
    visit.page.click(f".document:has-text('{EVIL}') .icon-button")
    assert EVIL in visit.text("dialog")
    visit.page.click("dialog >> text=Cancel")
    visit.go()
    visit.ask(f"{EVIL} [x](javascript:alert(1)) and the beacon of Skarholm?")
    visit.page.wait_for_selector(f"#conversations a:has-text('{EVIL}')")
    assert visit.page.locator("main img, main script, a[href^='javascript']").count() == 0
    visit.page.wait_for_timeout(300)


def test_a_hostile_answer_is_shown_as_the_text_that_it_is(visit: Visit) -> None:
    """The server would have filtered it; the page doesn't count on that."""
    stream = "".join(f"data: {json.dumps({'ragkit': event})}\n\n" for event in library.hostile())
    reply = {"body": stream, "content_type": "text/event-stream"}
    visit.page.route("**/v1/chat/completions", lambda route: route.fulfill(**reply))
    visit.ask(EVIL)
    assert visit.text(".prose").startswith(EVIL)
    for summary in visit.page.locator(".turn summary").all():
        summary.click()
    assert visit.texts(".removed-text") == [EVIL]
    visit.page.click(".source-open")
    visit.page.wait_for_selector("#panel .notice.error")
    assert visit.page.locator("main img, main b, #panel img, [href^='javascript']").count() == 0
    visit.page.wait_for_timeout(300)
