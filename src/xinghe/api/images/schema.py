"""The request and the answer of `POST /images/generations` (sections 4.2.2 and 4.2.3)."""

import secrets
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from xinghe.api.errors import ApiError, Errors, refuse
from xinghe.api.validation import ModelName, OnlyFalse, Request
from xinghe.catalog import ModelCard
from xinghe.images import (
    DEFAULT_SAMPLER,
    DEFAULT_SIZE,
    DEFAULT_STYLE,
    MAX_SEED,
    SIZES,
    ImageParams,
    default_size,
    samplers,
    sizes_of,
    styles,
)
from xinghe.settings import Images

MAX_CHARACTERS = 1024
"""Of a prompt where the model's card names no other number."""
DEFAULT_STEPS, DEFAULT_CFG_SCALE, DEFAULT_RETRIES = 20, 5.0, 1
DEFAULT_INFERENCE_STEPS, DEFAULT_GUIDANCE_SCALE = 50, 4.0
LONGEST_PAUSE = 60
"""Seconds between two tries."""

if TYPE_CHECKING:
    Sampler: TypeAlias = str
    Style: TypeAlias = str
    Form: TypeAlias = str
    Background: TypeAlias = str
else:
    Sampler = Literal[*samplers()]
    Style = Literal[*styles()]
    Form = Literal["png"]
    Background = Literal["auto", "opaque"]


def _default(value: Any, text: str) -> Meta:
    return Meta(description=text, extra_json_schema={"default": value})


def _between(low: float, high: float, text: str, **schema: Any) -> Meta:
    return Meta(ge=low, le=high, description=text, extra_json_schema=schema)


SIZE = "模型的尺寸之一，宽 x 高，像素。 One of the model's sizes, width x height in pixels."
FORMAT = "链接（7 天内有效）或 base64。 A link that lasts seven days, or base64."
NEGATIVE = "图里不要出现的内容。 What the image should not show."
SCALE = "与提示词的相关程度。 How closely it keeps to the prompt."
STEPS = "步数，用于有它的模型（如 ERNIE-Image）。 Steps, of models that have it (ERNIE-Image)."
GUIDANCE = (
    "与提示词的相关程度，用于有它的模型（如 ERNIE-Image）。 "
    "How closely it keeps to the prompt, of models that have it (ERNIE-Image)."
)
ENHANCER = (
    "是否先增强提示词，默认 true，用于有它的模型（如 ERNIE-Image）。 "
    "Whether the prompt is enhanced first; true by default; of models that have it (ERNIE-Image)."
)
SEED = "随机种子；不给时随机。 The seed; a random one if there is none."
PROMPT = "要画的内容，不能是空白。 What to show; not blank."


class ImageRequest(Request, kw_only=True):
    """`stream`, `output_format` and `background` are OpenAI's: another value is another answer."""

    model: ModelName
    stream: OnlyFalse | None = None
    output_format: Form | None = None
    background: Background | None = None
    size: (
        Annotated[
            str,
            Meta(
                description=SIZE,
                extra_json_schema={"default": DEFAULT_SIZE, "examples": [*SIZES]},
                extra={"allowed": "one of the model's sizes"},
            ),
        ]
        | None
    ) = None
    response_format: Annotated[Literal["url", "b64_json"], _default("url", FORMAT)] | None = None
    cfg_scale: Annotated[float, _between(0, 30, SCALE, default=DEFAULT_CFG_SCALE)] | None = None
    seed: Annotated[int, _between(0, MAX_SEED, SEED)] | None = None
    prompt: Annotated[
        str,
        Meta(
            description=PROMPT,
            extra_json_schema={"maxLength": MAX_CHARACTERS, "pattern": r"\S"},
            extra={"allowed": "a string that is not blank"},
        ),
    ]
    negative_prompt: (
        Annotated[str, Meta(description=NEGATIVE, extra_json_schema={"maxLength": MAX_CHARACTERS})]
        | None
    ) = None
    steps: Annotated[int, _between(10, 50, "步数。 Steps.", default=DEFAULT_STEPS)] | None = None
    sampler_index: (
        Annotated[Sampler, _default(DEFAULT_SAMPLER, "采样方式。 How it is sampled.")] | None
    ) = None
    style: Annotated[Style, _default(DEFAULT_STYLE, "风格。 The style.")] | None = None
    num_inference_steps: (
        Annotated[int, _between(1, 100, STEPS, default=DEFAULT_INFERENCE_STEPS)] | None
    ) = None
    guidance_scale: (
        Annotated[float, _between(1, 20, GUIDANCE, default=DEFAULT_GUIDANCE_SCALE)] | None
    ) = None
    use_pe: Annotated[bool, Meta(description=ENHANCER)] | None = None
    n: Annotated[int, _between(1, 4, "几张。 How many images.", default=1)] | None = None
    retry_count: (
        Annotated[int, _between(0, 10, "失败后重试几次。 Tries again.", default=DEFAULT_RETRIES)]
        | None
    ) = None
    request_timeout: Annotated[float, _between(1, 3600, "超时，秒。 In seconds.")] | None = None
    backoff_factor: (
        Annotated[
            float,
            _between(
                0,
                LONGEST_PAUSE,
                "重试前的等待，秒，逐次加倍。 Seconds before a retry, doubled each time.",
                default=0,
            ),
        ]
        | None
    ) = None


class RetryPolicy(msgspec.Struct, frozen=True):
    """How often and how long it is tried: seconds of one try, seconds before another."""

    retries: int
    timeout: float
    backoff: float

    def pause(self, failed: int) -> float:
        """Seconds to wait after `failed` tries (1, 2 …): it doubles, up to a minute."""
        return float(min(LONGEST_PAUSE, self.backoff * 2.0 ** (failed - 1)))


def retry_policy(request: ImageRequest, settings: Images) -> RetryPolicy:
    """What the request says, and the settings where it says nothing."""
    retries = request.retry_count
    return RetryPolicy(
        retries=DEFAULT_RETRIES if retries is None else retries,
        timeout=request.request_timeout or settings.request_timeout,
        backoff=request.backoff_factor or 0.0,
    )


def image_params(request: ImageRequest, card: ModelCard) -> ImageParams:
    """What is to be drawn. Raises `ApiError`."""
    if request.stream:
        raise refuse("stream", request.stream, "false")
    most = card.max_characters or MAX_CHARACTERS
    for field, text in (("prompt", request.prompt), ("negative_prompt", request.negative_prompt)):
        if text is not None and len(text) > most:
            raise ApiError(
                Errors.CHARACTERS_TOO_LONG,
                f"the max input characters is {most}, {field} has {len(text)}",
                param=field,
            )
    if not request.prompt.strip():
        raise refuse("prompt", request.prompt, "a string that is not blank")
    width, height = sizes_of(card)[request.size or default_size(card)]
    seed = request.seed
    steps, scale = request.steps or DEFAULT_STEPS, request.cfg_scale
    default_scale = DEFAULT_CFG_SCALE
    if "num_inference_steps" in card.parameters:
        steps = request.num_inference_steps or DEFAULT_INFERENCE_STEPS
    if "guidance_scale" in card.parameters:
        scale, default_scale = request.guidance_scale, DEFAULT_GUIDANCE_SCALE
    return ImageParams(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt or "",
        width=width,
        height=height,
        steps=steps,
        sampler=request.sampler_index or DEFAULT_SAMPLER,
        style=request.style or DEFAULT_STYLE,
        seed=secrets.randbelow(MAX_SEED + 1) if seed is None else seed,
        cfg_scale=default_scale if scale is None else scale,
        n=request.n or 1,
        use_pe=request.use_pe is not False,
        parameters=card.parameters,
    )


class ImageData(msgspec.Struct):
    """One image: `url`, or `b64_json`, the base64 of a PNG file."""

    index: int
    url: str | UnsetType = UNSET
    b64_json: str | UnsetType = UNSET


class ImagesAnswer(msgspec.Struct):
    """The answer; `id` at the documented mount only."""

    created: int
    data: list[ImageData]
    id: str | UnsetType = UNSET
