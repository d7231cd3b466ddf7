"""What is wrong with a picture."""

from __future__ import annotations


class PictureError(Exception):
    """The picture is not accepted; the message names what it is and what it may be."""
