"""Pictures as the embedded engine is shown them: `python -m xinghe.engines.llamacpp.plain`.

Its own decoders know no WEBP and no EXIF rotation, take what they cannot decode for a video, and
run where all the streams are. So it is given nothing but PNG files that were made here, in a
process that may crash.
"""

from __future__ import annotations

import io
import math
import resource

from PIL import Image

from xinghe.pictures import MAX_IMAGE_TOKENS, PATCH, PictureFile
from xinghe.pictures.pixels import decode
from xinghe.workers import serve

MEMORY = 2 * 1024**3
"""Bytes of data that the process may hold; beyond that an allocation fails."""
MOST_PIXELS = MAX_IMAGE_TOKENS * PATCH * PATCH
"""What a picture is charged as at most (the contract's "Tokens" section)."""
LEAST_SIDE = PATCH
"""Pixels: a thinner picture is padded, since some vision towers cannot take it."""


def plain(request: PictureFile) -> bytes:
    """A picture upright, opaque and of at most `MOST_PIXELS` pixels, as an RGB PNG.

    Raises what Pillow raises for a damaged file.
    """
    image, _ = decode(request.data)
    excess = image.width * image.height / MOST_PIXELS
    if excess > 1:
        factor = 1 / math.sqrt(excess)
        size = max(1, int(image.width * factor)), max(1, int(image.height * factor))
        image = image.resize(size, Image.Resampling.LANCZOS)
    if min(image.size) < LEAST_SIDE:
        ground = image.getpixel((0, 0))
        size = max(image.width, LEAST_SIDE), max(image.height, LEAST_SIDE)
        padded = Image.new("RGB", size, ground)
        padded.paste(image)
        image = padded
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def main() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    serve(plain, PictureFile)


if __name__ == "__main__":
    main()
