"""The settings that `xinghe connect` prints, for tests that run them."""

from __future__ import annotations

import json

from tests.kit.server import Server


def settings(server: Server, client: str, token: str, model: str) -> list[str]:
    """The parts of a client's settings, in their order."""
    told = server.run("connect", client, "--token", token, "--model", model, "--json")
    return [part["text"] for part in json.loads(told)["parts"]]


def command(part: str, *arguments: str) -> list[str]:
    """A printed shell script, whose last command is given more arguments."""
    return ["bash", "-ec", part.rstrip("\n") + ' "$@"', "connect", *arguments]
