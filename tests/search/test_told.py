"""What a start says of web search."""

from __future__ import annotations

from xinghe.search.told import told
from xinghe.settings import Search, Settings


def test_a_password_in_the_url_of_an_instance_is_not_told() -> None:
    search = Search(provider="searxng", url="https://me:geheim@search.example:8888/xng?key=geheim")
    assert told(Settings(search=search)) == "web search: SearXNG at https://search.example:8888"
