from pathlib import Path

import pytest

from collector.catalogue import CATALOGUE
from forewarn.config import Config, fields_of, model_in
from forewarn.reference import PAGES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_what_is_made_now(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == PAGES[name](), "run 'make docs'"


def test_every_metric_is_documented() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert [name for name in CATALOGUE if f"`{name}`" not in text] == []


def test_every_key_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    keys = [key.replace("[]", "") for key, field in fields_of(Config) if model_in(field.annotation) is None]
    assert [key for key in keys if f"`{key.replace('for_', 'for')}`" not in text] == []


def test_every_command_is_in_the_readme() -> None:
    from forewarn.cli.app import app

    readme = (ROOT / "README.md").read_text()
    names = [each.name or each.callback.__name__ for each in app.registered_commands if each.callback]
    names += [group.name for group in app.registered_groups if group.name]
    assert [name for name in names if f"forewarn {name}" not in readme] == []
