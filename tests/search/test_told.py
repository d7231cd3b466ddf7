"""What a start says of web search."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from xinghe.search.corpus import DOCUMENTATION, Corpus
from xinghe.search.told import told
from xinghe.settings import Search, Settings


def test_a_password_in_the_url_of_an_instance_is_not_told() -> None:
    search = Search(provider="searxng", url="https://me:geheim@search.example:8888/xng?key=geheim")
    assert told(Settings(search=search)) == "web search: SearXNG at https://search.example:8888"
    chinese = told(Settings(search=search), chinese=True)
    assert chinese == "联网搜索：SearXNG，https://search.example:8888"


@pytest.mark.parametrize(
    ("chinese", "line"),
    [
        (True, "联网搜索：离线，本文档（正在索引）（"),
        (False, "offline, this documentation (being indexed) ("),
    ],
)
def test_an_index_that_is_not_made_yet_is_no_empty_one(
    tmp_path: Path, chinese: bool, line: str
) -> None:
    with closing(Corpus.open(tmp_path)) as corpus:
        corpus.put_collection(DOCUMENTATION, public=True, url="")
    assert line in told(Settings(data=str(tmp_path)), chinese=chinese)
