"""The operator's models.toml, merged over what is built in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.catalog.conftest import LoadWith
from tests.kit.catalogs import catalog_of
from xinghe.catalog import Catalog, CatalogError, Kind, LlamaCppDeployment, UpstreamDeployment
from xinghe.settings import Embedded, Settings

UPSTREAM = """
[deployments.big]
engine = "upstream"
url = "http://10.0.0.7:8000/v1"
model = "ERNIE-4.5"
context = 65536
"""


def test_field_given_replaces_only_that_field(load_with: LoadWith, catalog: Catalog) -> None:
    own = load_with('[models."ernie-3.5-8k"]\ninput_ratio = 7\n')
    before, after = catalog.models["ernie-3.5-8k"], own.models["ernie-3.5-8k"]
    assert after.input_ratio == 7
    assert after.context == before.context
    assert {n: c for n, c in own.models.items() if n != "ernie-3.5-8k"} == {
        n: c for n, c in catalog.models.items() if n != "ernie-3.5-8k"
    }


def test_list_is_replaced_whole(load_with: LoadWith) -> None:
    own = load_with('[models."deepseek-v3"]\ncapabilities = []\n')
    assert own.models["deepseek-v3"].capabilities == frozenset()


def test_new_model_takes_the_defaults(load_with: LoadWith) -> None:
    own = load_with(
        '[models.mine]\nkind = "chat"\ncontext = 4096\nmax_input = 2048\n'
        "output_max = 1024\noutput_default = 512\n"
    )
    card = own.models["mine"]
    assert (card.deployment, card.rpm, card.tpm) == ("embedded", 300, 300_000)
    assert (card.input_ratio, card.output_ratio) == (1.0, 1.0)


def test_defaults_move_every_model(load_with: LoadWith) -> None:
    own = load_with(UPSTREAM + '\n[defaults]\ndeployment = "big"\nrpm = 5\n')
    others = {card.deployment for card in own.models.values() if card.kind is Kind.CHAT}
    assert others == {"big"}
    assert {card.rpm for card in own.models.values()} == {5}
    big = own.deployments["big"]
    assert isinstance(big, UpstreamDeployment)
    assert big.url == "http://10.0.0.7:8000/v1"


def test_vision_under_its_former_name(load_with: LoadWith) -> None:
    big = load_with(UPSTREAM + "eyes = true\n").deployments["big"]
    assert isinstance(big, UpstreamDeployment)
    assert big.vision


def test_embedded_deployment_takes_what_it_lacks_from_the_settings(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path), embedded=Embedded(model="m", slots=3, context=2048))
    deployment = catalog_of(settings).deployments["embedded"]
    assert isinstance(deployment, LlamaCppDeployment)
    assert (deployment.weights, deployment.slots, deployment.context) == ("m", 3, 2048)
    (tmp_path / "models.toml").write_text('[deployments.embedded]\nweights = "w"\nslots = 9\n')
    deployment = catalog_of(settings).deployments["embedded"]
    assert isinstance(deployment, LlamaCppDeployment)
    assert (deployment.weights, deployment.slots, deployment.context) == ("w", 9, 2048)


CHAT = '[models.mine]\nkind = "chat"\ncontext = 4096\nmax_input = 2048\noutput_max = 1024\n'
BAD = {
    "not TOML": ("[models", ["models.toml"]),
    "unknown section": ("[model.x]\n", ["`model`", "models"]),
    "section that is a value": ("models = 3\n", ["models", "table"]),
    "section that is a list": ("[[deployments]]\nengine = 'llamacpp'\n", ["deployments", "table"]),
    "defaults that are a value": ("defaults = 'x'\n", ["defaults", "table"]),
    "entry that is a value": ("[models]\nmine = 3\n", ["models", "table"]),
    "unknown field": ('[models."deepseek-v3"]\nprice = 1\n', ["models.deepseek-v3", "price"]),
    "unknown default": ("[defaults]\nprice = 1\n", ["price"]),
    "wrong type": (
        '[models."deepseek-v3"]\ncontext = "8k"\n',
        ["models.deepseek-v3", "context", "int"],
    ),
    "former name of another's field": (
        "[deployments.embedded]\neyes = true\n",
        ["deployments.embedded", "`eyes`"],
    ),
    "former name and its own": (
        UPSTREAM + "eyes = true\nvision = false\n",
        ["deployments.big", "`eyes`", "`vision`"],
    ),
    "former name with a wrong type": (
        UPSTREAM + "eyes = 3\n",
        ["deployments.big", "`eyes`", "bool"],
    ),
    "below zero": ('[models."deepseek-v3"]\nrpm = -1\n', ["models.deepseek-v3", "rpm", ">= 0"]),
    "not a number": (
        '[models."deepseek-v3"]\ninput_ratio = nan\n',
        ["models.deepseek-v3", "input_ratio"],
    ),
    "infinite": (
        '[models."deepseek-v3"]\noutput_ratio = inf\n',
        ["models.deepseek-v3", "output_ratio"],
    ),
    "unknown kind": ('[models.mine]\nkind = "audio"\n', ["models.mine", "kind", "audio"]),
    "no kind": ("[models.mine]\ncontext = 1\n", ["models.mine", "kind"]),
    "unknown capability": (
        '[models."deepseek-v3"]\ncapabilities = ["fly"]\n',
        ["models.deepseek-v3", "capabilities", "fly"],
    ),
    "no context": ('[models.mine]\nkind = "chat"\n', ["models.mine", "context"]),
    "input beyond the context": (
        CHAT + "output_default = 2\n[models.mine2]\nkind = 'chat'\ncontext = 8\nmax_input = 9\n",
        ["models.mine2", "max_input", "9", "1 to context 8"],
    ),
    "default beyond the most": (
        CHAT + "output_default = 1025\n",
        ["models.mine", "output_default", "1025", "2 to output_max 1024"],
    ),
    "default below the least": (
        CHAT + "output_default = 1\n",
        ["models.mine", "output_default", "1", "2 to output_max 1024"],
    ),
    "unknown deployment": (
        '[models."deepseek-v3"]\ndeployment = "nowhere"\n',
        ["models.deepseek-v3", "deployment", "nowhere", "embedded"],
    ),
    "unknown engine": ('[deployments.x]\nengine = "y"\n', ["deployments.x", "engine", "y"]),
    "no engine": ("[deployments.x]\nslots = 1\n", ["deployments.x", "engine"]),
    "upstream without a model": (
        '[deployments.x]\nengine = "upstream"\nurl = "http://h"\n',
        ["deployments.x", "model"],
    ),
    "upstream without a scheme": (
        '[deployments.x]\nengine = "upstream"\nurl = "h:80"\nmodel = "m"\n',
        ["deployments.x", "`url` is wrong", "http://"],
    ),
    "field of another engine": (
        '[deployments.x]\nengine = "llamacpp"\nurl = "http://h"\n',
        ["deployments.x", "url"],
    ),
    "misspelt section": ("[model.mine]\n", ["`model`", "did you mean `models`?"]),
    "misspelt field of a model": (
        '[models."deepseek-v3"]\nouput_ratio = 1\n',
        ["models.deepseek-v3", "`ouput_ratio`", "did you mean `output_ratio`?"],
    ),
    "misspelt field of a deployment": (
        UPSTREAM + "slot = 3\n",
        ["deployments.big", "`slot`", "did you mean `slots`?"],
    ),
    "misspelt engine": (
        '[deployments.x]\nengine = "upstraem"\n',
        ["deployments.x", "upstraem", "did you mean `upstream`?"],
    ),
    "misspelt limit": ("[limits]\nqpss = 1\n", ["limits", "did you mean `qps`?"]),
    "misspelt default": ("[defaults]\nrmp = 1\n", ["defaults", "did you mean `rpm`?"]),
    "wrong default that every model replaces": (
        "[defaults]\ndeployment = 5\n",
        ["defaults", "deployment is 5"],
    ),
    "no slots": (
        UPSTREAM + "slots = 0\n",
        ["deployments.big", "slots", ">= 1"],
    ),
}


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD)
def test_bad_file_is_refused_by_name(load_with: LoadWith, text: str, says: list[str]) -> None:
    with pytest.raises(CatalogError) as refused:
        load_with(text)
    message = str(refused.value)
    assert "models.toml" in message
    for part in says:
        assert part in message, message


def test_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogError, match=r"models\.toml"):
        catalog_of(Settings(data=str(tmp_path)))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [("", 128), ("thinking = 1024", 1024), ("thinking = 0", 0), ("thinks = true", 1024)],
)
def test_the_built_in_model_thinks_shortly(load_with: LoadWith, fields: str, expected: int) -> None:
    """Unless the operator says otherwise, or has put one there that thinks by itself."""
    other = '\n[deployments.other]\nengine = "llamacpp"\n'
    own = load_with(f"[deployments.embedded]\n{fields}\n{other}")
    assert own.deployments["embedded"].thinking == expected
    assert own.deployments["other"].thinking == 1024
