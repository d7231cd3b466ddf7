"""Which model can what: section 2.6 by families, and the contract's own lists."""

from __future__ import annotations

import pytest

from tests.catalog.source_tables import families
from xinghe.catalog import Capability, Catalog, Kind
from xinghe.catalog.rate import Rate

SEARCH = {
    "ernie-4.5-turbo-128k", "ernie-4.5-turbo-32k", "ernie-4.5-8k-preview",
    "ernie-4.5-turbo-vl-32k", "ernie-4.0-8k", "ernie-4.0-turbo-128k", "ernie-4.0-turbo-8k",
    "ernie-3.5-8k", "deepseek-v3", "deepseek-r1", "deepseek-r1-250528",
}  # fmt: skip
TOOLS = {"ernie-x1-turbo-32k", "deepseek-v3", "deepseek-r1", "deepseek-r1-250528"}
SCHEMA = {name for name in SEARCH if name.startswith(("ernie-4.5", "ernie-4.0-turbo", "ernie-3.5"))}
REASONING = {
    "ernie-x1-turbo-32k", "ernie-x1-32k", "ernie-x1-32k-preview", "deepseek-r1",
    "deepseek-r1-250528",
}  # fmt: skip
IMAGES = {"ernie-4.5-turbo-vl-32k", "ernie-4.5-8k-preview"}


def having(catalog: Catalog, capability: Capability) -> set[str]:
    return {name for name, card in catalog.models.items() if capability in card.capabilities}


@pytest.mark.parametrize(
    ("feature", "capability", "names"),
    [
        ("联网搜索", Capability.WEB_SEARCH, SEARCH),
        ("function call", Capability.TOOLS, TOOLS),
        ("结构化输出", Capability.JSON_SCHEMA, SCHEMA),
    ],
)
def test_families(catalog: Catalog, feature: str, capability: Capability, names: set[str]) -> None:
    assert having(catalog, capability) == names
    listed = families(feature)
    # The source names families; each covers some of the models, and each model has its family.
    assert all(any(name.startswith(family) for name in names) for family in listed)
    assert all(any(name.startswith(family) for family in listed) for name in names)


def test_reasoning_models_are_those_with_a_chain(catalog: Catalog) -> None:
    assert having(catalog, Capability.REASONING) == REASONING
    assert {name for name, card in catalog.models.items() if card.reasoning_max} == REASONING


def test_images_and_json_object(catalog: Catalog) -> None:
    assert having(catalog, Capability.IMAGES) == IMAGES
    chat = set(catalog.of_kind(Kind.CHAT))
    assert having(catalog, Capability.JSON_OBJECT) == chat - {"ernie-x1-32k-preview"}


def test_parameters_that_the_source_excepts(catalog: Catalog) -> None:
    chat = catalog.of_kind(Kind.CHAT)
    excepted = {"deepseek-v3", "deepseek-r1", "deepseek-r1-250528", "ernie-x1-32k-preview"}
    for parameter in ("temperature", "top_p", "penalty_score"):
        assert {n for n, card in chat.items() if parameter in card.ignores} == excepted
    assert {n for n, card in chat.items() if "seed" in card.ignores} == {"ernie-x1-32k-preview"}
    penalised = {
        "ernie-speed-8k", "ernie-speed-128k", "ernie-tiny-8k", "ernie-char-8k", "ernie-lite-8k",
    }  # fmt: skip
    for parameter in ("frequency_penalty", "presence_penalty"):
        assert {n for n, card in chat.items() if parameter not in card.ignores} == penalised
    assert not any("stop" in card.ignores for card in chat.values())


def test_who_may_speak_last(catalog: Catalog) -> None:
    """Section 4.1.2: only the user on ERNIE 4.5 and ERNIE-X1-32K-Preview."""
    for name, card in catalog.of_kind(Kind.CHAT).items():
        user_only = name.startswith("ernie-4.5-") or name == "ernie-x1-32k-preview"
        assert card.last_role == ({"user"} if user_only else {"user", "tool"}), name


RATIOS = {
    "ernie-4.5-turbo-128k": (0.4, 1.6),
    "ernie-4.5-turbo-32k": (0.4, 1.6),
    "ernie-4.5-turbo-vl-32k": (1.5, 4.5),
    "ernie-4.5-8k-preview": (2, 8),
    "ernie-4.0-8k": (15, 45),
    "ernie-4.0-turbo-128k": (10, 30),
    "ernie-4.0-turbo-8k": (10, 30),
    "ernie-3.5-8k": (0.4, 1),
    "ernie-char-8k": (2, 4),
    "ernie-speed-8k": (0.1, 0.1),
    "ernie-speed-128k": (0.1, 0.1),
    "ernie-tiny-8k": (0.1, 0.1),
    "ernie-lite-8k": (0.1, 0.1),
    "ernie-x1-turbo-32k": (0.5, 2),
    "ernie-x1-32k": (1, 4),
    "ernie-x1-32k-preview": (1, 4),
    "deepseek-v3": (1, 4),
    "deepseek-r1": (2, 8),
    "deepseek-r1-250528": (2, 8),
}


def test_ratios(catalog: Catalog) -> None:
    chat = catalog.of_kind(Kind.CHAT)
    assert {n: (card.input_ratio, card.output_ratio) for n, card in chat.items()} == RATIOS
    assert {c.input_ratio for c in catalog.of_kind(Kind.EMBEDDING).values()} == {0.25}
    assert catalog.models["Stable-Diffusion-XL"].image_tokens == 20_000
    assert {(card.rpm, card.tpm) for card in catalog.models.values()} == {(300, 300_000)}


def test_rate_is_in_micro_tokens_and_cached_input_costs_a_quarter(catalog: Catalog) -> None:
    rate = catalog.models["ernie-3.5-8k"].rate
    assert rate == Rate(input=400_000, output=1_000_000, cached_input=100_000, search=4_000_000_000)
    assert rate.cost(10, 5, cached_tokens=4) == 6 * 400_000 + 4 * 100_000 + 5 * 1_000_000
    assert rate.cost(0, 0, searches=3) == 12_000_000_000
