"""`/console/config`: a text is tried, applied, found in the history, and undone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor

PATH = "/console/config"


@pytest.fixture(autouse=True)
def _as_it_was(service: Server) -> Iterator[None]:
    """The service is that of other tests, too."""
    versions = service.run("config", "versions", "--json")
    before = json.loads(versions)[0]["version"]
    yield
    service.run("config", "revert", str(before))


def text(page: Shown) -> str:
    return str(page.all("textarea")[0].text_content()).strip()


def test_who_is_no_operator_sees_nothing(member: Visitor) -> None:
    assert member.get(PATH).status == 403
    assert member.get(f"{PATH}/versions").status == 403


def test_a_change_is_tried_applied_and_undone(operator: Visitor) -> None:
    page = operator.get(PATH)
    before = text(page)
    changed = before + '\n\n[models."ernie-3.5-8k"]\nrpm = 77\n'
    tried = operator.submit(page, PATH, toml=changed, do="check")
    assert tried.status == 200
    assert 'models."ernie-3.5-8k"' in tried.text
    assert "{rpm = 77}" in tried.text
    assert text(operator.get(PATH)) == before, "it was only tried"
    done = operator.submit(tried, PATH, do="apply", note="<script>more</script>")
    assert done.status == 200
    assert "rpm = 77" in text(operator.get(PATH))
    history = operator.get(f"{PATH}/versions")
    assert "<script>more</script>" in history.text
    first = history.all("tbody th a")
    older = operator.get(first[1].get("href"))
    again = operator.submit(older, first[1].get("href"), do="check")
    assert 'models."ernie-3.5-8k"' in again.text
    operator.submit(again, first[1].get("href"), do="apply")
    assert text(operator.get(PATH)) == before


def test_what_is_wrong_is_told_and_kept(operator: Visitor) -> None:
    page = operator.get(PATH)
    for wrong, told in (
        ("[models", "TOML"),
        ('[models."ernie-3.5-8k"]\nrpm = -1\n', "rpm"),
        ('[models."ernie-3.5-8k"]\nno_such = 1\n', "no_such"),
    ):
        refused = operator.submit(page, PATH, toml=wrong, do="apply")
        assert refused.status == 400
        assert told in refused.text
        assert text(refused) == wrong.strip()


def test_nobody_overwrites_what_another_has_changed(
    operator: Visitor, service: Server, tmp_path: Path
) -> None:
    page = operator.get(PATH)
    file = tmp_path / "other.toml"
    file.write_text(text(page) + '\n[models."deepseek-v3"]\nrpm = 50\n', "utf-8")
    service.run("config", "apply", str(file))
    late = operator.submit(
        page, PATH, toml=text(page) + '\n[models."deepseek-v3"]\nrpm = 5\n', do="apply"
    )
    assert late.status == 412
    assert "rpm = 50" in text(operator.get(PATH))


def test_a_server_is_drained_and_put_back(operator: Visitor) -> None:
    page = operator.get(PATH)
    url = text(page).split('url = "')[1].split('"')[0]
    pair = (
        f'[deployments.pair]\nengine = "upstream"\nmodel = "m"\n'
        f'urls = ["{url}", {{url = "http://127.0.0.1:1/v1", weight = 2}}]\n'
        '[models."ernie-4.0-8k"]\ndeployment = "pair"\n'
    )
    page = operator.submit(page, PATH, toml=f"{text(page)}\n{pair}", do="apply")
    drained = operator.submit(page, f"{PATH}/drain", do="drain")
    assert f'{{url = "{url}", weight = 0}}' in text(drained)
    assert "weight = 2" in text(drained)
    back = operator.submit(drained, f"{PATH}/drain", do="back")
    assert "weight = 0" not in text(back)


def test_what_is_no_version_is_told(operator: Visitor) -> None:
    form = operator.get(PATH)
    mark = form.all("input[name=mark]")[0].get("value")
    for wrong in ("9" * 5000, "no", "1%3Fx=1", "..%2F..%2Fmembers", "0"):
        path = f"{PATH}/versions/{wrong}"
        assert operator.get(path).status == 404
        headers = {"Origin": operator.url, "Sec-Fetch-Site": "same-origin"}
        assert operator.post(path, {"mark": mark, "do": "apply"}, headers).status in (400, 404)
