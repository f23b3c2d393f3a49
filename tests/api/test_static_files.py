"""The page's files: complete, cached by their hash, and nothing in them that leaves the machine."""

import re

import httpx
import pytest

from api.static_files import load_static

FILES = load_static()
OWN = [name for name in FILES if not name.startswith("uplot/")]


async def test_a_file_is_sent_once(api: httpx.AsyncClient) -> None:
    first = await api.get("/static/page.js")
    assert first.status_code == 200
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = await api.get("/static/page.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_the_page_asks_to_be_revalidated(api: httpx.AsyncClient) -> None:
    page = await api.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["nothing.js", "../app.py", "..%2fapp.py", "uplot/LICENSE", "uplot", ""])
async def test_nothing_else_is_served(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(f"/static/{path}")
    assert answer.status_code == 404
    assert "error" in answer.json()


@pytest.mark.parametrize("name", OWN)
def test_files_name_only_files_that_are_there(name: str) -> None:
    text = FILES[name].body.decode()
    named = re.findall(r'(?:src|href)="/static/([^"]+)"', text) + re.findall(r'from "\./([^"]+)"', text)
    assert all(one in FILES for one in named), named


@pytest.mark.parametrize("name", OWN)
def test_no_file_loads_anything_from_elsewhere_or_builds_markup_from_data(name: str) -> None:
    text = FILES[name].body.decode()
    addresses = {found for found in re.findall(r"https?://[^\s\"'`)]+", text) if "www.w3.org" not in found}
    assert not {address for address in addresses if "//?" not in address and "\\/" not in address}, addresses
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert ' style="' not in text
    assert not re.search(r"\son[a-z]+=\"", text), "the page's policy allows no inline handlers"


def test_the_licence_of_what_is_bundled_lies_beside_it() -> None:
    from importlib import resources

    licence = (resources.files("api") / "static" / "uplot" / "LICENSE").read_text()
    assert "MIT" in licence
    assert b"v1.6.32" in FILES["uplot/uPlot.iife.min.js"].body[:200]
