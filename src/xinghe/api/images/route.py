"""`POST /images/generations`: the way of a request for images through the rooms, in order."""

from __future__ import annotations

import base64

import structlog

from xinghe.api.departure import unless_gone
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors
from xinghe.api.exchange import Exchange, check_whole
from xinghe.api.images.attempts import painted
from xinghe.api.images.price import image_tokens
from xinghe.api.images.schema import (
    IMAGES,
    ImageData,
    ImageRequest,
    ImagesAnswer,
    as_asked,
    as_patience,
)
from xinghe.api.services import Services
from xinghe.api.validation import read_asked, tell_ignored
from xinghe.catalog import Kind, ModelCard
from xinghe.core import Meter
from xinghe.engines.prompts import estimated_tokens
from xinghe.images import Asked, Painter
from xinghe.observe import metrics
from xinghe.safety import notice

log = structlog.get_logger(__name__)


class ImagesRoute:
    """Validate, limit, moderate, reserve, draw, keep, settle."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, exchange: Exchange) -> None:
        server = self._services.settings.server
        catalog = self._services.catalog
        read, card = await read_asked(IMAGES, Kind.IMAGE, exchange, catalog, server)
        check_whole(exchange)
        request = read.checked()
        asked = as_asked(request, card)
        painter = self._services.deployments.painter(card)
        tell_ignored(exchange, read.ignored)
        exchange.add_header("x-served-by", painter.served_by)
        # The minute's Tokens are those of text: the price of an image is no load of that kind.
        tokens = estimated_tokens(f"{asked.prompt}\n{asked.negative_prompt}")
        admission = self._services.limiter.admit(
            exchange.require().account_id,
            exchange.model,
            rpm=card.rpm,
            tpm=card.tpm,
            qps=0,
            tokens=tokens,
        )
        for header, value in admission.headers():
            exchange.add_header(header, value)
        try:
            await self._moderate(asked, request.end_user)
            answer = await self._drawn(exchange, card, painter, asked, request)
        except BaseException:
            admission.settle(0)
            raise
        admission.settle(tokens)
        await exchange.send_json(answer)

    async def _moderate(self, asked: Asked, user: str) -> None:
        """Raises `ApiError` (403) that names the field."""
        texts = {
            "prompt": asked.prompt,
            "negative_prompt": asked.negative_prompt,
            "user": user,
        }
        for field, text in texts.items():
            verdict = await self._services.moderator.review(text, "user") if text else None
            if verdict is not None:
                notice("user", verdict)
                raise ApiError(
                    Errors.USER_UNSAFE, "the content of user field is invalid", param=field
                )

    async def _drawn(
        self,
        exchange: Exchange,
        card: ModelCard,
        painter: Painter,
        asked: Asked,
        request: ImageRequest,
    ) -> ImagesAnswer:
        settings, meter = self._services.settings, Meter()
        patience = as_patience(request, settings.images)
        most = image_tokens(asked, asked.total_steps, card.image_tokens)
        told = 0

        def progress(done: int) -> None:
            nonlocal told
            meter.started = done > 0
            meter.completion_tokens = image_tokens(asked, done, card.image_tokens)
            metrics.IMAGE_STEPS.labels(exchange.model).inc(max(0, done - told))
            told = max(done, told)
            log.debug("image_progress", done=done, steps=asked.total_steps)

        async def work() -> list[ImageData]:
            images = await painted(painter, asked, patience, progress)
            as_text = request.response_format == "b64_json"
            return await self._shown(images, None if as_text else exchange.origin(settings.server))

        async with self._services.ledger.hold(
            exchange.require(),
            request_id=exchange.request_id,
            model=exchange.model,
            rate=card.rate,
            amount=card.rate.cost(0, most),
            prompt_tokens=0,
            stream=False,
            meter=meter,
        ):
            with metrics.IMAGES_IN_FLIGHT.labels(exchange.model).track_inprogress():
                data = await unless_gone(exchange, work(), meter)
            meter.completion_tokens = most
            meter.finished = True
        metrics.TOKENS.labels(exchange.model, "completion_tokens").inc(most)
        metrics.IMAGES.labels(exchange.model).inc(asked.n)
        answer = ImagesAnswer(exchange.created, data)
        if exchange.dialect is Dialect.DOCUMENTED:
            answer.id = exchange.request_id
        return answer

    async def _shown(self, images: list[bytes], base: str | None) -> list[ImageData]:
        """With a `base` as links that begin with it, else as base64."""
        if base is None:
            return [
                ImageData(index, b64_json=base64.b64encode(image).decode("ascii"))
                for index, image in enumerate(images)
            ]
        names = list[str]()
        try:
            for image in images:
                names.append(await self._services.images.add(image))
        except BaseException:
            await self._services.images.discard(names)
            raise
        return [ImageData(index, url=f"{base}/images/{name}") for index, name in enumerate(names)]
