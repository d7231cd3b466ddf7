"""What deploy/ says is what the product knows: the image, compose files, the unit."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.image import DOCKERFILE
from tests.deploy.proxies import DEPLOY
from tests.docs.pages import ROOT
from tests.kit.catalogs import catalog_of
from xinghe import __version__, settings
from xinghe.catalog import UpstreamDeployment
from xinghe.settings import Settings

COMPOSE = DEPLOY / "compose"
FILES = sorted(COMPOSE.glob("*.yaml"))
UNIT = DEPLOY / "systemd" / "xinghe.service"
PINNED = re.compile(r"[\w./-]+:v?\d+(\.\d+)+(-[\w.-]+)?")
MOST_EXPOSED = 2.0
every = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def services(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))["services"]
    return found


def test_the_dockerfile_is_linted() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_image_tells_the_version_and_is_pinned() -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert f'image.version="{__version__}"' in text
    (base,) = re.findall(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    assert PINNED.fullmatch(base)
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}", "${BASE}"]
    assert "--require-hashes -r requirements.lock" in text


def test_what_the_image_sets_is_known(tmp_path: Path) -> None:
    told = dict(re.findall(r"\b(XINGHE_[A-Z0-9_]+)=(\S+)", DOCKERFILE.read_text("utf-8")))
    assert told.keys() >= {"XINGHE_DATA", "XINGHE_WEIGHTS__CACHE", "XINGHE_SERVER__HOST"}
    _load(tmp_path, told)


def test_the_context_has_all_that_the_package_needs() -> None:
    told = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert told[1] == "*"
    taken = {line[1:] for line in told if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["force-include"], project["project"]["readme"], "requirements.lock"}
    needed |= {package.partition("/")[0] for package in wheel["packages"]}
    needed |= {pattern.partition("/")[0] for pattern in project["project"]["license-files"]}
    assert needed <= taken
    assert all((ROOT / each).exists() for each in taken)


@every
def test_images_are_pinned_and_every_service_can_be_watched(file: Path) -> None:
    for name, service in services(file).items():
        assert PINNED.fullmatch(service["image"]), name
        ours = "build" in service
        if ours:
            assert service["image"] == f"xinghe:{__version__}"
            context = (file.parent / service["build"]["context"]).resolve()
            assert context == ROOT
            assert (context / service["build"]["dockerfile"]) == DOCKERFILE
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert service["init"] is True
            grace = int(service["stop_grace_period"].removesuffix("s"))
            assert grace > Settings().server.grace
        assert ours or "healthcheck" in service, f"{name}: only our image brings one"
        assert service["logging"]["options"].keys() >= {"max-size", "max-file"}, name


@every
def test_what_it_names_is_there(file: Path) -> None:
    told: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    used = set()
    for name, service in told["services"].items():
        assert set(service.get("depends_on", ())) <= set(told["services"]), name
        for volume in service.get("volumes", ()):
            source, target, *_ = volume.split(":")
            assert target.startswith("/")
            if not source.startswith("."):
                used.add(source)
            elif source != "./certificates":  # the operator's own
                assert (file.parent / source).exists(), source
    assert used == set(told["volumes"])


@every
def test_its_settings_are_known_and_nothing_secret_stands_in_it(file: Path, tmp_path: Path) -> None:
    offered = set(re.findall(r"^(\w+)=", (COMPOSE / ".env.example").read_text("utf-8"), re.M))
    asked = set(re.findall(r"\$\{(\w+)(?=[:}])", file.read_text("utf-8")))
    assert asked <= offered
    for name, service in services(file).items():
        variables = service.get("environment", {})
        for variable, value in variables.items():
            if re.search(r"PASSWORD|KEY|SECRET|URL", variable):
                assert ":?" in value, f"{name}: {variable} stands in clear"
        ours = {key: value for key, value in variables.items() if key.startswith("XINGHE_")}
        config = ours.pop("XINGHE_CONFIG", None)
        if config is not None:
            (mounted,) = [each for each in service["volumes"] if each.split(":")[1] == config]
            ours["XINGHE_CONFIG"] = str(file.parent / mounted.split(":")[0])
        _load(tmp_path, {key: _filled(value) for key, value in ours.items()})


def _filled(value: str) -> str:
    filled = {
        "POSTGRES_PASSWORD": "f00d",
        "VALKEY_PASSWORD": "f00e",
        "PUBLIC_URL": "https://llm.example.edu",
    }
    return re.sub(r"\$\{(\w+)[^}]*\}", lambda match: filled[match[1]], value)


def _load(folder: Path, environ: dict[str, str]) -> Settings:
    """As the product takes them: an unknown name or a wrong value is an error."""
    return settings.load(str(folder), environ=environ)


def test_nothing_is_filled_in_in_the_example() -> None:
    lines = (COMPOSE / ".env.example").read_text("utf-8").splitlines()
    assert all(line.startswith("#") or line.endswith("=") for line in lines)
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert "deploy/compose/.env" in ignored
    assert "deploy/compose/certificates" in ignored


def test_nginx_is_told_of_both_gateways_and_trusted(tmp_path: Path) -> None:
    told = yaml.safe_load((COMPOSE / "gateways.yaml").read_text("utf-8"))
    named = re.findall(r"server (\S+):8000", (COMPOSE / "gateways.conf").read_text("utf-8"))
    assert named == [name for name in told["services"] if name.startswith("gateway")]
    data = {told["services"][name]["volumes"][0].split(":")[0] for name in named}
    assert len(data) == len(named), "a data directory has one service at a time"
    address = told["services"]["nginx"]["networks"]["default"]["ipv4_address"]
    found = _load(tmp_path, {"XINGHE_CONFIG": str(COMPOSE / "xinghe.toml")})
    assert found.server.trusted_proxies == (address,)
    shared = {f"images:{found.images.folder}"}
    assert all(shared <= set(told["services"][name]["volumes"]) for name in named)
    assert f" {found.images.folder} " in DOCKERFILE.read_text("utf-8"), "it would be root's"


def test_vllm_s_models_load(tmp_path: Path) -> None:
    shutil.copy(COMPOSE / "models.toml", tmp_path)
    catalog = catalog_of(_load(tmp_path, {}))
    vllm = catalog.deployments["vllm"]
    assert isinstance(vllm, UpstreamDeployment)
    service = services(COMPOSE / "vllm.yaml")["vllm"]
    assert vllm.model == service["command"][service["command"].index("--served-model-name") + 1]
    longest = int(service["command"][service["command"].index("--max-model-len") + 1])
    assert vllm.context == longest
    assert vllm.key_env in services(COMPOSE / "vllm.yaml")["xinghe"]["environment"]


def test_the_unit_is_right_and_says_where_everything_is(tmp_path: Path) -> None:
    text = UNIT.read_text("utf-8")
    told = dict(re.findall(r"^Environment=(XINGHE_\w+)=(\S+)$", text, re.MULTILINE))
    assert told.pop("XINGHE_CONFIG") == "/etc/xinghe/xinghe.toml"
    _load(tmp_path, told)
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(stop) > Settings().server.grace


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="apt-get install systemd")
def test_the_unit_is_verified_and_hardly_exposed(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    program = re.search(r"^ExecStart=(\S+)", UNIT.read_text("utf-8"), re.MULTILINE)
    assert program
    # The program stands somewhere else here; all else is looked at as it is.
    unit.write_text(UNIT.read_text("utf-8").replace(program[1], "/bin/true"), "utf-8")
    verify = ["systemd-analyze", "verify", "--man=no", str(unit)]
    verified = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    rate = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    rated = subprocess.run(rate, capture_output=True, text=True, check=False)
    (exposed,) = re.findall(r"exposure level for \S+: ([\d.]+)", rated.stdout)
    assert float(exposed) <= MOST_EXPOSED
