"""`POST /images/generations`: what images are, cost and do; `priced` does the rest."""

import asyncio
import base64

import msgspec
import structlog
from msgspec.structs import asdict

from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors
from xinghe.api.exchange import Exchange
from xinghe.api.images.of_model import keep_to_model
from xinghe.api.images.openai import IMAGES, ImageRequestOpenai, adapt
from xinghe.api.images.schema import (
    ImageData,
    ImageRequest,
    ImagesAnswer,
    image_params,
    retry_policy,
)
from xinghe.api.priced import Prepared, Services, charged
from xinghe.api.validation import parse_request, tell_adjusted, tell_ignored
from xinghe.catalog import Kind, ModelCard
from xinghe.core import Usage
from xinghe.dispatch import CANNOT_SERVE, Chain
from xinghe.engines.prompts import estimated_tokens
from xinghe.images import (
    ImageEngine,
    ImageEngineFailed,
    ImageEngineIndebted,
    ImageEngineRefused,
    ImageEngineUnavailable,
    ImageParams,
    abilities_for,
)
from xinghe.observe import metrics
from xinghe.outbound import tries
from xinghe.safety import notice

log = structlog.get_logger(__name__)

PIXELS, STEPS = 1024 * 1024, 20
"""What a card's `image_tokens` is the price of."""


class ImagesRoute(msgspec.Struct):
    """Reads what is to be drawn, and sends the images or their URLs."""

    services: Services

    async def __call__(self, exchange: Exchange) -> None:
        services = self.services
        live, server = services.live, services.settings.server
        form = IMAGES[exchange.dialect]
        read, card = await parse_request(form, Kind.IMAGE, exchange, live, server)
        passed_over = keep_to_model(read, card, exchange.model, exchange.dialect)
        request, ignored, adjusted = read.checked({}), [*read.ignored, *passed_over], list[str]()
        if isinstance(request, ImageRequestOpenai):
            adapt(request, card, ignored, adjusted)
        engine = exchange.serving.deployments.image_engine(card)
        if request.use_pe is not None and "use_pe" in engine.abilities:
            ignored.append("use_pe")
        params = image_params(request, card)
        if ignored:
            tell_ignored(exchange, form, ignored)
        if adjusted:
            tell_adjusted(exchange, adjusted)
        drawing = _Drawing(services, exchange, card, request, params)
        data = await charged(services, exchange, drawing)
        metrics.IMAGES.labels(exchange.model).inc(params.n)
        answer = ImagesAnswer(exchange.created, data)
        if exchange.dialect is Dialect.DOCUMENTED:
            answer.id = exchange.request_id
        await exchange.send_json(answer)


class _Drawing:
    """The images of one request, as `priced.Work` describes them."""

    counts: tuple[str, ...] = ("completion_tokens",)
    stream = False

    def __init__(
        self,
        services: Services,
        exchange: Exchange,
        card: ModelCard,
        request: ImageRequest,
        params: ImageParams,
    ) -> None:
        self.card = card
        # The minute's Tokens are those of text: the price of an image is no load of that kind.
        self.tokens = estimated_tokens(f"{params.prompt}\n{params.negative_prompt}")
        self.usage = Usage()
        self._services = services
        self._exchange = exchange
        self._request = request
        self._params = params
        self._chain = Chain(exchange.model, exchange.serving.deployments.image_engines(card))
        self._retry_policy = retry_policy(request, services.settings.images)
        self._told = 0
        self._tell()

    @property
    def used(self) -> int:
        return self.tokens if self.usage.finished else 0

    @property
    def by_own(self) -> bool:
        return self._chain.now is self._chain.own

    async def prepare(self) -> Prepared[list[ImageData]]:
        """Moderate the prompts and the user's id. Raises `ApiError` (403) that names the field."""
        texts = {
            "prompt": self._params.prompt,
            "negative_prompt": self._params.negative_prompt,
            "user": self._request.end_user,
        }
        verdicts = await self._services.moderator.review(
            [(each, "user") for each in texts.values()]
        )
        for field, verdict in zip(texts, verdicts, strict=True):
            if verdict is not None:
                notice("user", verdict)
                raise _unsafe(field)
        return Prepared(self._draw, self.card.rate.cost(0, self._cost(self._params.total_steps)))

    async def _draw(self) -> list[ImageData]:
        """Draw, and keep what is asked for as a URL."""
        with metrics.IMAGES_IN_FLIGHT.labels(self._exchange.model).track_inprogress():
            data = await self._shown(await self._drawn())
        self.usage.completion_tokens = self._cost(self._params.total_steps)
        self.usage.finished = True
        return data

    def _cost(self, steps: int) -> int:
        """Output tokens for `steps` of all steps: in proportion to pixels × steps, rounded up."""
        pixels = self._params.width * self._params.height
        return -(-self.card.image_tokens * pixels * steps // (PIXELS * STEPS))

    def _progress(self, done: int) -> None:
        self.usage.started = done > 0
        self.usage.completion_tokens = self._cost(done)
        metrics.IMAGE_STEPS.labels(self._exchange.model).inc(max(0, done - self._told))
        self._told = max(done, self._told)
        self._exchange.tell_progress(done, self._params.total_steps)
        log.debug("image_progress", done=done, steps=self._params.total_steps)

    async def _drawn(self) -> list[bytes]:
        """The images, by the first deployment that can draw them. Raises as `_generated` does."""
        while True:
            try:
                return await self._generated(self._chain.now)
            except CANNOT_SERVE as fault:
                self.usage.started, self.usage.completion_tokens, self._told = False, 0, 0
                self._chain.after(fault, self._fits)
                self._tell()

    def _fits(self, other: ImageEngine) -> bool:
        """Whether all that was sent has the effect there that it has on the model's own.

        A seed has not: it promises the same image again.
        """
        if self._request.seed is not None:
            return False
        sent = {name for name, value in asdict(self._request).items() if value is not None}
        theirs, own = (abilities_for(self.card, each).keys() for each in (other, self._chain.own))
        return not sent & (theirs - own)

    def _tell(self) -> None:
        self._exchange.set_header("x-served-by", self._chain.now.served_by)

    async def _generated(self, engine: ImageEngine) -> list[bytes]:
        """The images, tried as often and as long as the request says (section 4.2.2).

        Raises `ImageEngineError`, and `ApiError` (408) where every try took too long.
        """
        policy = self._retry_policy
        pauses = [policy.pause(failed) for failed in range(1, policy.retries + 1)]
        try:
            for one in tries(pauses, (ImageEngineFailed, TimeoutError), self._failed):
                async with one, asyncio.timeout(policy.timeout):
                    return await engine.generate(self._params, self._progress)
        except ImageEngineRefused as error:
            log.info("prompt_unsafe", served_by=engine.served_by, error=str(error))
            raise _unsafe("prompt") from None
        except ImageEngineIndebted:
            raise
        except ImageEngineUnavailable as error:
            log.error("image_unavailable", served_by=engine.served_by, error=str(error))
            raise
        raise AssertionError("unreachable")

    def _failed(self, error: Exception, pause: float | None) -> None:
        served_by, policy = self._chain.now.served_by, self._retry_policy
        if isinstance(error, ImageEngineFailed):
            log.warning("image_failed", served_by=served_by, error=str(error), retry=pause)
            return
        log.warning("image_timed_out", served_by=served_by, retry=pause)
        if pause is None:
            raise ApiError(
                Errors.REQUEST_TIMEOUT,
                f"the images were not ready within request_timeout = {policy.timeout:g} s, after "
                f"{policy.retries} retries; fewer steps, fewer pixels or a longer request_timeout "
                "help",
                param="request_timeout",
            ) from None

    async def _shown(self, images: list[bytes]) -> list[ImageData]:
        """As base64, or as links to where they are kept."""
        if self._request.response_format == "b64_json":
            return [
                ImageData(index, b64_json=base64.b64encode(image).decode("ascii"))
                for index, image in enumerate(images)
            ]
        base = self._exchange.origin(self._services.settings.server)
        names = list[str]()
        try:
            for image in images:
                names.append(await self._services.images.add(image))
        except BaseException:
            await self._services.images.discard(names)
            raise
        return [ImageData(index, url=f"{base}/images/{name}") for index, name in enumerate(names)]


def _unsafe(field: str) -> ApiError:
    return ApiError(Errors.USER_UNSAFE, "the content of user field is invalid", param=field)
