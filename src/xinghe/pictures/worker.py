"""The process that looks at pictures: `python -m xinghe.pictures.worker`.

It stands alone because decoders and native inference may crash, hang, or take memory, and
because its work may yield to every other.
"""

from __future__ import annotations

import resource

import numpy as np
from PIL import Image
from rapidocr import RapidOCR
from rapidocr.utils.output import RapidOCROutput

from xinghe.pictures.colours import dominant_colours
from xinghe.pictures.decoding import decode
from xinghe.pictures.reading_order import Line, read
from xinghe.pictures.sight import Look, Sight
from xinghe.pictures.tiles import WIDEST, tiles
from xinghe.workers import serve, threads

MEMORY = 2 * 1024**3
"""Bytes of data that it may hold; beyond that an allocation fails."""
CONFIDENCE = 0.6
"""Lines that the recogniser is less sure of are left out."""
LEGIBLE = 8
"""Pixels: a smaller picture has no text."""


class Eye:
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

    def look(self, request: Look) -> Sight:
        image, (width, height) = decode(request.data)
        lines = self._lines(image) if min(image.size) >= LEGIBLE else []
        return Sight(width, height, dominant_colours(image), tuple(read(lines)))

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


def main() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    serve(Eye().look, Look)


if __name__ == "__main__":
    main()
