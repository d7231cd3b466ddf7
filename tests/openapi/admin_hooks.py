"""What schemathesis is told of the operators' API, beside its document (`SCHEMATHESIS_HOOKS`)."""

from __future__ import annotations

import json
import os
from typing import Any
from zlib import crc32

import schemathesis
from schemathesis import Case, CheckContext, GenerationMode, HookContext, Response

POOL: dict[str, list[str]] = json.loads(os.environ["ADMIN_POOL"])
"""By a name in a path, what there is for it: else nearly every case would end as a 404."""

WHO_ASKS: list[str] = json.loads(os.environ["ADMIN_SELF"])
"""Cases are made of what answers say, too: whoever asks would delete himself."""

IN_THE_WAY = {"conflict", "idempotency_key_reused"}
BEYOND_A_SCHEMA = {"amount", "tokens", "name", "reason", "expires_at", "per", "rolling", "zone"}
BEYOND_A_SCHEMA |= {"since", "until", "order", "member", "models", "group", "parent", "pays"}
BEYOND_A_SCHEMA |= {"password", "token", "action", "actor", "subject", "until"}
BEYOND_A_SCHEMA |= {"tree", "patch", "note", "price", "description", "reference", "groups", "code"}
BEYOND_A_SCHEMA |= {"to", "to_member", "to_group"}
"""What no schema can say: what is printable, or past; a field that needs another."""


@schemathesis.hook
def map_case(_: HookContext, case: Case[Any]) -> Case[Any]:
    """Lets most cases be about something that is there."""
    drawn = crc32(repr((case.body, case.query, case.path_parameters)).encode("utf-8", "replace"))
    right = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    for name, value in (case.path_parameters or {}).items():
        if (right and drawn % 8) or value in WHO_ASKS:
            case.path_parameters[name] = POOL[name][drawn // 8 % len(POOL[name])]
    if right and case.headers and drawn % 16:
        # The shortest keys come again and again, each time with another body; no tag is the right.
        case.headers.pop("Idempotency-Key", None)
        case.headers.pop("If-Match", None)
    return case


@schemathesis.check
def carries_its_id(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """Every answer has a request id, and the body of a refusal shows the same."""
    body = response.json()
    if "error" in body:
        assert body["id"] == response.headers["x-request-id"][0]


@schemathesis.check
def takes_what_it_describes(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """What the document allows is refused only for what no schema can say."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if response.status_code == 400:
        error = response.json()["error"]
        assert error["code"] in IN_THE_WAY or error.get("param") in BEYOND_A_SCHEMA, error
