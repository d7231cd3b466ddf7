"""The process that composes previews: `python -m xinghe_preview.worker`.

It stands alone so that drawing takes no time from the event loop, and yields to chat.
"""

from __future__ import annotations

from xinghe.workers import Job, serve_jobs
from xinghe_preview.canvas import picture, png
from xinghe_preview.messages import PERCENT, PreviewRequest
from xinghe_preview.reading import compose


def draw(request: PreviewRequest, job: Job) -> list[bytes]:
    """PNG files, one a seed. Ends between two stages when nobody waits any more."""
    composition = compose(request)
    files = []
    for number, seed in enumerate(request.seeds):

        def tell(percent: int, before: int = number * PERCENT) -> None:
            job.progress(before + percent)

        files.append(png(picture(request, composition, seed, tell)))
        tell(PERCENT)
    return files


if __name__ == "__main__":
    serve_jobs(draw, PreviewRequest)
