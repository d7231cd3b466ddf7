"""The worker of a GGUF embedding model: `python -m xinghe.embedding.gguf <GgufSpec as JSON>`."""

import base64
import secrets
import sys
from typing import Any

import msgspec
import xllamacpp as llama

from xinghe.embedding.local import Batch, EmbedRequest, GgufSpec, Made, Results, TooLong
from xinghe.vocabulary import PROBES, Frame, Specials, Tokenizer, special_texts
from xinghe.workers import serve, threads


class Handler:
    """Asks llama.cpp's own server, which lives in this process, for one request at a time."""

    def __init__(self, spec: GgufSpec) -> None:
        self._prefixes = spec.prefixes
        key = secrets.token_urlsafe(24)
        try:
            self._server = llama.Server(_params(spec, key))
        except RuntimeError as error:  # the library has said more before it
            sys.exit(f"{spec.weights} cannot be served: {error}")
        self._tokenizer = Tokenizer(self._server.listening_address, key)
        self._specials = Specials(special_texts(spec.weights, self._tokenizer))
        self._frame = Frame.of(
            [self._tokenizer.tokens(text, framed=framed) for text, framed in PROBES]
        )

    def __call__(self, batch: Batch) -> Results:
        return [self._make(request) for request in batch]

    def _make(self, request: EmbedRequest) -> TooLong | Made:
        prompts = [self._tokens(self._prefixes[request.form], text) for text in request.texts]
        counts = enumerate(map(len, prompts))
        long = {at: count for at, count in counts if count > request.max_tokens > 0}
        if long:
            return TooLong(long)
        answer: dict[str, Any] = self._server.handle_embeddings(
            {"input": prompts, "encoding_format": "base64"}
        )
        if "error" in answer:
            raise RuntimeError(f"llama.cpp refused: {answer['error'].get('code')}")
        data = sorted(answer["data"], key=lambda each: int(each["index"]))
        return Made([base64.b64decode(each["embedding"]) for each in data])

    def _tokens(self, prefix: str, text: str) -> list[int]:
        """With the tokens that the model puts around a text; in the text itself none is special."""
        pieces = list(self._specials.pieces(prefix + self._specials.marked(text)))
        if len(pieces) == 1:
            return self._tokenizer.tokens(pieces[0], framed=True, special=True)
        content = self._frame.content(pieces)
        return self._frame.tokens(self._tokenizer.tokens(content, special=True))


def _params(spec: GgufSpec, key: str) -> Any:
    params = llama.CommonParams()
    params.model.path = spec.weights
    params.embedding = True
    pooling = spec.pooling.upper() or "UNSPECIFIED"
    params.pooling_type = llama.llama_pooling_type[f"LLAMA_POOLING_TYPE_{pooling}"]
    # A text is read in one piece: every token looks at all others.
    params.n_ctx = params.n_batch = params.n_ubatch = spec.context
    params.n_parallel = 1
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = threads()
        cpu.poll = 0
    params.fit_params = False
    params.warmup = False
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.endpoint_slots = False
    params.ui = False
    params.verbosity = 1
    return params


if __name__ == "__main__":
    serve(Handler(msgspec.json.decode(sys.argv[1], type=GgufSpec)), Batch)
