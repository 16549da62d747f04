"""A browser on the page, which notes what a page from strangers' texts must never do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), "")
PATIENCE_MS = 15_000
# What Chromium itself says of a reply that is an error; that the page says so too is tested.
_SAID_OF_REPLIES = "Failed to load resource"


@dataclass
class Visit:
    """A page in a browser, and what it did besides showing things."""

    page: Page
    address: str
    dialogs: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def go(self, hash_: str = "") -> None:
        """Open the page anew, at an address after the #."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.address}/{hash_}")

    def ask(self, question: str) -> None:
        """Ask, and wait until the answer has ended in one way or another."""
        turns = self.page.locator(".turn").count()
        self.page.fill("#question", question)
        self.page.keyboard.press("Enter")
        turn = f".turn:nth-child({turns + 1})"
        self.page.wait_for_selector(f"{turn} .actions, {turn} .notice")

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def evaluate(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)

    def is_in_view(self, selector: str) -> bool:
        """Whether something is within its scrolled surroundings, and on the screen."""
        return bool(
            self.evaluate(
                """(selector) => new Promise((resolve) => {
                  const seen = ([entry]) => { resolve(entry.intersectionRatio === 1); };
                  new IntersectionObserver(seen).observe(document.querySelector(selector));
                })""",
                selector,
            )
        )

    def drop(self, files: Sequence[tuple[str, str]]) -> None:
        """Let files, as (name, text), fall onto the page, as a desktop's file manager would."""
        made = self.page.evaluate_handle(
            """(files) => {
              const data = new DataTransfer();
              for (const [name, text] of files) data.items.add(new File([text], name));
              return data;
            }""",
            [list(each) for each in files],
        )
        self.page.dispatch_event("body", "dragover", {"dataTransfer": made})
        self.page.dispatch_event("body", "drop", {"dataTransfer": made})

    def picture(self, name: str) -> None:
        """Keep a picture of the page where RAGKIT_ARTEFACTS names a folder for it."""
        folder = os.environ.get("RAGKIT_ARTEFACTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def check(self) -> None:
        """Fail if the page opened a dialog, broke, or asked another host for anything."""
        assert self.dialogs == []
        assert self.faults == []
        elsewhere = [url for url in self.requests if not url.startswith((self.address, "data:"))]
        assert [url for url in elsewhere if url != "about:blank"] == []


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; without one what needs it is skipped, and counted as such."""
    if not CHROMIUM:
        pytest.skip("NOT TESTED: chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def visiting(
    browser: Browser, address: str, *, width: int = 1440, height: int = 900, scheme: Any = "light"
) -> Iterator[Visit]:
    """Visit a server's page in a fresh profile, and check at the end what it must never do."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    visit = Visit(page, address)

    def note(message: Any) -> None:
        if message.type in ("error", "warning") and _SAID_OF_REPLIES not in message.text:
            visit.faults.append(message.text)

    def refuse(dialog: Any) -> None:
        visit.dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("console", note)
    page.on("pageerror", lambda error: visit.faults.append(str(error)))
    page.on("dialog", refuse)
    context.on("request", lambda request: visit.requests.append(request.url))
    try:
        page.goto(f"{address}/")
        yield visit
        visit.check()
    finally:
        context.close()
