"""The worker of a diffusion model: `python -m xinghe.images.diffusion.worker <Spec as JSON>`.

This module and those that only it imports are the ones that need `xinghe[images]`.
"""

import os
import sys

import msgspec

from xinghe.images.diffusion.messages import CannotLoad, DiffusionRequest, Spec
from xinghe.workers import serve_jobs

LACKING = "the engine diffusers needs {name}, which is not installed: pip install 'xinghe[images]'"

QUIET = {"TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error"}
"""Progress bars are no lines of a log, and what transformers misses we do not use."""


def main(spec: Spec) -> None:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        # Late, so that what is lacking is told in a sentence.
        from xinghe.images.diffusion.drawing import Drawing  # noqa: PLC0415
        from xinghe.images.diffusion.loading import load  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sys.exit(LACKING.format(name=error.name))
    try:
        drawing = Drawing(load(spec))
    except CannotLoad as error:
        sys.exit(str(error))
    serve_jobs(drawing, DiffusionRequest)


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Spec))
