"""The process that looks at pictures: `python -m xinghe.pictures.worker`.

It stands alone because decoders and native inference may crash, hang, or take memory, and
because its work may yield to every other.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from rapidocr import RapidOCR
from rapidocr.utils.output import RapidOCROutput

from xinghe.pictures.pixels import WIDEST, decode, dominant_colours, tiles
from xinghe.pictures.reader import PictureFile, Reading
from xinghe.workers import serve, threads

CONFIDENCE = 0.6
"""Lines that the recogniser is less sure of are left out."""
LEGIBLE = 8
"""Pixels: a smaller picture has no text."""


@dataclass(frozen=True)
class Line:
    """A text with its upright bounding box in pixels."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


class TextReader:
    """PP-OCRv6 (small, Chinese and English among others) through onnxruntime."""

    def __init__(self) -> None:
        self._ocr = RapidOCR(
            params={
                "Global.text_score": CONFIDENCE,
                "Global.max_side_len": WIDEST,
                "Global.log_level": "error",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads(),
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def read(self, request: PictureFile) -> Reading:
        image, (width, height) = decode(request.data)
        lines = self._lines(image) if min(image.size) >= LEGIBLE else []
        return Reading(width, height, dominant_colours(image), tuple(in_reading_order(lines)))

    def _lines(self, image: Image.Image) -> list[Line]:
        found: list[Line] = []
        for tile in tiles(image):
            result = self._ocr(np.asarray(tile.image)[..., ::-1])  # it expects BGR
            if not isinstance(result, RapidOCROutput) or result.boxes is None or not result.txts:
                continue
            for box, text in zip(result.boxes, result.txts, strict=True):
                (left, top), (right, bottom) = box.min(axis=0), box.max(axis=0)
                line = Line(text, left, top + tile.top, right, bottom + tile.top)
                if tile.low <= line.middle < tile.high:
                    found.append(line)
        return found


def in_reading_order(lines: list[Line]) -> list[str]:
    """The texts as people read them: from top to bottom, column by column.

    What stands side by side becomes one line (recursive XY-cut, Nagy and Seth 1984). Columns are
    told from the cells of a table by their width: a row of cells is read across.
    """
    read: list[str] = []
    blocks = [sorted(lines, key=lambda line: (line.top, line.left, line.text))]
    while blocks:
        block = blocks.pop()
        halves = _columns(block) or _bands(block)
        if halves:
            blocks += [halves[1], halves[0]]
        elif block:
            read.append("  ".join(line.text for line in sorted(block, key=lambda one: one.left)))
    return read


def _columns(block: list[Line]) -> tuple[list[Line], list[Line]] | None:
    """Cut at the widest gap from top to bottom that has running text on both sides."""
    if len(block) < 4:
        return None
    letter = statistics.median(line.height for line in block)
    halves = _cut(block, lambda line: (line.left, line.right), letter)
    if halves is None:
        return None
    wide = all(
        len(half) >= 2 and statistics.median(line.right - line.left for line in half) >= 6 * letter
        for half in halves
    )
    return halves if wide else None


def _bands(block: list[Line]) -> tuple[list[Line], list[Line]] | None:
    """Cut at the widest gap from left to right; lines may touch by a third of their height."""
    return _cut(
        block, lambda line: (line.top + line.height / 6, line.bottom - line.height / 6), 0.0
    )


def _cut(
    block: list[Line], span: Callable[[Line], tuple[float, float]], least: float
) -> tuple[list[Line], list[Line]] | None:
    ordered = sorted(block, key=span)
    best, at, reached = least, 0, float("-inf")
    for number, line in enumerate(ordered):
        start, end = span(line)
        if number and start - reached > best:
            best, at = start - reached, number
        reached = max(reached, end)
    return (ordered[:at], ordered[at:]) if at else None


if __name__ == "__main__":
    serve(TextReader().read, PictureFile)
