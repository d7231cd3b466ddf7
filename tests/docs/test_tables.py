"""The tables of the documentation say what the code says, in both languages."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest
from prometheus_client import generate_latest

from tests.docs.pages import Page, codes, page
from tests.kit.catalogs import catalog_of
from tests.safety.lists import sentences
from xinghe import settings
from xinghe.admin.table import OPERATIONS
from xinghe.api.errors import Errors
from xinghe.catalog import (
    EmbeddingDeployment,
    ImageDeployment,
    LlamaCppDeployment,
    ModelCard,
    UpstreamDeployment,
)
from xinghe.cli.main import main
from xinghe.safety import Moderator
from xinghe.settings import Settings
from xinghe.weights import load_index


def both(name: str) -> pytest.MarkDecorator:
    pages = [page(f"{name}.md"), page(f"{name}.en.md")]
    return pytest.mark.parametrize("each", pages, ids=["chinese", "english"])


@both("docs/configuration")
def test_every_setting_stands_with_its_default(each: Page) -> None:
    written = {codes(row[0])[0]: codes(row[1])[0] for row in each.tables[0]}
    assert written == dict(_settings(Settings()))


def _settings(tree: msgspec.Struct, prefix: str = "") -> list[tuple[str, str]]:
    found = []
    for name in tree.__struct_fields__:
        value = getattr(tree, name)
        if isinstance(value, msgspec.Struct):
            found += _settings(value, f"{prefix}{name}.")
        else:
            found.append((prefix + name, msgspec.json.encode(value).decode()))
    return found


@both("docs/configuration")
def test_every_field_of_a_model_stands(each: Page) -> None:
    written = [name for row in each.tables[1] for name in codes(row[0])]
    assert sorted(written) == sorted(ModelCard.__struct_fields__)


@both("docs/configuration")
def test_every_field_of_a_deployment_stands_with_its_engine(each: Page) -> None:
    written = {name: row[1] for row in each.tables[2] for name in codes(row[0])}
    llamacpp = set(LlamaCppDeployment.__struct_fields__)
    upstream = set(UpstreamDeployment.__struct_fields__)
    assert set(written) == llamacpp | upstream
    for name, engine in written.items():
        assert (engine != "upstream", engine != "llamacpp") == (name in llamacpp, name in upstream)


@both("docs/configuration")
def test_every_field_of_an_embedding_deployment_stands_with_its_engines(each: Page) -> None:
    written: defaultdict[str, set[str]] = defaultdict(set)
    for row in each.tables[3]:
        for engine in codes(row[1]):
            written[engine] |= set(codes(row[0]))
    assert written == {
        kind.__struct_config__.tag: set(kind.__struct_fields__)
        for kind in get_args(EmbeddingDeployment)
    }


@both("docs/configuration")
def test_every_field_of_an_image_deployment_stands_with_its_engines(each: Page) -> None:
    written: defaultdict[str, set[str]] = defaultdict(set)
    for row in each.tables[4]:
        for engine in codes(row[1]):
            written[engine] |= set(codes(row[0]))
    assert written == {
        kind.__struct_config__.tag: set(kind.__struct_fields__)
        for kind in get_args(ImageDeployment)
    }


@both("docs/api")
def test_the_error_table_is_the_code_s(each: Page) -> None:
    written = [(int(row[0]), *codes(row[1]), *codes(row[2])) for row in each.tables[-1]]
    assert written == [tuple(error.value) for error in Errors]


@both("docs/admin-api")
def test_every_operation_of_operators_stands(each: Page) -> None:
    written = [codes(row[0])[0] for row in each.tables[0]]
    assert written == [f"{operation.method} {operation.path}" for operation in OPERATIONS]


@both("docs/limits")
def test_every_limit_stands_with_its_error(each: Page) -> None:
    written = [codes(row[2])[0] for row in each.tables[0]]
    expected = {error.value.code for error in Errors if error.value.status == 429}
    assert set(written) == expected


@both("docs/limits")
def test_every_limit_of_an_account_stands_with_its_default(each: Page, tmp_path: Path) -> None:
    written = {codes(row[0])[0]: float(codes(row[1])[0]) for row in each.tables[1]}
    assert written == msgspec.to_builtins(
        catalog_of(settings.load(str(tmp_path), environ={})).limits
    )


@both("docs/safety")
def test_the_figures_of_moderation_are_measured(each: Page) -> None:
    moderator = Moderator()
    for row in each.tables[1]:
        lines = [line.split("\t")[-1] for line in sentences(codes(row[0])[0])]
        found = sum(moderator.check(line) is not None for line in lines)
        told = sum(moderator.check(line, "answer") is not None for line in lines)
        assert [int(cell) for cell in row[1:]] == [len(lines), found, told], row


@both("docs/operations")
def test_every_metric_of_the_page_stands_once_with_its_type(each: Page) -> None:
    """As `/metrics` exports them: another module may have one of its own."""
    written = [(*codes(row[0]), row[1]) for row in each.tables[0]]
    types = re.findall(r"^# TYPE (xinghe_\w+) (\w+)$", generate_latest().decode(), re.MULTILINE)
    exported = [each for each in types if not each[0].endswith("_created")]
    assert sorted(written) == sorted(exported)


@both("docs/operations")
def test_every_model_file_stands_with_its_licence(each: Page) -> None:
    written = {(tuple(codes(row[0])), row[2]) for row in each.tables[-1]}
    index = load_index().values()
    assert written == {((weight.name, *weight.aliases), weight.licence) for weight in index}
    for row in each.tables[-1]:
        size = load_index()[codes(row[0])[0]].size
        if size is None:
            assert "GB" not in row[1]
        else:
            assert row[1].startswith(f"{size / 1000**3:.1f} GB")


@both("README")
def test_every_command_stands(each: Page) -> None:
    written: set[tuple[str, ...]] = set()
    for row in each.tables[-1]:
        first, *others = codes(row[0])
        _, group, *rest = first.split()
        written |= {(group, name) for name in [*rest, *others]} or {(group,)}
    expected: set[tuple[str, ...]] = set()
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        if command is None or command.hidden:
            continue
        names = command.commands if isinstance(command, click.Group) else {}
        expected |= {(name, each) for each in names} or {(name,)}
    assert written == expected
