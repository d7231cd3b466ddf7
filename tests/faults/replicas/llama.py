"""llama.cpp's own server on small weights as a process of its own: `python -m … PORT`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import xllamacpp

from tests.kit.tiny import write_tiny

SLOTS, EACH = 50, 3000
"""Conversations that it remembers, and tokens of each."""
TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


def main(port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        params = xllamacpp.CommonParams()
        params.model.path = str(write_tiny(Path(folder) / "tiny.gguf", TEMPLATE, context=8192))
        params.n_ctx, params.n_parallel, params.kv_unified = SLOTS * EACH, SLOTS, True
        params.n_batch = params.n_ubatch = 512
        for threads in (params.cpuparams, params.cpuparams_batch):
            threads.n_threads, threads.poll = 1, 0  # several of them share few cores
        params.fit_params = params.warmup = params.ctx_shift = params.ui = False
        params.hostnames, params.port, params.verbosity = ["127.0.0.1"], port, 1
        server = xllamacpp.Server(params)
        print("serving", flush=True)
        while server.listening_address:
            time.sleep(60)  # until it is killed


if __name__ == "__main__":
    main(int(sys.argv[1]))
