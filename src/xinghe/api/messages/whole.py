"""An answer in one piece, when all is done."""

import msgspec

from xinghe.api.chat.response import Accumulator
from xinghe.api.messages.layout import Layout
from xinghe.api.messages.response import (
    SIGNATURE,
    WEB_SEARCH,
    AnswerBlock,
    AnsweredMessage,
    Citation,
    MessageEnd,
    ServerToolUseBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    WebSearchResult,
    WebSearchToolResultBlock,
    WebSearchToolResultError,
    search_id,
)
from xinghe.core import FinishDelta, Source, Usage


def message(request_id: str, model: str, accumulated: Accumulator, usage: Usage) -> AnsweredMessage:
    """The message that an answer amounts to."""
    blocks = _Blocks(request_id)
    layout = Layout(blocks)
    for delta in accumulated.deltas:
        layout.take(delta)
    end = MessageEnd.by(accumulated.finish)
    return AnsweredMessage.of(request_id, model, blocks.content, end, usage)


class _Blocks:
    """Collects the blocks."""

    def __init__(self, request_id: str) -> None:
        self.content = list[AnswerBlock]()
        self._search = search_id(request_id)
        self._pieces = list[str]()

    def text(self) -> None:
        self.content.append(TextBlock(""))

    def thinking(self) -> None:
        self.content.append(ThinkingBlock("", SIGNATURE))

    def call(self, id_: str, name: str) -> None:
        self.content.append(ToolUseBlock(id_, name, {}))

    def search(self, query: str) -> None:
        self.content.append(ServerToolUseBlock(self._search, WEB_SEARCH, {"query": query}))

    def found(self, sources: tuple[Source, ...]) -> None:
        results = [WebSearchResult(each.url, each.title) for each in sources]
        self.content.append(WebSearchToolResultBlock(self._search, results))

    def failed(self) -> None:
        error = WebSearchToolResultError()
        self.content.append(WebSearchToolResultBlock(self._search, error))

    def piece(self, text: str) -> None:
        self._pieces.append(text)

    def cite(self, source: Source) -> None:
        block = self.content[-1]
        assert isinstance(block, TextBlock)
        block.citations = [*block.citations, Citation(source.url, source.title)]

    def end(self) -> None:
        said = "".join(self._pieces)
        self._pieces.clear()
        match self.content[-1]:
            case TextBlock() as block:
                block.text = said
            case ThinkingBlock() as block:
                block.thinking = said
            case ToolUseBlock() as block:
                try:
                    block.input = msgspec.json.decode(said or "{}")
                except msgspec.DecodeError:
                    # The answer ended within it: no client may take it for a call.
                    self.content.pop()

    def finish(self, _: FinishDelta) -> None: ...
