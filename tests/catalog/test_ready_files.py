"""The ready `models.toml` of deploy/models: read as a service reads them, and on their page."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Page, codes, page
from tests.kit.catalogs import catalog_of
from xinghe import settings
from xinghe.catalog import LlamaCppDeployment, UpstreamDeployment
from xinghe.weights import resolve

FILES = sorted((ROOT / "deploy/models").glob("*.toml"))
PAGES = [page("docs/weights-for-names.md"), page("docs/weights-for-names.en.md")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_name_comes_to_the_deployment_that_the_file_says(file: Path, tmp_path: Path) -> None:
    text = file.read_text("utf-8")
    (tmp_path / "models.toml").write_text(text, "utf-8")
    loaded = settings.load(str(tmp_path), environ={})
    known = catalog_of(settings.load(str(tmp_path / "empty"), environ={}))
    catalog, written = catalog_of(loaded), tomllib.loads(text)
    assert {each["deployment"] for each in written["models"].values()} == set(
        written["deployments"]
    )
    for name, fields in written["models"].items():
        assert name in known.models, "no name of the documentation"
        card = catalog.models[name]
        assert card.deployment == fields["deployment"]
        spec = catalog.in_use()[card.deployment]
        if isinstance(spec, LlamaCppDeployment):
            assert f"models pull {resolve(spec.weights).name}" in text
        else:
            assert isinstance(spec, UpstreamDeployment)
            assert spec.url.rsplit(":", 1)[1].removesuffix("/v1") in text.split("[", 1)[0]


@pytest.mark.parametrize("each", PAGES, ids=["chinese", "english"])
def test_the_page_names_what_there_is(each: Page, tmp_path: Path) -> None:
    names, files = each.tables
    known = catalog_of(settings.load(str(tmp_path), environ={})).models
    told = {name for row in names for name in codes(row[0])}
    assert told == {name for name in known if name != "embedding-v1"}
    assert {codes(row[0])[0] for row in files} == {file.name for file in FILES}
