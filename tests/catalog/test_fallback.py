"""`fallback` of a model's card: names of deployments that can serve it where its own cannot."""

from __future__ import annotations

import pytest

from tests.catalog.conftest import LoadWith
from xinghe.catalog import CatalogError

CHAT = '[deployments.{name}]\nengine = "upstream"\nurl = "http://10.0.0.7/v1"\nmodel = "m"\n'
VECTORS = (
    '[deployments.{name}]\nengine = "upstream-embedding"\nurl = "http://10.0.0.7/v1"\n'
    'model = "{model}"\n{more}\n'
)
DRAWS = (
    '[deployments.{name}]\nengine = "upstream-images"\nurl = "http://10.0.0.7/v1"\nmodel = "x"\n'
)
ALL = (
    CHAT.format(name="big")
    + CHAT.format(name="cloud")
    + VECTORS.format(name="bge", model="BAAI/bge-m3", more="")
    + VECTORS.format(name="bge-too", model="bge-m3", more="")
    + VECTORS.format(name="named", model="7", more='space = "bge-m3"')
    + VECTORS.format(name="prefixed", model="bge-m3", more='query_prefix = "q: "')
    + DRAWS.format(name="draws")
    + DRAWS.format(name="draws-too")
)


def model(name: str, deployment: str, fallback: str) -> str:
    return f'[models."{name}"]\ndeployment = "{deployment}"\nfallback = {fallback}\n'


@pytest.mark.parametrize(
    ("name", "deployment", "fallback"),
    [
        ("deepseek-v3", "big", ["cloud", "embedded"]),
        ("bge-large-zh", "bge", ["bge-too", "named"]),
        ("Stable-Diffusion-XL", "draws", ["draws-too"]),
        ("deepseek-v3", "big", []),
    ],
)
def test_those_of_its_kind_are_taken_in_order(
    load_with: LoadWith, name: str, deployment: str, fallback: list[str]
) -> None:
    catalog = load_with(ALL + model(name, deployment, str(fallback)))
    assert catalog.models[name].chain == (deployment, *fallback)
    started = catalog.in_use() | catalog.embeddings_in_use() | catalog.images_in_use()
    assert {deployment, *fallback} <= started.keys()


@pytest.mark.parametrize(
    ("name", "deployment", "fallback", "says"),
    [
        ("deepseek-v3", "big", '["cluod"]', "'cluod', which is no deployment, allowed: cloud"),
        ("deepseek-v3", "big", '["cluod"]', "[deployments.cluod] in models.toml defines one"),
        ("deepseek-v3", "big", '["deepseek-r1"]', "is a model, not a deployment, allowed: cloud"),
        ("deepseek-v3", "big", '["big"]', "'big', the model's own deployment, allowed: cloud"),
        ("deepseek-v3", "big", '["cloud", "cloud"]', "'cloud' twice, allowed: each name once"),
        ("deepseek-v3", "big", '["bge"]', "which serves no chat models, allowed: cloud, embedded"),
        ("deepseek-v3", "big", '""', "fallback is ''"),
        ("deepseek-v3", "big", "[7]", "fallback"),
        ("bge-large-zh", "bge", '["cloud"]', "which serves no embedding models"),
        ("bge-large-zh", "bge", '["embedding"]', "whose vectors (multilingual-e5-small) cannot be"),
        ("bge-large-zh", "bge", '["prefixed"]', "whose `query_prefix` is not that of bge"),
        ("Stable-Diffusion-XL", "draws", '["preview"]', "which composes pictures without a model"),
        ("Stable-Diffusion-XL", "draws", '["bge"]', "serves no image models, allowed: draws-too"),
    ],
)
def test_any_other_is_refused_with_what_is_allowed(
    load_with: LoadWith, name: str, deployment: str, fallback: str, says: str
) -> None:
    with pytest.raises(CatalogError) as refused:
        load_with(ALL + model(name, deployment, fallback))
    assert f"models.toml: models.{name}: " in str(refused.value)
    assert says in str(refused.value)


def test_that_of_all_models_is_for_those_that_it_can_serve(load_with: LoadWith) -> None:
    everyone = '[defaults]\nfallback = ["cloud", "big"]\n'
    own = '[models."deepseek-v3"]\ndeployment = "big"\n' + model("deepseek-r1", "big", "[]")
    models = load_with(ALL + everyone + own).models
    assert models["ernie-3.5-8k"].chain == ("embedded", "cloud", "big")
    assert models["deepseek-v3"].chain == ("big", "cloud")
    assert models["deepseek-r1"].chain == ("big",)
    assert models["bge-large-zh"].chain == ("embedding",)
    for wrong, says in (
        ('["cluod"]', "'cluod', did you mean `cloud`?"),
        ('["big", "big"]', "twice"),
    ):
        with pytest.raises(CatalogError, match="defaults: ") as refused:
            load_with(ALL + f"[defaults]\nfallback = {wrong}\n")
        assert says in str(refused.value)
