"""An image built from deploy/Dockerfile without Docker, and containers that run it.

buildah builds it in chroot isolation on a Debian that debootstrap makes. A container is the image's
files under a read-only root with its volumes, in namespaces of its own for mounts and processes,
as the user of the image and without a capability; the network is this machine's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources")

ENTER = """
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,ro,bind "$root"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do mount --bind "$2" "$root$1"; shift 2; done
shift
exec chroot "$root" "$@"
"""


def missing() -> str:
    """Why no image can be built here; empty: one can."""
    if os.geteuid() != 0:
        return "needs root, for chroot and mounts"
    if not Path("/etc/debian_version").exists():
        return "needs Debian, for debootstrap"
    tools = [tool for tool in ("buildah", "debootstrap") if shutil.which(tool) is None]
    return f"apt-get install --no-install-recommends {' '.join(tools)}" if tools else ""


@dataclass(frozen=True)
class Buildah:
    """buildah with a storage of its own in a folder."""

    folder: Path

    def __call__(self, *arguments: str) -> str:
        where = ["--root", str(self.folder / "root"), "--runroot", str(self.folder / "run")]
        command = ["buildah", *where, "--storage-driver", "vfs", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{arguments[0]}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout.strip()


def debian(folder: Path) -> None:
    """The smallest Debian of this machine's release with Python, set up to fetch as this one is."""
    release = Path("/etc/os-release").read_text("utf-8")
    (suite,) = re.findall(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    told = "".join(Path(file).read_text("utf-8") for file in SOURCES if Path(file).exists())
    mirror = re.search(rf"https?://\S+?(?=/?\s+(?:{suite}|Suites:))", told)
    named = [mirror[0]] if mirror else []
    wanted = ["--variant=minbase", "--include=ca-certificates,python3,python3-venv"]
    command = ["debootstrap", *wanted, suite, str(folder), *named]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    shutil.copy(CERTIFICATES, folder / CERTIFICATES.relative_to("/"))
    index = os.environ.get("PIP_INDEX_URL")
    settings = [f"cert = {CERTIFICATES}", *([f"index-url = {index}"] if index else [])]
    (folder / "etc" / "pip.conf").write_text("\n".join(["[global]", *settings, ""]), "utf-8")


@dataclass(frozen=True)
class Image:
    """An image in the storage of a buildah."""

    buildah: Buildah
    name: str

    @classmethod
    def built(cls, folder: Path) -> Image:
        """Builds it of this checkout, in minutes, with what it needs of Debian and PyPI."""
        debian(folder / "debian")
        buildah = Buildah(folder / "images")
        base = buildah("from", "scratch")
        buildah("copy", "-q", base, str(folder / "debian"), "/")
        buildah("commit", "-q", "--rm", base, "localhost/debian:python")
        shutil.rmtree(folder / "debian")
        made = ["--isolation", "chroot", "--format", "docker", "-t", "localhost/xinghe:test"]
        base_of_it = ["--build-arg", "BASE=localhost/debian:python"]
        buildah("build", *made, *base_of_it, "-f", str(DOCKERFILE), ".")
        return cls(buildah, "localhost/xinghe:test")

    @cached_property
    def config(self) -> dict[str, Any]:
        """What the image says of how it is run, as Docker has it."""
        found = json.loads(self.buildah("inspect", "--type", "image", self.name))
        config: dict[str, Any] = found["Docker"]["config"]
        return config

    @cached_property
    def root(self) -> Path:
        """Its files."""
        self.buildah("from", "--name", "running", self.name)
        return Path(self.buildah("mount", "running"))

    @contextmanager
    def running(
        self, volumes: Mapping[str, Path], log: Path, *command: str, settings: Mapping[str, str]
    ) -> Iterator[Container]:
        """A container, whose volumes are folders here; without a command, that of the image."""
        mounts = [str(part) for pair in volumes.items() for part in pair]
        asked = [*self.config["Entrypoint"], *(command or self.config["Cmd"])]
        inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        entered = ["sh", "-euc", ENTER, "sh", str(self.root), *mounts, "--"]
        as_user = self.as_user(settings)
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*inside, *entered, *as_user, *asked], stdout=out, stderr=subprocess.STDOUT
            )
        try:
            yield Container(self, process, settings)
        finally:
            if process.poll() is None:
                process.kill()  # and the kernel all that is in it
                process.wait(30)

    def as_user(self, settings: Mapping[str, str]) -> list[str]:
        """What a command begins with that runs in it as Docker would, with all rights taken."""
        user, group = self.config["User"].split(":")
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in settings.items())]
        less = ["--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        return [
            *("/usr/bin/env", "-i", "-C", self.config["WorkingDir"], *variables),
            *("setpriv", "--reuid", user, "--regid", group, *less),
        ]


@dataclass(frozen=True)
class Container:
    """One that runs."""

    image: Image
    process: subprocess.Popen[bytes]
    settings: Mapping[str, str]

    @property
    def first(self) -> psutil.Process:
        """What is process 1 in it."""
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def do(self, *command: str) -> tuple[int, str]:
        """What `docker exec` does: its exit code, and what was said, standard output first."""
        into = ["nsenter", "--target", str(self.first.pid), "--mount", "--pid", "--root", "--wd"]
        asked = [*into, *self.image.as_user(self.settings), *command]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=120)
        return done.returncode, (done.stdout + done.stderr).strip()

    def did(self, *command: str) -> str:
        """The same of a command that must succeed."""
        code, told = self.do(*command)
        assert code == 0, f"{command}: {told}"
        return told

    def is_healthy(self) -> bool:
        kind, *command = self.image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.do(*command)[0] == 0

    def wait(self, log: Path, timeout: float = 120) -> None:
        """Until it is healthy."""
        end = time.monotonic() + timeout
        while True:
            with suppress(ValueError, psutil.NoSuchProcess):  # not begun yet
                if self.is_healthy():
                    return
            assert self.process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < end, log.read_text("utf-8")
            time.sleep(0.5)

    def stop(self, timeout: float = 45) -> int:
        """As Docker does: the signal of the image to process 1, and its exit code."""
        self.first.send_signal(signal.Signals[self.image.config["StopSignal"]])
        return self.process.wait(timeout)


def python_of(image: Image) -> list[str]:
    """The names of what is installed in the environment of the image."""
    (folder,) = image.root.glob("opt/xinghe/lib/python3*/site-packages")
    return sorted(found.name.split("-")[0] for found in folder.glob("*.dist-info"))
