"""Templates are compiled once, wherever that can be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment

from xinghe.console.assets import Assets
from xinghe.console.browser import Browser
from xinghe.console.rendering import Rendering

PART = "layout/part.html"


def render(folder: Path) -> str:
    browser = Browser({}, "", "UTC", secure=False)
    return Rendering(Assets(), folder).render(PART, browser)


def test_a_template_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    compile_ = Environment.compile

    def told(self: Environment, *given: Any, **named: Any) -> Any:
        compiled.append(given)
        return compile_(self, *given, **named)

    monkeypatch.setattr(Environment, "compile", told)
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    first = render(tmp_path)
    assert "role=" in first
    assert render(tmp_path) == first
    assert len(compiled) == 1
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:100])  # as if the disk had been full
    assert render(tmp_path) == first
    assert render(tmp_path / "nowhere") == first
    assert len(compiled) == 3
