"""Pictures as engines are shown them: `python -m xinghe.engines.plain`.

The embedded engine's own decoders know no WEBP and no EXIF rotation, take what they cannot decode
for a video, and run where all the streams are. So it is given nothing but PNG files that were made
here, in a process that may crash. Upstreams decode most files well (argument `decodes`), but few
heed EXIF, and what is transparent becomes black, or whatever colour was hidden there.
"""

import io
import math
import sys

from PIL import Image

from xinghe.pictures import FETCHED, MAX_IMAGE_TOKENS, PATCH, PictureFile
from xinghe.pictures.pixels import decode
from xinghe.workers import serve

MOST_PIXELS = MAX_IMAGE_TOKENS * PATCH * PATCH
"""What a picture is charged as at most (the contract's "Tokens" section)."""
LEAST_SIDE = PATCH
"""Pixels: a thinner picture is padded, since some vision towers cannot take it."""
ORIENTATION = 0x0112
"""The tag of EXIF that tells how a picture is to be turned; 1: it is upright."""
COMMON = ("1", "L", "P", "RGB")
"""Pillow's names of what every decoder makes the same pixels of."""


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


def plain_if_needed(request: PictureFile) -> bytes:
    """As `plain`; nothing for a picture that is upright and opaque, of 8 bits, grey or RGB.

    Raises what Pillow raises for a damaged file.
    """
    Image.MAX_IMAGE_PIXELS = None  # `open_picture` has judged the size
    with Image.open(io.BytesIO(request.data), formats=FETCHED) as image:
        image.draft(None, (1, 1))  # a JPEG is decoded at an eighth: that it can be is enough
        image.load()
        upright = image.getexif().get(ORIENTATION, 1) == 1
        common = image.mode in COMMON and not image.has_transparency_data
    return b"" if upright and common else plain(request)


if __name__ == "__main__":
    serve(plain_if_needed if "decodes" in sys.argv else plain, PictureFile)
