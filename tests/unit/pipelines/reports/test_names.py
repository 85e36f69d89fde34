"""Every source and table has a short name in both languages."""

from __future__ import annotations

import pytest

from data_contracts.definition.compiler import source_names, table_names
from data_contracts.definition.templates import PREFIX
from pipelines.reports.names import TEMPLATE_PREFIX, brief_source
from pipelines.reports.rendering import LANGUAGES, Language, page_texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_source_and_table_has_a_short_name(language: Language) -> None:
    texts = page_texts("passport_page", language)
    assert [name for name in source_names() if brief_source(name, texts) == name] == []
    assert [name for name in table_names() if texts.of_code("table", name) == name] == []
    assert max(len(brief_source(name, texts)) for name in source_names()) <= 26


def test_a_template_is_named_after_its_table() -> None:
    assert TEMPLATE_PREFIX == PREFIX
    assert brief_source("template_pledge", page_texts("passport_page", "en")) == "Pledges (template)"


def test_a_source_without_words_keeps_its_code() -> None:
    assert brief_source("new_source", page_texts("passport_page", "en")) == "new_source"
