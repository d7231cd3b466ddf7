"""Pictures in a conversation: taken in, counted, and read for engines that have no vision."""

from xinghe.pictures.opening import (
    FETCHED,
    INLINE,
    MAX_BYTES,
    PictureError,
    open_picture,
    read_data_url,
)
from xinghe.pictures.prompt import (
    MAX_IMAGE_TOKENS,
    PATCH,
    Description,
    image_tokens,
    pictures_in,
    prompt_parts,
    without_pictures,
)
from xinghe.pictures.reader import PictureFile, PictureReader
