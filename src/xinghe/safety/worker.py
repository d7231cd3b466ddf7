"""Looks through long texts: `python -m xinghe.safety.worker <WorkerSettings as JSON>`."""

import logging
import sys

import msgspec
import structlog

from xinghe.safety.matcher import Judge
from xinghe.safety.moderator import CheckReply, CheckRequest, WorkerSettings
from xinghe.workers import serve


class Handler:
    """Knows the lists of one version: at first none, which is version 0."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._version = 0
        self._judge = self._made({})

    def __call__(self, request: CheckRequest) -> CheckReply:
        if request.lists is not None:
            self._judge, self._version = self._made(request.lists), request.version
        elif request.version != self._version:
            return CheckReply(None)
        texts = [(text.data.decode("utf-8", "surrogatepass"), text.place) for text in request.texts]
        return CheckReply([self._judge.check(text, place) for text, place in texts])

    def _made(self, lists: dict[str, bytes]) -> Judge:
        return Judge(self._settings.flags, builtin=self._settings.builtin, lists=lists)


if __name__ == "__main__":
    # What is wrong with a list, the parent has told.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    serve(Handler(msgspec.json.decode(sys.argv[1], type=WorkerSettings)), CheckRequest)
