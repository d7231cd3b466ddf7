"""The pages hang together: links lead somewhere, and both languages say the same."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ALL, CHINESE, ROOT, Page, codes, page


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_links_lead_somewhere(each: Page) -> None:
    for link in each.links:
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = Page((each.path.parent / file).resolve() if file else each.path)
        assert target.path.is_file(), link
        assert target.path.is_relative_to(ROOT), link
        if anchor:
            assert anchor in target.anchors, link


@pytest.mark.parametrize("chinese", CHINESE, ids=lambda each: each.name)
def test_both_languages_have_the_same_parts(chinese: Page) -> None:
    english = chinese.translation
    assert [level for level, _ in chinese.headings] == [level for level, _ in english.headings]
    assert [len(table) for table in chinese.tables] == [len(table) for table in english.tables]
    # Drawings are prose, in blocks of `text`; what is pasted and what it prints is the same.
    assert [block.language for block in chinese.blocks] == [
        block.language for block in english.blocks
    ]
    pasted = [block for block in chinese.blocks if block.language != "text"]
    assert pasted == [block for block in english.blocks if block.language != "text"]


def test_every_english_page_has_a_chinese_one() -> None:
    english = {path.name for path in (ROOT / "docs").glob("*.en.md")}
    assert english == {page.translation.path.name for page in CHINESE} - {"README.en.md"}


def test_the_files_that_a_contributor_is_sent_to_are_there() -> None:
    told = codes(page("CONTRIBUTING.md").prose)
    files = [code for code in told if re.fullmatch(r"\w[\w.]*(/[\w.]*)+", code)]
    assert len(files) > 30
    for file in files:
        assert any((start / file).exists() for start in (ROOT, ROOT / "src" / "xinghe")), file


@pytest.mark.parametrize("name", ["docs/architecture.md", "docs/architecture.en.md"])
def test_the_house_is_as_its_page_tells(name: str) -> None:
    """The files of the way, the walks and the folders are there, with the names told of them."""
    told = page(name)
    source = ROOT / "src" / "xinghe"
    way = told.blocks[0].text
    for place in re.findall(r"[→←] ([a-z]+(?:/[a-z]+)?)", way):
        found = source / place
        assert found.is_dir() or found.with_suffix(".py").is_file() or "prepare" in place, place
    walks, folders = told.tables
    for walk in walks:
        for step in walk[1:]:
            file, *names = sorted(codes(step), key=lambda code: "/" not in code)
            text = (source / file).read_text("utf-8")
            assert all(part in text for name in names for part in name.split(".")), step
    for row in folders:
        for place in codes(row[0]):
            assert (source / place).exists(), place
