"""Any server with `POST /embeddings` as an embedder: its forms, its faults, its limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from tests.embedding.kit import running
from tests.embedding.upstream import Upstream, serving, vector
from xinghe.catalog import UpstreamEmbeddingDeployment
from xinghe.core import Busy
from xinghe.embedding import EmbedderAway, EmbedderFailed, TextTooLong


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with serving() as running_one:
        yield running_one


def at(upstream: Upstream, **fields: object) -> UpstreamEmbeddingDeployment:
    return UpstreamEmbeddingDeployment(url=upstream.url, model="bge", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_vectors_come_in_the_order_of_the_texts(upstream: Upstream, encoding: str) -> None:
    upstream.encoding = encoding
    async with running(at(upstream, key="sk")) as embedder:
        made = await embedder.vectors(["一", "二", "三"], "text")
        assert made.floats() == [vector("一"), vector("二"), vector("三")]
        assert embedder.dimensions == 8
        assert embedder.served_by == "test/bge"
    assert upstream.keys == ["Bearer sk"]
    assert upstream.bodies[0]["model"] == "bge"


async def test_a_search_asks_in_the_form_of_a_query(upstream: Upstream) -> None:
    async with running(at(upstream, query_prefix="问:")) as embedder:
        (made,) = await embedder.embed(["一"], "query")
    assert len(made) % 4 == 0
    assert upstream.bodies[0]["input"] == ["问:一"]


async def test_prefixes_stand_before_their_form_alone(upstream: Upstream) -> None:
    async with running(at(upstream, query_prefix="问:", passage_prefix="文:")) as embedder:
        for form in ("text", "query", "passage"):
            await embedder.vectors(["一"], form)
    assert [body["input"] for body in upstream.bodies] == [["一"], ["问:一"], ["文:一"]]


async def test_dimensions_are_passed_on(upstream: Upstream) -> None:
    async with running(at(upstream, resizable=True)) as embedder:
        (made,) = (await embedder.vectors(["一"], "text", dimensions=4)).floats()
    assert len(made) == 4
    assert embedder.resizable


@pytest.mark.parametrize("answers", [[500], [502, 500], [408]])
async def test_its_own_fault_is_tried_again(upstream: Upstream, answers: list[int]) -> None:
    upstream.answers = answers
    async with running(at(upstream)) as embedder:
        assert len((await embedder.vectors(["一"], "text")).data) == 1


async def test_it_gives_up_after_three_tries(upstream: Upstream) -> None:
    upstream.answers = [500] * 9
    async with running(at(upstream)) as embedder:
        with pytest.raises(EmbedderFailed):
            await embedder.vectors(["一"], "text")
    assert len(upstream.bodies) == 3


@pytest.mark.parametrize("status", [429, 503])
async def test_busy_is_told_with_its_advice(upstream: Upstream, status: int) -> None:
    upstream.answers = [status]
    async with running(at(upstream)) as embedder:
        with pytest.raises(Busy) as refused:
            await embedder.vectors(["一"], "text")
    assert refused.value.retry_after == 7


@pytest.mark.parametrize("status", [202, 204, 400, 401, 404, 422])
async def test_a_refusal_is_not_tried_again(upstream: Upstream, status: int) -> None:
    upstream.answers = [status]
    async with running(at(upstream)) as embedder:
        with pytest.raises(EmbedderFailed) as failed:
            await embedder.vectors(["一"], "text")
    assert len(upstream.bodies) == 1
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("status", [400, 413, 500])
async def test_what_it_finds_too_long_is_told(upstream: Upstream, status: int) -> None:
    upstream.answers = [status] * 3
    upstream.error = "This model's maximum context length is 512 tokens"
    async with running(at(upstream)) as embedder:
        with pytest.raises(TextTooLong) as refused:
            await embedder.vectors(["一", "一二三", "二"], "text")
        assert (refused.value.index, refused.value.tokens, refused.value.limit) == (1, 3, 0)
        with pytest.raises(EmbedderFailed):
            await embedder.embed(["一"], "passage")
    assert len(upstream.bodies) == 2


@pytest.mark.parametrize("answers", [[401, 402, 403], [200, 200, 201]])
async def test_what_the_operator_owes_is_told_once(upstream: Upstream, answers: list[int]) -> None:
    upstream.answers = answers
    upstream.error = '{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}'
    async with running(at(upstream, reranker="bge-reranker")) as embedder:
        with capture_logs() as logs:
            for _ in range(2):
                with pytest.raises(EmbedderFailed):
                    await embedder.vectors(["一"], "text")
            with pytest.raises(EmbedderFailed):
                await embedder.rank("问", ["好"])
    assert [line["event"] for line in logs] == ["deployment_refused"]


async def test_too_long_may_be_told_with_a_status_of_success(upstream: Upstream) -> None:
    upstream.answers = [200]
    upstream.error = '{"error":{"code":"context_length_exceeded"}}'
    async with running(at(upstream)) as embedder:
        with pytest.raises(TextTooLong):
            await embedder.vectors(["一"], "text")


@pytest.mark.parametrize("manner", ["mark", "bare"])
async def test_manners_of_an_answer(upstream: Upstream, manner: str) -> None:
    """A byte order mark before it; each vector in a list of its own; a ranking that is a list."""
    upstream.spoil = manner
    async with running(at(upstream, reranker="bge-reranker")) as embedder:
        made = await embedder.vectors(["一", "二"], "text")
        assert made.floats() == [vector("一"), vector("二")]
        assert await embedder.rank("问", ["坏", "好"]) == [0.25, 1.0]


@pytest.mark.parametrize("spoil", ["missing", "base64"])
async def test_what_is_no_vector_is_logged(upstream: Upstream, spoil: str) -> None:
    upstream.spoil = spoil
    async with running(at(upstream)) as embedder:
        with capture_logs() as logs, pytest.raises(EmbedderFailed):
            await embedder.vectors(["一", "二"], "text")
    assert [line["event"] for line in logs] == ["embedding_failed"]


NONSENSE = [
    "json", "missing", "twice", "nan", "huge", "ragged", "base64", "empty", "dimensions", "deep",
    "deep vector", "deep elsewhere", "many", "index", "infinite", "base64 beyond ASCII",
]  # fmt: skip


@pytest.mark.parametrize("spoil", NONSENSE)
async def test_nonsense_is_no_vector(upstream: Upstream, spoil: str) -> None:
    upstream.spoil = spoil
    async with running(at(upstream)) as embedder:
        with pytest.raises(EmbedderFailed):
            await embedder.vectors(["一", "二"], "text")


async def test_the_largest_vectors_pass(upstream: Upstream) -> None:
    """Sixteen texts of 16,384 dimensions, with all digits of a float."""
    upstream.largest = True
    async with running(at(upstream, resizable=True)) as embedder:
        made = await embedder.vectors(["一"] * 16, "text", dimensions=16_384)
    assert [len(each) for each in made.data] == [4 * 16_384] * 16


async def test_unreachable() -> None:
    deployment = UpstreamEmbeddingDeployment(url="http://127.0.0.1:9/v1", model="bge")
    async with running(deployment) as embedder:
        assert not await embedder.ready()
        with pytest.raises(EmbedderFailed):
            await embedder.vectors(["一"], "text")


async def test_silence_ends(upstream: Upstream) -> None:
    upstream.hold.clear()
    async with running(at(upstream, silence_timeout=0.1)) as embedder:
        with pytest.raises(EmbedderFailed):
            await embedder.vectors(["一"], "text")
    upstream.hold.set()


async def test_tokens_are_estimated(upstream: Upstream) -> None:
    async with running(at(upstream, context=10)) as embedder:
        assert embedder.max_tokens == 10
        await embedder.vectors(["一" * 10], "text", max_tokens=10)
        with pytest.raises(TextTooLong) as refused:
            await embedder.vectors(["一", "一" * 11], "text", max_tokens=10)
    assert (refused.value.index, refused.value.tokens) == (1, 11)
    assert len(upstream.bodies) == 1


async def test_its_queue_is_bounded(upstream: Upstream) -> None:
    upstream.hold.clear()
    async with running(at(upstream, slots=1, queue=3)) as embedder:
        calls = [asyncio.create_task(embedder.vectors(["一"], "text")) for _ in range(4)]
        await asyncio.sleep(0.1)
        with pytest.raises(Busy):
            await embedder.vectors(["一"], "text")
        assert len(upstream.bodies) == 1  # one slot
        upstream.hold.set()
        await asyncio.gather(*calls)


async def test_its_reranker_is_asked_where_it_has_one(upstream: Upstream) -> None:
    async with running(at(upstream, reranker="bge-reranker")) as embedder:
        assert await embedder.rank("问", ["坏", "好"]) == [0.25, 1.0]
        assert upstream.bodies[0]["model"] == "bge-reranker"
        upstream.scores = {"坏": -11.0, "好": -2.5}  # as llama.cpp has them
        bad, good = await embedder.rank("问", ["坏", "好"])
        assert 0 < bad < good < 1
        upstream.spoil = "missing"
        with pytest.raises(EmbedderFailed):
            await embedder.rank("问", ["坏", "好"])


async def test_a_score_a_hair_beyond_the_range_bends_no_other(upstream: Upstream) -> None:
    upstream.scores = {"好": 1.0000001, "坏": 0.02, "无": -1e-9}
    async with running(at(upstream, reranker="r")) as embedder:
        assert await embedder.rank("问", ["好", "坏", "无"]) == [1.0, 0.02, 0.0]


async def test_similarity_ranks_where_it_has_none(upstream: Upstream) -> None:
    async with running(at(upstream)) as embedder:
        scores = await embedder.rank("同", ["异", "同"])
    assert scores[1] == pytest.approx(1)
    assert 0 <= scores[0] < 1


async def test_what_one_server_cannot_embed_another_does(upstream: Upstream) -> None:
    async with serving() as other:
        urls = upstream.url, other.url
        several = UpstreamEmbeddingDeployment(urls=urls, model="bge", reranker="r", slots=2)
        async with running(several) as embedder:
            for fault in ([500], [429], [503], [404]):
                upstream.answers = list(fault)
                for _ in range(2):
                    made = await embedder.vectors(["一"], "text")
                    assert made.floats() == [vector("一")]
            upstream.spoil = "json"
            assert len(await embedder.rank("好", ["好", "坏"])) == 2
            for _ in range(2):
                assert (await embedder.vectors(["一"], "text")).floats() == [vector("一")]
        assert other.bodies


async def test_no_server_can_embed() -> None:
    urls = "http://127.0.0.1:9/v1", "http://127.0.0.1:19/v1"
    async with running(UpstreamEmbeddingDeployment(urls=urls, model="bge")) as embedder:
        began = asyncio.get_running_loop().time()
        with pytest.raises(EmbedderAway) as away:
            await embedder.vectors(["一"], "text")
        assert away.value.retry_after >= 1
        assert asyncio.get_running_loop().time() - began < 1
        assert not await embedder.ready()
