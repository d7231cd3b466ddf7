"""`xinghe models list`: the catalog as the operator sees it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.catalog.source_tables import chat_rows
from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.command import ended, xinghe


def test_lists_every_model_with_the_limits_that_hold(tmp_path: Path) -> None:
    rows = {
        row["model"]: row for row in json.loads(xinghe("models", "list", "--json", data=tmp_path))
    }
    assert len(rows) == 19 + 2 + 1
    source = {row.model: row for n in ("2.1", "2.2", "2.3") for row in chat_rows(n)}
    small, large = rows["ernie-3.5-8k"], rows["ernie-4.5-turbo-128k"]
    assert small["max_input"] == source["ernie-3.5-8k"].max_input
    # The embedded engine holds less than this model's card promises.
    assert large["max_input"] < source["ernie-4.5-turbo-128k"].max_input
    assert large["context"] == 32768
    assert (small["input_ratio"], small["output_ratio"]) == (0.4, 1.0)


def test_table_names_every_model(tmp_path: Path) -> None:
    shown = xinghe("models", "list", data=tmp_path)
    assert "ernie-x1-32k-preview" in shown
    assert "Stable-Diffusion-XL" in shown


def test_operator_s_model_is_listed(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(
        '[models.mine]\nkind = "chat"\ncontext = 4096\nmax_input = 2048\n'
        "output_max = 1024\noutput_default = 512\ninput_ratio = 3\n",
        "utf-8",
    )
    rows = json.loads(xinghe("models", "list", "--json", data=tmp_path))
    (mine,) = [row for row in rows if row["model"] == "mine"]
    assert (mine["max_input"], mine["max_output"], mine["input_ratio"]) == (2048, 1024, 3)


def test_broken_file_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text("[models.x]\nkind = 'audio'\n", "utf-8")
    code, _, errors = ended("models", "list", data=tmp_path)
    assert code == 1
    assert all(part in errors for part in ("models.toml", "models.x", "audio"))
    assert "Traceback" not in errors


def test_says_what_is_behind_a_name_and_whether_it_answers(
    make_server: MakeServer, tmp_path: Path
) -> None:
    code, out, errors = ended("models", "list", "--json", data=tmp_path / "none")
    assert code == 0
    (row,) = [row for row in json.loads(out) if row["model"] == "deepseek-v3"]
    assert (row["engine"], row["answers"]) == ("llamacpp", None)
    assert row["source"].endswith(".gguf")
    assert "no service runs on" in errors

    service = make_server(
        models='[deployments.away]\nengine = "upstream"\nurl = "http://me:pw@127.0.0.1:9/v1"\n'
        'model = "gone"\n[models.deepseek-v3]\ndeployment = "away"\n'
    )
    answer = Api(service.url, service.token()).chat(model="scripted-chat", max_tokens=8)
    assert answer.status == 200
    rows = {row["model"]: row for row in json.loads(service.run("models", "list", "--json"))}
    away, here = rows["deepseek-v3"], rows["scripted-chat"]
    assert (away["deployment"], away["engine"], away["serves"]) == ("away", "upstream", "gone")
    assert away["source"] == "http://127.0.0.1:9"
    assert (away["answers"], here["answers"]) == (False, True)
    assert away["tokens_per_second"] is None
    assert here["first_token_ms"] > 0
    table = service.run("models", "list")
    assert "http://127.0.0.1:9 " in table
    assert "pw" not in table
