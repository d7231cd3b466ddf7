"""What OpenAI's clients send for images at `/v1`, brought to what the models draw."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from msgspec import Meta

from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, unsupported
from xinghe.api.images.schema import ImageRequest
from xinghe.api.validation import AnyUser, Form
from xinghe.catalog import ModelCard
from xinghe.images import DEFAULT_SIZE, default_size, sizes_of, styles

AUTO = "auto"
SIZE = (
    "宽 x 高，像素，取模型的尺寸里最接近的；或 auto。 "
    "Width x height in pixels, for which the nearest of the model's sizes is taken; or auto."
)
STYLE = "文档里的风格；vivid、natural 不起作用。 A documented style; vivid, natural have no effect."
NO_EFFECT = "不起作用。 Without effect."
WITHOUT_SAY = {"quality": (AUTO,), "moderation": (AUTO,)}
"""Fields without effect, and what they may say that needs none."""

if TYPE_CHECKING:
    AnyStyle: TypeAlias = str
    AnyForm: TypeAlias = str
    AnyBackground: TypeAlias = str
else:
    AnyStyle = Literal[*styles(), "vivid", "natural"]
    AnyForm = Literal["png", "jpeg", "webp"]
    AnyBackground = Literal["auto", "opaque", "transparent"]


class ImageRequestOpenai(ImageRequest, kw_only=True):
    """OpenAI's values beside the documented ones."""

    stream: bool | None = None
    output_format: AnyForm | None = None
    background: AnyBackground | None = None
    size: (
        Annotated[
            str,
            Meta(
                pattern=r"^(auto|[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$(?!\n)",
                description=SIZE,
                extra_json_schema={"default": DEFAULT_SIZE},
                extra={"allowed": "auto, or width x height in pixels as in 1024x1024"},
            ),
        ]
        | None
    ) = None
    style: Annotated[AnyStyle, Meta(description=STYLE)] | None = None
    quality: (
        Annotated[
            Literal["auto", "standard", "hd", "low", "medium", "high"], Meta(description=NO_EFFECT)
        ]
        | None
    ) = None
    moderation: Annotated[Literal["auto", "low"], Meta(description=NO_EFFECT)] | None = None
    user: AnyUser | None = None
    user_id: AnyUser | None = None


IMAGES: dict[Dialect, Form[ImageRequest]] = {
    Dialect.DOCUMENTED: Form(ImageRequest),
    Dialect.OPENAI: Form(ImageRequestOpenai),
}


def adapt(
    request: ImageRequestOpenai, card: ModelCard, ignored: list[str], adjusted: list[str]
) -> None:
    """Make a request of what the model draws, and list what that took. Raises `ApiError`."""
    if request.stream:
        raise _unsupported("stream", "true", "false")
    if request.background == "transparent":
        raise _unsupported("background", "'transparent'", "auto or opaque")
    for name, plain in WITHOUT_SAY.items():
        if getattr(request, name) not in (None, *plain):
            ignored.append(name)
    if request.style in ("vivid", "natural"):
        request.style = None
        ignored.append("style")
    if request.output_format not in (None, "png"):
        request.output_format = "png"
        adjusted.append("output_format=png")
    sizes = sizes_of(card)
    if request.size is not None and request.size not in sizes:
        auto = request.size == AUTO
        request.size = default_size(card) if auto else nearest_size(request.size, sizes)
        adjusted.append(f"size={request.size}")


def nearest_size(size: str, sizes: Mapping[str, tuple[int, int]]) -> str:
    """Which of the sizes is nearest by its aspect ratio, then by its area."""
    width, height = map(int, size.split("x"))

    def distance(name: str) -> tuple[float, float, int]:
        w, h = sizes[name]
        area = w * h
        return _times(w * height, width * h), _times(area, width * height), area

    return min(sizes, key=distance)


def _times(one: int, other: int) -> float:
    """How many times as large as the other the larger is."""
    return max(one, other) / min(one, other)


def _unsupported(field: str, value: str, allowed: str) -> ApiError:
    return unsupported(field, f"{field} is {value}, allowed: {allowed}")
