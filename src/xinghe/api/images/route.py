"""`POST /images/generations`: the way of a request for images through the rooms, in order."""

from __future__ import annotations

import base64
import time

import structlog

from xinghe.api.departure import unless_gone
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors
from xinghe.api.exchange import Exchange, read_json_object
from xinghe.api.ignored import tell_ignored
from xinghe.api.images.attempts import painted
from xinghe.api.images.price import image_tokens
from xinghe.api.images.request import ImageRequest, read_request
from xinghe.api.images.wire import ImageData, ImagesAnswer
from xinghe.api.select import select_model
from xinghe.api.services import Services
from xinghe.catalog import Kind, ModelCard
from xinghe.core import Meter
from xinghe.engines.prompts import estimated_tokens
from xinghe.images import Painter
from xinghe.observe import metrics
from xinghe.safety import notice

log = structlog.get_logger(__name__)


class ImagesRoute:
    """Validate, limit, moderate, reserve, draw, keep, settle."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, exchange: Exchange) -> None:
        server = self._services.settings.server
        body = await read_json_object(exchange, server)
        exchange.body_read_at = time.perf_counter()
        principal = exchange.require()
        name, card = select_model(body.get("model"), self._services.catalog, Kind.IMAGE, principal)
        exchange.model = name
        request = read_request(body, card, self._services.settings.images)
        painter = self._services.deployments.painter(card)
        tell_ignored(exchange, request.ignored)
        exchange.add_header("x-served-by", painter.served_by)
        # The minute's Tokens are those of text: the price of an image is no load of that kind.
        tokens = estimated_tokens(f"{request.asked.prompt}\n{request.asked.negative_prompt}")
        admission = self._services.limiter.admit(
            principal.account_id, name, rpm=card.rpm, tpm=card.tpm, qps=0, tokens=tokens
        )
        for header, value in admission.headers():
            exchange.add_header(header, value)
        try:
            await self._moderate(request)
            answer = await self._drawn(exchange, card, painter, request)
        except BaseException:
            admission.settle(0)
            raise
        admission.settle(tokens)
        await exchange.send_json(answer)

    async def _moderate(self, request: ImageRequest) -> None:
        """Raises `ApiError` (403) that names the field."""
        texts = {
            "prompt": request.asked.prompt,
            "negative_prompt": request.asked.negative_prompt,
            "user": request.user,
        }
        for field, text in texts.items():
            verdict = await self._services.moderator.review(text, "user") if text else None
            if verdict is not None:
                notice("user", verdict)
                raise ApiError(
                    Errors.USER_UNSAFE, "the content of user field is invalid", param=field
                )

    async def _drawn(
        self, exchange: Exchange, card: ModelCard, painter: Painter, request: ImageRequest
    ) -> ImagesAnswer:
        asked, meter = request.asked, Meter()
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
            images = await painted(painter, asked, request.patience, progress)
            base = exchange.origin(self._services.settings.server) if request.as_url else None
            return await self._shown(images, base)

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
