"""Looks through long texts: `python -m xinghe.safety.worker <Setting as JSON>`."""

from __future__ import annotations

import logging
import sys

import msgspec
import structlog

from xinghe.safety.matcher import Judge
from xinghe.safety.moderator import Look, Seen, Setting
from xinghe.workers import serve


class Handler:
    """Knows the lists of one version: at first none, which is version 0."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._version = 0
        self._judge = self._made({})

    def __call__(self, look: Look) -> Seen:
        if look.lists is not None:
            self._judge, self._version = self._made(look.lists), look.version
        elif look.version != self._version:
            return Seen(None)
        texts = [(text.data.decode("utf-8", "surrogatepass"), text.place) for text in look.texts]
        return Seen([self._judge.check(text, place) for text, place in texts])

    def _made(self, lists: dict[str, bytes]) -> Judge:
        return Judge(self._setting.flags, builtin=self._setting.builtin, lists=lists)


if __name__ == "__main__":
    # What is wrong with a list, the parent has told.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    serve(Handler(msgspec.json.decode(sys.argv[1], type=Setting)), Look)
