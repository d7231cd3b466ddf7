"""Both languages: what the contract says in English is said in Chinese as well."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.kit.api import Api
from tests.kit.server import Server

from xinghe.console.reference.contract import DOCUMENTS, Contract, read
from xinghe.console.reference.samples import SAMPLES
from xinghe.console.reference.words import TITLES

BODILESS = {"cancel_response", "orders.cancel", "backups.make", "backups.check"}
"""What changes something, and needs no words for it."""
HAN = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def contract(service: Server) -> Contract:
    anybody = Api(service.url, None).at("")
    documents: list[Any] = [anybody.get(path).json for path in DOCUMENTS]
    return read(documents)


def test_every_operation_has_a_title_in_both_languages(contract: Contract) -> None:
    assert set(TITLES) == set(contract.operations)
    for title in TITLES.values():
        assert HAN.search(title.chinese)
        assert not HAN.search(title.english)


def test_every_description_has_its_chinese(contract: Contract) -> None:
    told = {each.told for operation in contract.operations.values() for each in operation.fields}
    told |= {each.told for operation in contract.operations.values() for each in [operation]}
    for shapes in contract.shapes:
        told |= {shape.told for shape in shapes.values()}
        told |= {field.told for shape in shapes.values() for field in shape.fields}
    missing = sorted(each.english for each in told if not each.is_translated)
    assert not missing, "chinese.toml has no Chinese of these"


def test_no_sample_is_of_an_operation_that_there_is_not(contract: Contract) -> None:
    assert set(SAMPLES) <= set(contract.operations)
    for operation in contract.operations.values():
        has_body = any(sample.body is not None for sample in SAMPLES.get(operation.name, ()))
        takes_body = operation.method in ("POST", "PUT", "PATCH")
        assert has_body == (takes_body and operation.name not in BODILESS), operation.name
