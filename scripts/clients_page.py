"""Writes the settings of `xinghe connect` into docs/clients.md and docs/clients.en.md.

`python -m scripts.clients_page`, after clients.toml was changed; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xinghe.catalog import built, effective, merged
from xinghe.clients import CLIENTS, PLACEHOLDER, Client, Values, filled, notes
from xinghe.settings import Settings

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- python -m scripts.clients_page -->\n", "<!-- /clients_page -->\n"
URL = "http://127.0.0.1:8000"
_NARROW = str.maketrans({"，": ",", "：": ":", "；": ";", "（": "(", "）": ")"})
"""The pages of the documentation have narrow punctuation."""


def main() -> None:
    for name, chinese in (("clients.md", True), ("clients.en.md", False)):
        page = DOCS / name
        page.write_text(renewed(page.read_text("utf-8"), chinese=chinese), "utf-8")


def renewed(text: str, *, chinese: bool) -> str:
    """A page with the settings as they are now."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return before + BEGIN + "".join(_lines(chinese=chinese)) + END + after


def _lines(*, chinese: bool) -> Iterator[str]:
    head = "程序 | 至少 | 地址 | 试过" if chinese else "program | at least | asks | tried"
    yield f"| {head} |\n|---|---|---|---|\n"
    catalog = built(merged({}), Settings())
    for client in CLIENTS:
        tried = client.tried or ("未试" if chinese else "not tried")
        asked = f"`{client.mount}`" if client.mount else ("只写主机" if chinese else "the host")
        yield f"| [{client.name}](#{_anchor(client)}) | {client.least} | {asked} | {tried} |\n"
    for client in CLIENTS:
        card = catalog.models[client.model]
        most = effective(card, catalog.deployments[card.deployment])
        values = (client.model, most.context, most.max_output)
        put = Values(URL, PLACEHOLDER, *values, built_in=True)
        said = ("" if chinese else " ").join(notes(client, put, chinese=chinese))
        yield f"\n### {client.name}\n\n{said.translate(_NARROW)}\n"
        for part in filled(client, put, chinese=chinese):
            yield f"\n`{part.place}`:\n" if part.place else ""
            yield f"\n```text\n{part.pasted}```\n"


def _anchor(client: Client) -> str:
    return client.name.lower().replace(" ", "-")


if __name__ == "__main__":
    main()
