"""The pages made from code are what the code would make now."""

from pathlib import Path

import pytest

from fieldhouse.docs import PAGES, settings_page
from fieldhouse.settings import BOOT_VARIABLES, OPEN_TABLES, all_settings

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_what_the_code_says(page: str) -> None:
    made = PAGES[page]()
    assert (DOCS / page).read_text() == made, "run: python -m fieldhouse.docs"


def test_every_setting_is_documented_with_a_sentence() -> None:
    page = settings_page()
    for setting in all_settings():
        assert f"`{setting.env}`" in page
        assert len(setting.doc.split()) >= 2, f"{setting.name} says nothing of itself"
    assert all(f"`{name}`" in page for name in (*BOOT_VARIABLES, *OPEN_TABLES))


def test_no_two_settings_share_an_environment_variable() -> None:
    variables = [setting.env for setting in all_settings()]
    assert len(variables) == len(set(variables))
