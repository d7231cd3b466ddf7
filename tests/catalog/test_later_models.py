"""Names that came after the document: off by default, one line switches them on."""

from __future__ import annotations

import pytest

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.expect import answered, refused
from tests.kit.script import Script
from xinghe.catalog import Catalog, CatalogError, built, merged
from xinghe.settings import Settings

LATER = {
    "ernie-4.5-turbo-vl",
    "ernie-4.5-turbo-128k-preview",
    "ernie-4.5-21b-a3b",
    "ernie-4.5-0.3b",
    "ernie-4.5-vl-28b-a3b",
    "ernie-5.0-thinking-preview",
    "ernie-5.1",
    "ERNIE-Image",
}


def test_they_are_beside_the_documented_ones(catalog: Catalog) -> None:
    more = built(merged({}, later=True), Settings())
    assert more.models.keys() - catalog.models.keys() == LATER
    assert not catalog.models.keys() - more.models.keys()
    own = merged({"models": {"ernie-5.1": {"input_ratio": 7}}}, later=True)
    assert built(own, Settings()).models["ernie-5.1"].input_ratio == 7


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"sizes": ["1024X1024"]}, "sizes"),
        ({"sizes": ["99999x1"]}, "sizes"),
        ({"sizes": "1024x1024"}, "sizes"),
        ({"parameters": ["quality"]}, "quality"),
        ({"parameters": ["steps", "num_inference_steps"]}, "one of them"),
    ],
)
def test_what_a_card_says_of_images_is_checked(fields: dict[str, object], says: str) -> None:
    with pytest.raises(CatalogError, match=says):
        built(merged({"models": {"ERNIE-Image": fields}}, later=True), Settings())


def test_one_setting_has_them_served(make_server: MakeServer) -> None:
    server = make_server(settings={"XINGHE_CONFIGURATION__LATER_MODELS": "true"})
    api = Api(server.url, server.token())
    assert {each["id"] for each in api.get("/models").json["data"]} > LATER
    answered(api.chat(model="ernie-4.5-0.3b", messages=Script(["好"]).messages))


def test_without_it_they_are_not_there(api: Api) -> None:
    refused(api.chat(model="ernie-5.1"), 404, "invalid_request_error", "no_such_model")
