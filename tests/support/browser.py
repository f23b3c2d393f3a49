"""A real Chromium that can reach nothing but this machine."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect, sync_playwright

expect.set_options(timeout=60_000)  # milliseconds, however busy the machine is

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@dataclass
class Visit:
    """An open page, and what happened on it.

    Attributes:
        complaints: console errors and warnings, uncaught exceptions.
        hosts: hosts that the page asked anything of.
        failures: requests that were not answered, or with an error.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self._complain(said.type, said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or request.url))
        self.page.on("requestfailed", lambda request: self.failures.append(request.url))
        self.page.on(
            "response", lambda got: self.failures.append(f"{got.status} {got.url}") if got.status >= 400 else None
        )

    def painted(self, selector: str) -> int:
        """How many pixels of the canvases below an element are not transparent."""
        count: int = self.page.evaluate(
            """selector => [...document.querySelectorAll(`${selector} canvas`)].reduce((sum, canvas) => {
                 const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
                 let painted = 0;
                 for (let place = 3; place < data.length; place += 4) if (data[place] > 0) painted += 1;
                 return sum + painted;
               }, 0)""",
            selector,
        )
        return count

    def _complain(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a profile of its own, gone afterwards."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(ARGUMENTS), env={"HOME": home, "PATH": "/usr/bin:/bin"}
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(
    browser: Browser, url: str, *, scheme: Literal["light", "dark"] = "light", width: int = 1280, **context: Any
) -> Iterator[Visit]:
    """A page in a context of its own."""
    opened = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **context)
    opened.set_default_timeout(90_000)
    try:
        visited = Visit(opened.new_page())
        visited.page.goto(url)
        yield visited
    finally:
        opened.close()
