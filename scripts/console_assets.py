"""Take the console's libraries from npm anew: `make console-assets`.

The archives are those whose integrity stands in `vendor.toml`, or nothing is written.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).parents[1] / "src/xinghe/console/assets"
LICENCES = Path(__file__).parents[1] / "LICENSES"
MAP = re.compile(rb"\n?(//|/\*)# sourceMappingURL=[^\n]*\n?$")
"""Points at a file that is not served: the browser would ask for it in vain."""
AS_MODULE = (
    b"const module = { exports: {} }, exports = module.exports;\n%s\n"
    b"export default module.exports;\n"
)
"""Around a script that Node requires: what it exports, without a name in the global scope."""


def main() -> None:
    packages = tomllib.loads((ASSETS / "vendor.toml").read_text())["package"]
    with tempfile.TemporaryDirectory() as folder:
        archives = [_archive(package, Path(folder)) for package in packages]
        for package, archive in zip(packages, archives, strict=True):
            with tarfile.open(archive) as files:
                for name, source in package["files"].items():
                    (ASSETS / "vendor" / name).write_bytes(MAP.sub(b"\n", _read(files, source)))
                for name, source in package.get("modules", {}).items():
                    script = MAP.sub(b"\n", _read(files, source))
                    (ASSETS / "vendor" / name).write_bytes(AS_MODULE % script)
                source, name = package["licence"]
                (LICENCES / name).write_bytes(_read(files, source))


def _archive(package: dict[str, Any], folder: Path) -> Path:
    wanted = f"{package['name']}@{package['version']}"
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), wanted]
    packed = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    name = packed.stdout.split()[-1]
    archive = folder / name
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != package["integrity"]:
        raise SystemExit(f"{wanted} is not what was pinned: sha512-{digest}")
    return archive


def _read(files: tarfile.TarFile, name: str) -> bytes:
    member = files.extractfile(f"package/{name}")
    assert member is not None
    return member.read()


main()
