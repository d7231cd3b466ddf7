"""Every number of sections 2.1–2.5, out of the source's own text."""

from __future__ import annotations

import pytest

from tests.catalog.source_tables import ChatRow, cells, chat_rows
from xinghe.catalog import MIN_OUTPUT_TOKENS, Catalog, Kind

ROWS = [row for number in ("2.1", "2.2", "2.3") for row in chat_rows(number)]


def test_source_has_19_chat_names(catalog: Catalog) -> None:
    assert len(ROWS) == 13 + 5 + 2
    assert set(catalog.of_kind(Kind.CHAT)) == {row.model for row in ROWS}
    assert len(catalog.of_kind(Kind.CHAT)) == 19


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.model)
def test_chat_row(catalog: Catalog, row: ChatRow) -> None:
    card = catalog.models[row.model]
    assert (card.kind, card.title) == (Kind.CHAT, row.title)
    assert (card.context, card.max_input) == (row.context, row.max_input)
    assert (card.output_max, card.output_default) == (row.output_max, row.output_default)
    assert card.reasoning_max == row.reasoning_max
    assert row.output_min in (None, MIN_OUTPUT_TOKENS)


@pytest.mark.parametrize("row", cells("2.4"), ids=lambda row: row[1])
def test_embedding_row(catalog: Catalog, row: list[str]) -> None:
    title, model, texts, tokens = row
    card = catalog.models[model]
    assert (card.kind, card.title) == (Kind.EMBEDDING, title)
    assert card.max_input == card.context == int(tokens)
    # The 1 of embedding-v1 is contradicted by the source's own text and sample: 16.
    assert card.max_texts == 16
    assert texts == ("1" if model == "embedding-v1" else "16")


def test_embedding_names(catalog: Catalog) -> None:
    assert set(catalog.of_kind(Kind.EMBEDDING)) == {row[1] for row in cells("2.4")}


def test_image_names(catalog: Catalog) -> None:
    assert set(catalog.of_kind(Kind.IMAGE)) == {row[0] for row in cells("2.5")}
