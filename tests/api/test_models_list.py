"""`GET /models`: OpenAI's shape, with what the catalog knows in an `xinghe` object."""

from __future__ import annotations

import pytest
from openai import OpenAI

from tests.api import documented
from tests.kit.api import ALIAS, DOCUMENTED, STRICT, Api
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT, DOWN, R1
from tests.kit.script import Script
from tests.kit.server import Server


@pytest.mark.parametrize("mount", [DOCUMENTED, ALIAS, STRICT])
def test_shape_of_the_list(api: Api, mount: str) -> None:
    reply = api.at(mount).get("/models")
    assert reply.status == 200
    assert reply.json["object"] == "list"
    for model in reply.json["data"]:
        assert model["object"] == "model"
        assert isinstance(model["created"], int)
        assert isinstance(model["owned_by"], str)
    names = [model["id"] for model in reply.json["data"]]
    assert len(names) == len(set(names))
    assert set(documented.CHAT) | {CHAT} <= set(names)


def test_sdk_lists_the_same_models(client: OpenAI, api: Api) -> None:
    listed = [model["id"] for model in api.get("/models").json["data"]]
    assert [model.id for model in client.models.list().data] == listed


@pytest.mark.parametrize("model", documented.CHAT)
def test_documented_limits(api: Api, model: str) -> None:
    context, max_input, output_max, output_default = documented.CHAT[model]
    limits = api.get(f"/models/{model}").json["xinghe"]["limits"]
    assert limits["model"]["context"] == context
    assert limits["model"]["max_input_tokens"] == max_input
    assert limits["model"]["max_input_characters"] == 4 * max_input
    assert limits["model"]["max_output_tokens"] == output_max
    assert limits["default_output_tokens"] == output_default
    thought = limits["max_reasoning_tokens"]
    assert (thought > 0) == (model in documented.REASONING)
    assert (0 < limits["default_reasoning_tokens"] <= thought) == (thought > 0)


def test_documented_capabilities(api: Api) -> None:
    # The list promises what the platform delivers: a capability is either listed for the models
    # that the document gives it to, or, while the platform cannot deliver it, for none.
    models = {model["id"]: model["xinghe"] for model in api.get("/models").json["data"]}
    listed = {name: set(models[name]["capabilities"]) for name in documented.CHAT}
    for capability, names in documented.CAPABILITIES.items():
        having = {name for name in documented.CHAT if capability in listed[name]}
        assert having in (set(), names), capability


def test_one_model_is_its_element_of_the_list(api: Api) -> None:
    listed = {model["id"]: model for model in api.get("/models").json["data"]}
    assert api.get("/models/deepseek-r1").json == listed["deepseek-r1"]


def test_list_shows_the_limits_of_the_deployment_too(api: Api) -> None:
    # The embedded engine holds less than the card promises, and the list must not hide it.
    limits = api.get("/models/ernie-4.5-turbo-128k").json["xinghe"]["limits"]
    for limit in ("context", "max_input_tokens"):
        assert limits["deployment"][limit] < limits["model"][limit]
        assert limits["effective"][limit] == limits["deployment"][limit]


def test_unknown_model(api: Api) -> None:
    reply = api.get("/models/ernie-9-9k")
    refused(reply, 404, "invalid_request_error", "no_such_model", "ernie-9-9k")


def test_list_needs_a_token(api: Api) -> None:
    refused(api.bearing(None).get("/models"), 401, "invalid_request_error", "invalid_iam_token")


@pytest.mark.parametrize("path", ["/models", f"/models/{CHAT}"])
def test_either_scope_reads_them(server: Server, api: Api, path: str) -> None:
    for scope in "model.call", "account.read":
        assert api.bearing(server.token("--scope", scope)).get(path).status == 200
    neither = api.bearing(server.token("--scope", "admin")).get(path)
    refused(neither, 401, "access_denied", "no_parameter_permission", "model.call or account.read")


def test_state_of_what_serves_each(api: Api) -> None:
    states = {model["id"]: model["xinghe"]["state"] for model in api.get("/models").json["data"]}
    assert states[CHAT] == "ready"
    assert states["embedding-v1"] == "ready"
    assert states["Stable-Diffusion-XL"] == "ready"
    assert states[DOWN] == "not ready"


def test_measured_speed(api: Api) -> None:
    script = Script(pieces=["a"] * 20, rate=100.0, delay=0.2)
    answered(api.chat(model=R1, messages=script.messages))
    about = api.get(f"/models/{R1}").json["xinghe"]
    assert about["first_token_ms"] > 0
    assert about["tokens_per_second"] > 0
    down = api.get(f"/models/{DOWN}").json["xinghe"]
    assert (down["first_token_ms"], down["tokens_per_second"]) == (None, None)
