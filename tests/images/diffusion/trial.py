"""What the worker's modules say to one `Spec` after the other, without a new process for each.

To load diffusers takes seconds. `python -m tests.images.diffusion.trial`, with the interpreter that
has it, does as each line of its input says, and answers with a line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, assert_never

import msgspec

from xinghe.images.diffusion import repository
from xinghe.images.diffusion.messages import CannotLoad, Spec
from xinghe.images.diffusion.worker import main

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-images" / "bin" / "python"
IMPATIENT = {"MODELSCOPE_DOWNLOAD_MAX_RETRIES": "0", "MODELSCOPE_REPO_TREE_PAGE_MAX_ATTEMPTS": "1"}
"""ModelScope's client would try again for a minute."""

Act = Literal["start", "fetch", "fetch half", "fetch configuration"]


class Trial:
    """`home` is where the hubs' clients would look for what a user of theirs left there."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [PYTHON, "-m", __name__],
            cwd=ROOT,
            env={**os.environ, **IMPATIENT, "HOME": str(home), **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def fetched(self, spec: Spec, act: Act = "fetch") -> Path:
        """The folder of a repository that can be fetched."""
        told, refused = self._ask(act, spec)
        assert not refused, told
        return Path(told)

    def refused(self, spec: Spec, act: Act = "start") -> str:
        """Why it cannot be done, in a sentence."""
        told, refused = self._ask(act, spec)
        assert refused, told
        assert "\n" not in told
        return told

    def _ask(self, act: Act, spec: Spec) -> tuple[str, bool]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode((act, spec)).decode() + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "it ended"
        return msgspec.json.decode(answer, type=tuple[str, bool])


def tried(act: Act, spec: Spec) -> tuple[str, bool]:
    try:
        match act:
            case "start":
                main(spec)
                raise AssertionError("it works")
            case "fetch":
                return str(repository.fetched(spec, half=False)), False
            case "fetch half":
                return str(repository.fetched(spec, half=True)), False
            case "fetch configuration":
                return str(repository.configuration(spec)), False
            case _:
                assert_never(act)
    except SystemExit as end:
        return str(end.code), True
    except CannotLoad as error:
        return str(error), True


if __name__ == "__main__":
    for line in sys.stdin:
        answer = tried(*msgspec.json.decode(line, type=tuple[Act, Spec]))
        print(msgspec.json.encode(answer).decode(), flush=True)
