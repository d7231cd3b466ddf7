"""llama.cpp's server with another chat template than the file's own, for an engine to speak to.

`python -m tests.engines.templated WEIGHTS TEMPLATE-FILE` prints the address and the special texts.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import xllamacpp as llama

from xinghe.vocabulary import Tokenizer, special_texts


def main() -> None:
    weights, template = sys.argv[1:]
    params = llama.CommonParams()
    params.model.path = weights
    params.chat_template = Path(template).read_text("utf-8")
    params.n_ctx, params.n_parallel, params.n_batch, params.n_ubatch = 256, 1, 32, 32
    params.fit_params = params.warmup = params.ui = False
    params.hostnames, params.port, params.verbosity = ["127.0.0.1"], 0, 0
    server = llama.Server(params)
    address: str = server.listening_address
    told = {"address": address, "special": special_texts(weights, Tokenizer(address, ""))}
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
