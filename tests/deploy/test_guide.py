"""The commands of docs/deployment.md name files, places and options that are there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.image import DOCKERFILE, ROOT
from tests.deploy.proxies import DEPLOY
from tests.docs.pages import page
from xinghe import __version__

GUIDE = page("docs/deployment.md")
COMMANDS = "\n".join(block.text for block in GUIDE.blocks if block.language == "bash")
ROTATED = "/var/lib/xinghe/postgresql.log"


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"\b(?:deploy|scripts)/[\w./-]+|\brequirements\.lock\b", COMMANDS))
    assert len(named) >= 10
    assert all((ROOT / each).is_file() for each in named)
    for made in (DEPLOY / "compose").glob("*.yaml"):
        assert f"deploy/compose/{made.name}" in named


def test_a_container_is_run_with_the_volumes_and_the_version_of_the_image() -> None:
    mounted = re.findall(r"--volume [\w-]+:(\S+)", COMMANDS)
    (volumes,) = re.findall(r"^VOLUME (.+)$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert mounted == re.findall(r'"([^"]+)"', volumes)
    assert set(re.findall(r"\bxinghe:(\d\S+)", COMMANDS)) == {__version__}


def test_the_guide_installs_where_the_unit_looks() -> None:
    unit = (DEPLOY / "systemd" / "xinghe.service").read_text("utf-8")
    (program,) = re.findall(r"^ExecStart=(\S+)", unit, re.MULTILINE)
    assert program == "/opt/xinghe/.venv/bin/xinghe"
    assert f"{program} token create" in COMMANDS
    for place in re.findall(r"/etc/xinghe/\w[\w.]*", unit):
        assert place in COMMANDS


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="apt-get install logrotate")
def test_the_log_of_the_local_postgresql_is_rotated_while_it_is_open(tmp_path: Path) -> None:
    log = tmp_path / "postgresql.log"
    text = (DEPLOY / "logs" / "logrotate").read_text("utf-8")
    assert ROTATED in text
    file = tmp_path / "rotation"
    # The user of the unit is not here.
    file.write_text(text.replace("    su xinghe xinghe\n", "").replace(ROTATED, str(log)), "utf-8")
    file.chmod(0o644)
    with log.open("a") as kept_open:
        kept_open.write("a line\n")
        kept_open.flush()
        rotate = ["logrotate", "--force", "--state", str(tmp_path / "state"), str(file)]
        subprocess.run(rotate, check=True, capture_output=True)
        assert log.read_text("utf-8") == ""
        kept_open.write("another\n")
    assert log.read_text("utf-8").endswith("another\n")
    assert log.with_name("postgresql.log.1.gz").exists()
