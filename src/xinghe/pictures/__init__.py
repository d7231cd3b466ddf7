"""Pictures in a conversation: taken in, counted, and read for engines that have no eyes."""

from xinghe.pictures.cost import image_tokens
from xinghe.pictures.data_url import read_data_url
from xinghe.pictures.errors import PictureError
from xinghe.pictures.opening import FETCHED, INLINE, MAX_BYTES, open_picture
from xinghe.pictures.prompt import pictures_in, prompt_parts, without_pictures
from xinghe.pictures.reader import Description, PictureReader

__all__ = [
    "FETCHED",
    "INLINE",
    "MAX_BYTES",
    "Description",
    "PictureError",
    "PictureReader",
    "image_tokens",
    "open_picture",
    "pictures_in",
    "prompt_parts",
    "read_data_url",
    "without_pictures",
]
