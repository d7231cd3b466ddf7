"""One small request to a deployment that is to be, by the very engine that will serve it.

Nothing is applied that did not answer it: what went wrong is said instead.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from xinghe.catalog import (
    DiffusersDeployment,
    EmbeddingDeployment,
    LlamaCppDeployment,
    UpstreamDeployment,
    UpstreamImagesDeployment,
)
from xinghe.core import (
    Busy,
    EngineRequest,
    Message,
    ReasoningDelta,
    RefusalDelta,
    Sampling,
    TextDelta,
    ToolCallDelta,
)
from xinghe.dispatch.deployments import make_embedder
from xinghe.embedding import EmbedderFailed, TextTooLong
from xinghe.engines import Engine
from xinghe.engines.protocol import EngineError
from xinghe.engines.upstream import UpstreamEngine
from xinghe.fetching import Fetcher
from xinghe.images import (
    DEFAULT_SAMPLER,
    DEFAULT_SIZE,
    DEFAULT_STYLE,
    SIZES,
    ImageEngine,
    ImageEngineError,
    ImageParams,
)
from xinghe.images.diffusion import DiffusionEngine
from xinghe.images.upstream import UpstreamImageEngine
from xinghe.outbound import CallFailed, Refused
from xinghe.outbound.replicas import Away
from xinghe.settings import Settings
from xinghe.sources.child import Loaded
from xinghe.sources.faults import told
from xinghe.sources.source import SourceError

QUESTION = "你好"
TOKENS = 16
"""The most that is generated."""
ENOUGH = 2 * TOKENS
"""Of a chain of thought, for which no bound is sent."""
STEPS, LEAST_STEPS = 1, 10
"""Of an image: as few as a model of ours draws, and as the documented API takes."""
MOST_OF_IMAGE = 64 * 1024 * 1024
MOST_SHOWN = 60
ADAPTED: dict[str, dict[str, Any]] = {
    "max_completion_tokens": {"length_field": "max_completion_tokens"},
    "stream_options": {"stream_options": False},
}
"""What a refusal speaks of, and the fields of the table that help: OpenAI's newer models want the
one, older servers do not know the other."""


class Trial(msgspec.Struct):
    """What came of it. `first_ms` is the wait for the first token, `tokens_per_second` the speed
    behind it (none where there was one alone); of vectors, their `dimensions`. All of it took
    `seconds`, of which a model file was loaded for `loading`.
    """

    seconds: float = 0.0
    loading: float = 0.0
    answer: str = ""
    tokens: int = 0
    first_ms: float | None = None
    tokens_per_second: float | None = None
    dimensions: int = 0
    adapted: dict[str, Any] = {}
    """Fields of the table without which it would not have answered."""

    @property
    def text(self) -> str:
        """What people are told of it."""
        if self.dimensions:
            return f"it made a vector of {self.dimensions} dimensions in {self.seconds:.2f} s"
        if not self.tokens:
            return f"it drew an image in {self.seconds:.1f} s"
        said = " ".join(self.answer.split())
        said = said if len(said) <= MOST_SHOWN else f"{said[:MOST_SHOWN]}…"
        loaded = f"it was loaded in {self.loading:.1f} s and " if self.loading else "it "
        speed = f", {self.tokens_per_second:.1f} tokens a second" if self.tokens_per_second else ""
        return f"{loaded}answered {said!r}: first token after {self.first_ms:.0f} ms{speed}"


async def try_upstream(
    name: str, spec: UpstreamDeployment, origin: str, key: str, limit: float
) -> Trial:
    """Ask a server's model; `key` is what no message may hold. Raises `SourceError`."""
    adapted: dict[str, Any] = {}
    for _ in range(len(ADAPTED) + 1):
        engine = UpstreamEngine(name, replace(spec, **adapted))
        try:
            trial = await _asked(engine, f"{spec.model} at {origin}", limit)
        except EngineError as error:
            fault = _call_behind(error)
            if fault is None:
                raise SourceError(f"{spec.model} at {origin} failed: {error}") from None
            if more := _adaptation(fault, adapted):
                adapted |= more
                continue
            raise told(fault, origin, spec.model, key) from None
        finally:
            await engine.aclose()
        trial.adapted = adapted
        return trial
    raise AssertionError("unreachable")


async def try_llamacpp(
    name: str, spec: LlamaCppDeployment, file: Path, settings: Settings, limit: float
) -> Trial:
    """Load a model file as the service would, and ask it. Raises `SourceError`."""
    began = time.perf_counter()
    async with Loaded(name, spec, file, settings, limit) as engine:
        loading = time.perf_counter() - began
        try:
            trial = await _asked(engine, file.name, limit)
        except EngineError as error:
            raise SourceError(f"{file.name} was loaded, and does not answer: {error}") from None
    trial.loading = round(loading, 2)
    return trial


async def try_embedder(
    name: str, spec: EmbeddingDeployment, settings: Settings, limit: float
) -> Trial:
    """Have a vector made. Raises `SourceError`, `CallFailed`."""
    began = time.perf_counter()
    embedder = make_embedder(name, spec, settings.embedding)
    try:
        async with asyncio.timeout(limit):
            vectors = await embedder.vectors([QUESTION], "text")
    except (EmbedderFailed, TextTooLong, Busy) as error:
        raise _call_behind(error) or SourceError(f"it makes no vectors: {error}") from None
    except TimeoutError:
        raise _late(limit) from None
    finally:
        await embedder.aclose()
    return Trial(round(time.perf_counter() - began, 2), dimensions=len(vectors.data[0]) // 4)


async def try_images(
    name: str,
    spec: DiffusersDeployment | UpstreamImagesDeployment,
    settings: Settings,
    limit: float,
) -> Trial:
    """Have an image drawn. Raises `SourceError`, `CallFailed`."""
    fetcher = Fetcher(settings.fetching)

    async def fetch(url: str) -> bytes:
        return (await fetcher.fetch(url, max_bytes=MOST_OF_IMAGE, timeout=limit)).data

    width, height = SIZES[DEFAULT_SIZE]
    params = ImageParams(
        prompt="a cat",
        negative_prompt="",
        width=width,
        height=height,
        steps=STEPS if isinstance(spec, DiffusersDeployment) else LEAST_STEPS,
        sampler=DEFAULT_SAMPLER,
        style=DEFAULT_STYLE,
        seed=1,
        cfg_scale=5.0,
        n=1,
    )
    began = time.perf_counter()
    engine: ImageEngine
    if isinstance(spec, DiffusersDeployment):
        engine = DiffusionEngine(name, spec, settings)
    else:
        engine = UpstreamImageEngine(name, spec, fetch)
    try:
        async with asyncio.timeout(limit):
            await engine.generate(params, lambda _: None)
    except (ImageEngineError, Busy) as error:
        raise _call_behind(error) or SourceError(f"it draws no image: {error}") from None
    except TimeoutError:
        raise _late(limit) from None
    finally:
        await engine.aclose()
        await fetcher.aclose()
    return Trial(round(time.perf_counter() - began, 2))


async def _asked(engine: Engine, shown: str, limit: float) -> Trial:
    """Raises `EngineError`, `SourceError`. A model that thinks first may not come to its end."""
    began = time.perf_counter()
    trial, first, last = Trial(), 0.0, 0.0
    try:
        async with asyncio.timeout(limit):
            prompt = await engine.prepare([Message("user", QUESTION)])
            request = EngineRequest("trial", prompt, Sampling(), TOKENS)
            async with aclosing(engine.generate(request)) as batches:
                async for batch in batches:
                    for delta in batch.deltas:
                        if isinstance(
                            delta, TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta
                        ):
                            first, last = first or batch.arrived, batch.arrived
                            trial.tokens += max(1, delta.tokens)
                            trial.answer += getattr(delta, "text", "")
                    if trial.tokens >= ENOUGH:
                        break
    except TimeoutError:
        if not first:
            raise SourceError(
                f"{shown} did not answer within {limit:g} s (--try-timeout)"
            ) from None
    if not first:
        raise SourceError(f"{shown} answered a small request with no text at all")
    trial.seconds = round(time.perf_counter() - began, 2)
    trial.first_ms = round((first - began) * 1000, 1)
    if trial.tokens > 1 and last > first:
        trial.tokens_per_second = round((trial.tokens - 1) / (last - first), 2)
    return trial


def _adaptation(fault: CallFailed, adapted: dict[str, Any]) -> dict[str, Any]:
    """What of the table to change for another try, if the server says so."""
    if isinstance(fault, Refused) and fault.status in {400, 422}:
        for word, fields in ADAPTED.items():
            if word in fault.said and fields.items() - adapted.items():
                return fields
    return {}


def _call_behind(error: BaseException) -> CallFailed | None:
    """The fault of the call that an engine's error came from.

    That a server is away is only what was concluded from one.
    """
    away: CallFailed | None = None
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, Away):
            away = seen
        elif isinstance(seen, CallFailed):
            return seen
        seen = seen.__cause__ or seen.__context__
    return away


def _late(limit: float) -> SourceError:
    return SourceError(f"it did not answer within {limit:g} s (--try-timeout)")
