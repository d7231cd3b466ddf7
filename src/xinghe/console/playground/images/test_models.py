"""The images' form has the chosen model's sizes and parameters, also when another is chosen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests.kit.chromium import Person, chromium
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.kit.visitor import Visitor

pytestmark = pytest.mark.slow
URL = "/console/playground/images"


@pytest.fixture(scope="module")
def later(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    data = tmp_path_factory.mktemp("later")
    settings = {"XINGHE_CONFIGURATION__LATER_MODELS": "true"}
    with Server(data, models=models, settings=settings) as running:
        yield running


@pytest.fixture
def visitor(later: Server) -> Visitor:
    visitor = Visitor(later.url)
    visitor.sign_in(later.token())
    return visitor


def test_a_model_s_own_are_there_and_are_asked_for(visitor: Visitor) -> None:
    page = visitor.get(f"{URL}?model=ERNIE-Image")
    assert page.all("[name=use_pe]")
    assert not page.all("[name=style]")
    assert "848x1264" in page.texts("[name=size] option")
    fields = {"prompt": "猫", "size": "848x1264", "num_inference_steps": "1", "use_pe": "false"}
    page = visitor.submit(page, URL, **fields)
    assert page.texts("figcaption")[0].startswith("848×1264 · seed ")
    assert page.all("[name=use_pe] [selected]")[0].get("value") == "false"
    typed = dict(page.document.forms[1].form_values()) | fields
    shown = visitor.post(f"{URL}/code", typed, {"Sec-Fetch-Site": "same-origin"})
    assert '"use_pe": False' in shown.text.replace("&#34;", '"')
    page = visitor.get(f"{URL}?model=Stable-Diffusion-XL")
    assert page.all("[name=style]")
    assert not page.all("[name=use_pe]")
    facts = visitor.get("/console/models/ERNIE-Image").text
    assert "1376x768" in facts
    assert "guidance_scale" in facts


def test_a_browser_brings_them_when_another_model_is_chosen(visitor: Visitor) -> None:
    with chromium() as browser:
        person = Person(browser, visitor.url)
        person.bring(visitor.cookies)
        page = person.go(f"{URL}?model=Stable-Diffusion-XL")
        prompt = page.get_by_role("textbox", name="提示词")
        prompt.fill("一只白猫")
        page.locator("[name=model]").select_option("ERNIE-Image")
        expect(page.locator("[name=use_pe]")).to_have_count(1)
        expect(page.locator("[name=style]")).to_have_count(0)
        assert prompt.input_value() == "一只白猫"
        page.locator("[name=size]").select_option("768x1376")
        page.locator("[name=num_inference_steps]").fill("1")
        page.get_by_role("button", name="画", exact=True).click()
        expect(page.locator("figcaption")).to_contain_text("768×1376", timeout=20_000)
        assert person.barriers() == []
        assert person.faults == []
        assert not person.is_wider_than_its_window()
