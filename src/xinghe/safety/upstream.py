"""Asks a moderation model: any OpenAI-compatible `/moderations`, or a chat model."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict

import aiohttp
import structlog

from xinghe.observe import metrics
from xinghe.outbound import AnswerTooLarge, Server, bounded
from xinghe.safety.replies import (
    UNSPECIFIED,
    UnreadableReply,
    chat_body,
    moderations_body,
    read_chat,
    read_moderations,
)
from xinghe.safety.verdict import Verdict
from xinghe.settings import SafetyFlags, SafetyUpstream

log = structlog.get_logger(__name__)

UNCHECKED = "upstream/unchecked"
"""The category of a text that could not be checked, where that refuses it."""
PIECE = 8000
"""Characters a request; longer texts are cut, and the pieces overlap."""
OVERLAP = 200
MOST_AT_ONCE = 16
MOST_REMEMBERED = 4096
"""Verdicts kept: a conversation sends its history again with every question."""
_MOST_BYTES = 256 * 1024
_FAULTS = (aiohttp.ClientError, TimeoutError, AnswerTooLarge, UnreadableReply, ValueError)

# What others call our categories.
_OURS = {
    "sexual/minors": "minors",
    "self-harm": "self_harm",
    "self-harm/intent": "self_harm",
    "self-harm/instructions": "self_harm",
    "hate/threatening": "hate",
    "violence/graphic": "violence",
}
_THEIRS = frozenset({"harassment", "harassment/threatening", "illicit", "illicit/violent"})


class Upstream:
    """A moderation model, as the operator configured it."""

    def __init__(self, settings: SafetyUpstream, flags: SafetyFlags) -> None:
        self._settings = settings
        self._ours = {name: getattr(flags, name) for name in flags.__struct_fields__}
        self._server = Server(
            settings.url,
            aiohttp.ClientTimeout(total=settings.timeout),
            key_env=settings.key_env,
            limit=MOST_AT_ONCE,
        )
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._known: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()
        self._fails = False

    async def check(self, text: str) -> Verdict | None:
        """The most severe finding. Raises nothing: `on_error` says what a fault amounts to."""
        if not text.strip():
            return None
        step = PIECE - OVERLAP
        pieces = [text[at : at + PIECE] for at in range(0, max(1, len(text) - OVERLAP), step)]
        try:
            found = await asyncio.gather(*map(self._categories, pieces))
        except _FAULTS as error:
            return self._unchecked(error)
        if self._fails:
            self._fails = False
            log.info("moderation model answers again")
        verdicts = [self._verdict(name) for names in found for name in names]
        worst = max(verdicts, key=lambda verdict: verdict.flag if verdict else 0, default=None)
        metrics.MODERATION_REQUESTS.labels("unsafe" if worst else "safe").inc()
        return worst

    async def aclose(self) -> None:
        """Close the connections; a later check opens new ones."""
        await self._server.aclose()

    async def _categories(self, text: str) -> tuple[str, ...]:
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
            return known
        async with self._room:
            found = tuple(await self._ask(text))
        self._known[key] = found
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def _ask(self, text: str) -> list[str]:
        settings = self._settings
        # Lone surrogates have no UTF-8; a server would refuse the whole text for one of them.
        text = text.encode("utf-8", "replace").decode()
        if settings.kind == "chat":
            path, read = "chat/completions", read_chat
            body = chat_body(settings.model, text, tuple(self._ours))
        else:
            path, read = "moderations", read_moderations
            body = moderations_body(settings.model, text)
        server = self._server
        async with server.session.post(
            f"{server.url}/{path}", json=body, headers=server.headers(), allow_redirects=False
        ) as answer:
            if answer.status != 200:
                raise UnreadableReply(f"it answered {answer.status}")
            return read(await bounded(answer, _MOST_BYTES))

    def _verdict(self, name: str) -> Verdict | None:
        ours = _OURS.get(name, name)
        flag = self._settings.flags.get(name, self._ours.get(ours, self._settings.flag))
        # Names come from outside, and each becomes a series of the metrics.
        known = ours in self._ours or name in _THEIRS or name in self._settings.flags
        label = name if known or name == UNSPECIFIED else "other"
        return Verdict(flag, f"upstream/{label}") if flag else None

    def _unchecked(self, error: Exception) -> Verdict | None:
        metrics.MODERATION_REQUESTS.labels("failed").inc()
        if not self._fails:  # Said once, not for every text: the metric counts them.
            self._fails = True
            log.warning(
                "moderation model fails",
                why=str(error) or type(error).__name__,
                url=self._server.url,
            )
        refuse = self._settings.on_error == "refuse"
        return Verdict(self._settings.flag, UNCHECKED) if refuse else None
