"""An OpenAI-compatible server behind a name: found out, tried, refused in words that help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.kit.server import free_port
from tests.sources.desk import Operator
from tests.sources.stand import KEY, OpenAI
from xinghe.catalog import Kind
from xinghe.sources import Key, SourceError


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.fixture
def server() -> Iterator[OpenAI]:
    with OpenAI({"id": "maker/large", "max_model_len": 65536}) as running:
        yield running


async def test_the_one_model_is_taken_with_its_context(operator: Operator, server: OpenAI) -> None:
    found = await operator.use("deepseek-v3", server.base)
    assert operator.deployment("deepseek-v3") == {
        "engine": "upstream",
        "url": server.base,
        "model": "maker/large",
        "context": 65536,
    }
    assert found.deployment == "deepseek-v3"
    assert found.trial is not None
    assert found.trial.answer == "星河在此"
    assert found.trial.tokens_per_second
    assert "tokens a second" in found.trial.text
    (asked,) = server.asked
    assert (asked["max_tokens"], asked["stream"]) == (16, True)


async def test_of_several_one_is_chosen_named_or_asked_for(
    operator: Operator, server: OpenAI
) -> None:
    server.models = [{"id": "b"}, {"id": "a"}]
    with pytest.raises(SourceError, match=r"2 models; name one as .*/v1#a: a, b"):
        await operator.use("deepseek-v3", server.base)
    operator.chooses = "b"
    await operator.use("deepseek-v3", server.base)
    assert operator.offered == ["a", "b"]
    assert operator.deployment("deepseek-v3")["model"] == "b"
    await operator.use("deepseek-v3", f"{server.base}#a")
    assert operator.deployment("deepseek-v3")["model"] == "a"


async def test_a_host_alone_is_completed(operator: Operator, server: OpenAI) -> None:
    await operator.use("deepseek-v3", server.url)
    assert operator.deployment("deepseek-v3")["url"] == server.base
    assert any(server.base in line for line in operator.told)


async def test_a_server_without_a_list_needs_the_name(operator: Operator, server: OpenAI) -> None:
    server.unlisted = True
    with pytest.raises(SourceError, match="ends with /v1"):
        await operator.use("deepseek-v3", server.base)
    await operator.use("deepseek-v3", f"{server.base}#maker/large")
    assert operator.deployment("deepseek-v3")["model"] == "maker/large"


async def test_a_key_comes_from_a_variable_or_is_asked_for_and_is_never_told(
    operator: Operator, server: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = KEY
    with pytest.raises(SourceError, match=r"wants a key \(401\).*--key-env NAME"):
        await operator.use("deepseek-v3", server.base)
    with pytest.raises(SourceError, match="STAND_KEY is empty or not set"):
        await operator.use("deepseek-v3", server.base, key=Key(variable="STAND_KEY"))
    monkeypatch.setenv("STAND_KEY", KEY + "wrong")
    with pytest.raises(SourceError, match=r"refuses the key \(401\)") as refused:
        await operator.use("deepseek-v3", server.base, key=Key(variable="STAND_KEY"))
    assert KEY not in str(refused.value)
    monkeypatch.setenv("STAND_KEY", KEY)
    await operator.use("deepseek-v3", server.base, key=Key(variable="STAND_KEY"))
    table = operator.deployment("deepseek-v3")
    assert table["key_env"] == "STAND_KEY"
    assert KEY not in str(operator.tree)
    operator.key = KEY
    await operator.use("deepseek-r1", server.base)
    assert operator.deployment("deepseek-r1")["key"] == KEY
    assert KEY not in "".join(operator.told)


async def test_a_list_that_is_open_and_chats_that_are_not(
    operator: Operator, server: OpenAI
) -> None:
    server.key, server.open_list = KEY, True
    with pytest.raises(SourceError, match=r"wants a key \(401\)"):
        await operator.use("deepseek-v3", server.base)
    operator.key = KEY
    await operator.use("deepseek-v3", server.base)
    assert operator.deployment("deepseek-v3")["key"] == KEY


async def test_what_does_not_answer_is_not_applied(operator: Operator, server: OpenAI) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(SourceError, match=f"{nowhere[:-3]} cannot be reached: connection refused"):
        await operator.use("deepseek-v3", f"{nowhere}#a")
    with pytest.raises(SourceError, match=r"knows no model 'large' \(404\)"):
        await operator.use("deepseek-v3", f"{server.base}#large")
    assert any("did you mean 'maker/large'" in line for line in operator.told)
    server.not_chat = {"maker/large"}
    with pytest.raises(SourceError, match="maker/large is not a chat model"):
        await operator.use("deepseek-v3", server.base)
    server.not_chat, server.says = set(), [""]
    with pytest.raises(SourceError, match="no text at all"):
        await operator.use("deepseek-v3", server.base)
    server.silent = True
    with pytest.raises(SourceError, match="did not answer within 1 s"):
        await operator.use("deepseek-v3", server.base, limit=1.0)
    assert operator.tree == {}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (307, r"redirects \(307\), which is not followed"),
        (402, r"refuses: it answered 402: 'as it was told to'"),
        (403, r"wants a key \(403\)"),
        (429, r"is full for now \(429\)"),
        (500, r"fails by itself \(500\): 'as it was told to'"),
        (418, r"refuses a small request: it answered 418: 'as it was told to'"),
    ],
)
async def test_what_a_server_answers_is_told(
    operator: Operator, server: OpenAI, status: int, said: str
) -> None:
    server.status = status
    with pytest.raises(SourceError, match=f"{server.url} {said}"):
        await operator.use("deepseek-v3", server.base)


async def test_who_thinks_for_long_is_not_heard_out(operator: Operator, server: OpenAI) -> None:
    server.says = ["嗯"] * 5000
    found = await operator.use("deepseek-r1", server.base, limit=5.0)
    assert found.trial is not None
    assert 32 <= found.trial.tokens < 1000


async def test_it_may_be_applied_untried(operator: Operator) -> None:
    away = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(SourceError, match="cannot be reached"):
        await operator.use("deepseek-v3", away, attempt=False)
    found = await operator.use("deepseek-v3", f"{away}#later", attempt=False)
    assert found.trial is None
    assert operator.deployment("deepseek-v3")["model"] == "later"


async def test_what_a_server_wants_otherwise_is_learnt(operator: Operator, server: OpenAI) -> None:
    server.wants_completion_tokens = True
    await operator.use("deepseek-v3", server.base)
    assert operator.deployment("deepseek-v3")["length_field"] == "max_completion_tokens"


async def test_models_that_are_served_alike_share_a_deployment(
    operator: Operator, server: OpenAI
) -> None:
    await operator.use("deepseek-v3", server.base)
    shared = await operator.use("deepseek-r1", server.base)
    assert (shared.shared, shared.deployment) == (True, "deepseek-v3")
    assert list(operator.tree["deployments"]) == ["deepseek-v3"]
    # What others have, one of them leaves alone.
    with OpenAI("other") as another:
        moved = await operator.use("deepseek-v3", another.base)
        assert moved.deployment == "deepseek-v3-2"
        assert operator.deployment("deepseek-r1")["model"] == "maker/large"
        # Whoever leaves a deployment last takes it along.
        await operator.use("deepseek-r1", another.base)
    assert list(operator.tree["deployments"]) == ["deepseek-v3-2"]


async def test_several_servers_of_one_model_are_all_tried(
    operator: Operator, server: OpenAI
) -> None:
    with OpenAI({"id": "maker/large", "max_model_len": 4096}) as another:
        both = (server.base, another.base)
        found = await operator.use("deepseek-v3", *both)
        assert operator.deployment("deepseek-v3") == {
            "engine": "upstream",
            "urls": [server.base, another.base],
            "model": "maker/large",
            "context": 4096,
        }
        assert (len(server.asked), len(another.asked)) == (1, 1)
        assert found.shown == f"maker/large at {server.url}, {another.url}"
        another.status = 500
        with pytest.raises(SourceError, match=f"{another.url} fails by itself"):
            await operator.use("deepseek-r1", *both)
        for wrong, said in (
            ((server.base, "small"), "several sources are servers"),
            ((f"{server.base}#a", f"{another.base}#b"), "'a' and 'b' are two"),
            ((server.base, server.base), "named twice"),
        ):
            with pytest.raises(SourceError, match=said):
                await operator.use("deepseek-r1", *wrong)


async def test_an_embedding_model(operator: Operator, server: OpenAI) -> None:
    with pytest.raises(SourceError, match="makes no vectors"):
        await operator.use("bge-large-zh", server.base)
    server.not_chat = {"maker/large"}
    found = await operator.use("bge-large-zh", server.base)
    assert found.trial is not None
    assert found.trial.dimensions == 3
    assert operator.deployment("bge-large-zh")["engine"] == "upstream-embedding"


async def test_an_image_model(operator: Operator, server: OpenAI) -> None:
    found = await operator.use("Stable-Diffusion-XL", server.base)
    assert found.trial is not None
    assert "it drew an image in" in found.trial.text
    assert operator.deployment("Stable-Diffusion-XL") == {
        "engine": "upstream-images",
        "url": server.base,
        "model": "maker/large",
    }
    (asked,) = server.asked
    assert (asked["size"], asked["n"]) == ("1024x1024", 1)
    server.open_list, server.key = True, KEY
    with pytest.raises(SourceError, match=r"wants a key \(401\)"):
        await operator.use("Stable-Diffusion-XL", server.base)


async def test_a_model_of_a_new_name(operator: Operator, server: OpenAI) -> None:
    with pytest.raises(SourceError, match=r"no model 'deepseek-v4'.*'deepseek-v3'.*--new chat"):
        await operator.use("deepseek-v4", server.base)
    await operator.use("deepseek-v4", server.base, new=Kind.CHAT)
    card = operator.tree["models"]["deepseek-v4"]
    assert (card["kind"], card["context"], card["output_max"]) == ("chat", 65536, 8192)


async def test_another_xinghe_tells_what_its_models_are(operator: Operator, server: OpenAI) -> None:
    chat = {"kind": "chat", "limits": {"effective": {"context": 4096}}}
    server.models = [{"id": "chat", "xinghe": chat}, {"id": "draws", "xinghe": {"kind": "image"}}]
    await operator.use("deepseek-v3", f"{server.base}#chat")
    assert operator.deployment("deepseek-v3")["context"] == 4096
    with pytest.raises(SourceError, match=r"draws at .* is no chat model, but image"):
        await operator.use("deepseek-v3", f"{server.base}#draws")
    await operator.use("Stable-Diffusion-XL", f"{server.base}#draws", attempt=False)
    assert operator.deployment("Stable-Diffusion-XL")["dialect"] == "documented"


async def test_a_key_that_cannot_be_sent(
    operator: Operator, server: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_KEY", "sk-星河")
    with pytest.raises(SourceError, match="the key has characters that no header can hold"):
        await operator.use("deepseek-v3", server.base, key=Key(variable="STAND_KEY"))


@pytest.mark.parametrize("name", ["", "a" * 5000, "a\x1b[2Jb", "a\nb", "\u202eb", 5, None])
async def test_a_name_that_cannot_be_used_is_none(
    operator: Operator, server: OpenAI, name: object
) -> None:
    server.models = [{"id": name}]
    with pytest.raises(SourceError, match="1 to 200 printable characters") as refused:
        await operator.use("deepseek-v3", server.base)
    assert str(refused.value).isprintable()
    server.models = [{"id": name}, {"id": "good"}]
    await operator.use("deepseek-v3", server.base)
    assert operator.deployment("deepseek-v3")["model"] == "good"
    if isinstance(name, str) and name:
        with pytest.raises(SourceError, match="behind # has"):
            await operator.use("deepseek-v3", f"{server.base}#{quote(name)}")


@pytest.mark.parametrize("told", [1, 0, -4096, 10**12, 4096.5, True, "4096", [], 1e300, {"a": 1}])
async def test_a_context_that_no_model_has_is_not_believed(
    operator: Operator, server: OpenAI, told: object
) -> None:
    server.models = [{"id": "m", "max_model_len": told}]
    await operator.use("deepseek-v3", server.base)
    assert "context" not in operator.deployment("deepseek-v3")
    assert any("not believed: --set context=N" in line for line in operator.told) == (told != 0)
    # One of its other words may be right.
    server.models = [{"id": "m", "max_model_len": told, "context_length": 8192.0}]
    await operator.use("deepseek-v3", server.base)
    assert operator.deployment("deepseek-v3")["context"] == 8192


async def test_a_list_that_has_no_end_is_not_heard_out(operator: Operator, server: OpenAI) -> None:
    server.drips = True
    with pytest.raises(SourceError, match=r"did not say within 1 s .* \(--try-timeout\)"):
        await operator.use("deepseek-v3", server.base, limit=1.0)
