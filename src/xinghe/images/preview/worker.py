"""The process that composes previews: `python -m xinghe.images.preview.worker`.

It stands alone so that drawing takes no time from the event loop, and yields to chat.
"""

from __future__ import annotations

from xinghe.images.preview.canvas import picture, png
from xinghe.images.preview.messages import PERCENT
from xinghe.images.preview.reading import compose
from xinghe.images.protocol import ImageParams
from xinghe.workers import Job, serve_jobs


def draw(params: ImageParams, job: Job) -> list[bytes]:
    """PNG files, one a seed. Ends between two stages when nobody waits any more."""
    composition = compose(params)
    files = []
    for number, seed in enumerate(params.seeds):

        def tell(percent: int, before: int = number * PERCENT) -> None:
            job.progress(before + percent)

        files.append(png(picture(params, composition, seed, tell)))
        tell(PERCENT)
    return files


if __name__ == "__main__":
    serve_jobs(draw, ImageParams)
