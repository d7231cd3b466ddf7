"""What an image server answered, opened: `python -m xinghe.images.unpacking`.

Base64 of megabytes and strangers' picture formats take long and may crash, so this stands alone.
"""

import base64
import io

import msgspec
from PIL import Image

from xinghe.images.unpacked import Unpack, Unpacked
from xinghe.workers import serve

FORMATS = ["PNG", "JPEG", "WEBP"]


class _Item(msgspec.Struct):
    b64_json: str | None = None
    url: str | None = None


class _First(msgspec.Struct, array_like=True):
    """One image is asked for; further ones are skipped."""

    item: _Item | None = None


class _Answer(msgspec.Struct):
    data: _First


class _Unusable(Exception):
    """The message says why, in our own words."""


def unpack(request: Unpack) -> Unpacked:
    """Raises nothing: the text of what would be raised may quote the answer."""
    try:
        if not request.file:
            item = msgspec.json.decode(request.answer, type=_Answer).data.item
            if item is None:
                raise _Unusable("the answer has no image")
            said = item.b64_json or item.url
            if not said:
                raise _Unusable("the answer has neither b64_json nor url")
            # Some send a data URL in the one or the other, some in lines.
            head, is_data, data = said.partition(";base64,")
            if not (item.b64_json or (is_data and head.startswith("data:"))):
                return Unpacked(url=said)
            plain = "".join((data if is_data else said).split())
            request = msgspec.structs.replace(request, file=base64.b64decode(plain, validate=True))
        return Unpacked(png=_png(request))
    except _Unusable as error:
        return Unpacked(fault=str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Unpacked(fault="upstream's answer has not the documented form")
    except Exception as error:
        return Unpacked(fault=f"the answer is no image: {type(error).__name__}")


def _png(request: Unpack) -> bytes:
    with Image.open(io.BytesIO(request.file), formats=FORMATS) as image:
        if image.size != (request.width, request.height):
            raise _Unusable(f"an image of {image.size} pixels for one of another size")
        image.load()
        if image.format == "PNG":
            return request.file
        file = io.BytesIO()
        image.convert("RGB").save(file, "PNG")
        return file.getvalue()


if __name__ == "__main__":
    serve(unpack, Unpack)
