"""What a model writes is shown as Markdown, and nothing that it writes is anything more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from tests.kit.chromium import Person
from tests.kit.models import CHAT
from tests.kit.playing import PAGE, RUN

WAIT = 30_000
"""Milliseconds."""
SAMPLE = """\
# 标题

**粗** *斜* ~~删~~ `x < y` 见 [手册](https://example.org/a?b=1&c=2)^[1]^。

1. 一
   - 甲
2. 二

| 名 | 数 |
|---|--:|
| a | 1 |

```python
def f(x: int) -> int:
    return x
```

行内 $a^2+b^2$，还有：

$$\\frac{1}{2}$$

- [x] 做完
"""


def answered(page: Page, pieces: Sequence[str], number: int = 0, *more: Any) -> Locator:
    """The text of the answer of that number, which has these pieces; `more` events come last."""

    def answer(route: Route) -> None:
        events: list[dict[str, Any]] = [
            *({"choices": [{"delta": {"content": each}}]} for each in pieces),
            *more,
        ]
        lines = [f"data: {json.dumps(each)}\n\n" for each in events]
        body = "".join([*lines, "data: [DONE]\n\n"])
        headers = {"content-type": "text/event-stream", "x-request-id": "as-test"}
        route.fulfill(body=body, headers=headers)

    page.route(f"**{RUN}", answer, times=1)
    page.get_by_role("combobox", name="模型", exact=True).select_option(CHAT)
    page.get_by_role("textbox", name="问题").fill("问")
    page.get_by_role("button", name="发送", exact=True).click()
    expect(page.locator(".answered .facts-line").nth(number)).to_be_visible(timeout=WAIT)
    return page.locator(".answered .text").nth(number)


def test_markdown_is_rendered(person: Person) -> None:
    text = answered(person.go(PAGE), [SAMPLE])
    expect(text.locator("h2")).to_have_text("标题")
    for name, said in ("strong", "粗"), ("em", "斜"), ("del", "删"), ("p code", "x < y"):
        expect(text.locator(name).first).to_have_text(said)
    link = text.get_by_role("link", name="手册")
    assert link.get_attribute("href") == "https://example.org/a?b=1&c=2"
    assert link.get_attribute("target") == "_blank"
    assert "noopener" in (link.get_attribute("rel") or "")
    expect(text.locator("ol > li")).to_have_count(2)
    expect(text.locator("td").nth(1)).to_have_css("text-align", "right")
    expect(text.locator(".code code")).to_have_text("def f(x: int) -> int:\n    return x\n")
    expect(text.locator(".hljs-keyword").first).to_have_text("def")
    expect(text.locator("math")).to_have_count(2)
    expect(text.locator("mfrac")).to_have_count(1)
    expect(text).to_contain_text("☑ 做完")
    assert person.barriers() == []
    assert person.faults == []


HOSTILE = (
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "<svg onload='window.hit = 1'><a xlink:href='javascript:window.hit=1'>x</a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hit=1>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "[x](javascript:window.hit=1) [y](JaVaScRiPt&colon;window.hit=1) [z](data:text/html,x)",
    "[x](\x01javascript:window.hit=1) <javascript:window.hit=1> [v](vbscript:x)",
    "[r]\n\n[r]: javascript:window.hit=1 'x'",
    "![x](https://evil.example/a.png) ![y](//evil.example/b.png) ![z](/console/sign-out)",
    "<style>@import url(https://evil.example/c.css)</style><link rel=stylesheet href=//e>",
    "<!-- hidden --><div hidden>x</div><form action=//e><input name=a></form>",
    "```html\n<script>window.hit = 1</script>\n```",
    '```x"><img/src=x/onerror=window.hit=1>\ny\n```',
    "$\\href{javascript:window.hit=1}{x} \\includegraphics{https://evil.example/d.png}$",
    "$$\\html{<img src=x onerror=window.hit=1>} \\url{javascript:window.hit=1}$$",
    '[a](https://a.example" onclick="window.hit=1)',
    "<a href='/console/prefer?language=en' style='position:fixed;inset:0'>x</a>",
    "| <img src=https://evil.example/e.png> |\n|---|\n| <b onclick=x>y</b> |",
)


def test_nothing_hostile_comes_through(person: Person) -> None:
    asked: list[str] = []
    person.context.on("request", lambda request: asked.append(request.url))
    bad = "script, style, svg, img, iframe, form, input, [onclick], [onerror], [style], link"
    page = person.go(PAGE)
    for number, hostile in enumerate(HOSTILE):
        text = answered(page, [hostile, "\n\n完"], number)
        expect(text).to_contain_text("完")
        for link in text.locator("a").all():
            assert (link.get_attribute("href") or "").startswith("https://"), hostile
        assert text.locator(bad).count() == 0, hostile
    page.wait_for_timeout(200)
    assert page.evaluate("window.hit") is None
    assert [url for url in asked if not url.startswith(person.url)] == []
    assert person.faults == []


def test_sources_may_come_after_what_cites_them(person: Person) -> None:
    pages = [{"index": at, "url": f"https://example.org/{at}", "title": ""} for at in (1, 2)]
    pieces = ["甲^[1][2]^。\n\n", "乙。\n\n丙^[3]^。"]
    first, both = ({"choices": [], "search_results": pages[:count]} for count in (1, 2))
    text = answered(person.go(PAGE), pieces, 0, first, both)
    expect(text.locator("sup")).to_have_text(["[1]", "[2]", "3"])
    links = [each.get_attribute("href") for each in text.locator("a").all()]
    assert links == ["https://example.org/1", "https://example.org/2"]


@pytest.mark.slow
def test_a_comment_is_seen(person: Person) -> None:
    text = answered(person.go(PAGE), ["前 <!-- 藏起来的 --> 后"])
    expect(text).to_contain_text("<!-- 藏起来的 -->")


def test_text_that_turns_its_direction_stays_within_itself(person: Person) -> None:
    text = answered(person.go(PAGE), ["`a\u202eb` \u2067x\n\nאבג 123\n\nabc"])
    expect(text).to_contain_text("a[U+202E]b [U+2067]x")
    blocks = text.locator(".block")
    expect(blocks.nth(1)).to_have_css("unicode-bidi", "isolate")
    expect(blocks.nth(1)).to_have_css("direction", "rtl")
    expect(blocks.nth(2)).to_have_css("direction", "ltr")


@pytest.mark.slow
def test_a_very_large_table_leaves_the_page_responsive(person: Person) -> None:
    rows = "".join(f"| {number} | {'x' * 90} |\n" for number in range(10_000))
    page = person.go(PAGE)
    text = answered(page, ["| a | b |\n|---|---|\n" + rows])
    assert len(rows) > 1_000_000
    expect(text.locator(".rest")).to_be_attached(timeout=WAIT)
    assert text.locator("tr").count() < 1_000
    assert text.locator(".rest").evaluate("each => each.textContent.endsWith('|\\n')")
    page.get_by_role("textbox", name="问题").fill("还能输入")
    page.get_by_role("button", name="新对话").click()
    expect(text).to_have_count(0)
    assert person.faults == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["*a " * 6000, "[" * 20_000, "`" * 20_000, "> " * 5000 + "x", "- " * 3000 + "x", "$" * 20_000,
     "<" * 20_000, "![" * 10_000, "a\\[" * 7000, "\n".join("  " * n + "- x" for n in range(200)),
     "**" + "_a" * 8000, "https://" + "a." * 9000],
    ids=range(12),
)  # fmt: skip
def test_no_text_takes_very_long(person: Person, text: str) -> None:
    page = person.go(PAGE)
    answered(page, [text])
    page.wait_for_timeout(10)
    page.get_by_role("textbox", name="问题").fill("还能输入")


@pytest.mark.parametrize("pieces", [2000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_pieces_are_work_for_as_many(person: Person, pieces: int) -> None:
    page = person.go(PAGE)
    drawn = page.evaluate(
        """async (pieces) => {
          const main = document.querySelector('script[type=module]').src;
          const { Markdown } = await import(new URL('markdown.js', main));
          let made = 0;
          const root = document.createElement('div');
          new MutationObserver((all) => { for (const each of all) made += each.addedNodes.length; })
            .observe(root, { childList: true, subtree: true });
          const markdown = new Markdown(root);
          let text = '';
          for (let piece = 0; piece < pieces; piece += 1) {
            text += piece % 10 ? '字 ' : '\\n\\n';
            markdown.update(text);
          }
          await new Promise((done) => setTimeout(done));
          return [made, root.querySelectorAll('.block').length, root.textContent.length];
        }""",
        pieces,
    )
    made, blocks, length = drawn
    assert blocks == pieces / 10
    assert length >= 1.8 * pieces
    assert made < 4 * pieces  # each piece draws its own block anew, and no other
