"""`xinghe code`, `xinghe transfer` and grants for some models, on both databases."""

from __future__ import annotations

import csv
import io
import json
import stat
from pathlib import Path
from typing import Any

from tests.kit.command import ended, xinghe


def test_from_the_making_to_the_check(tmp_path: Path, database_url: str) -> None:
    settings = {"XINGHE_DATABASE__URL": database_url} if database_url else {}
    out = tmp_path / "codes.csv"

    def run(*arguments: str) -> str:
        return xinghe(*arguments, data=tmp_path, settings=settings)

    def told(*arguments: str) -> Any:
        return json.loads(run(*arguments, "--json"))

    def refused(*arguments: str) -> str:
        code, printed, errors = ended(*arguments, data=tmp_path, settings=settings)
        assert (code in {1, 2}, printed) == (True, "")
        return errors

    run("member", "create", "a", "--tokens", "10")
    run("group", "create", "g", "--tokens", "0")
    create = "code", "create", "one", "5", "--count", "3", "--expires", "30d"
    run(*create, "--valid-days", "9", "--model", "m", "--out", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    rows = list(csv.DictReader(io.StringIO(out.read_text("utf-8-sig"))))
    assert [(row["number"], row["tokens"]) for row in rows] == [("1", "5"), ("2", "5"), ("3", "5")]
    assert "no code was made" in refused(*create, "--out", str(out))
    [batch] = told("code", "list")
    assert (batch["name"], batch["count"], batch["state"]) == ("one", 3, "open")

    made = told("code", "create", "two", "2", "--count", "2e0", "--expires", "2099-12-31")
    assert len(made["codes"]) == 2
    assert "tokens" in run("code", "list", "--csv")
    done = told("code", "redeem", rows[0]["code"].lower(), "--member", "a")
    assert (done["tokens"], done["models"], done["available"]) == (5, ["m"], 15)
    told("code", "redeem", made["codes"][0], "--group", "g")
    assert "redeemed already" in refused("code", "redeem", rows[0]["code"], "--member", "a")
    assert "no such code" in refused("code", "redeem", "XH-7K3M9", "--member", "a")
    assert "--member or --group" in refused("code", "redeem", made["codes"][1])
    shown = told("code", "show", str(batch["id"]))
    assert (shown["redeemed"], [each["number"] for each in shown["redemptions"]]) == (1, [1])
    assert told("code", "revoke", str(batch["id"]))["state"] == "revoked"
    assert "revoked" in refused("code", "redeem", rows[1]["code"], "--member", "a")

    moved = told("transfer", "1.5", "--from-group", "g", "--to-member", "a", "--note", "prize")
    assert [(each["tokens"], each["available"]) for each in moved] == [(-1.5, 0.5), (1.5, 16.5)]
    assert "can be moved: 0.5;" in refused("transfer", "1", "--from-group", "g", "--to-member", "a")
    assert "the wallet itself" in refused("transfer", "1", "--from-member", "a", "--to-member", "a")
    assert "--to-member or --to-group" in refused("transfer", "1", "--from-member", "a")

    run("member", "grant", "a", "3", "--model", "n", "--note", "club")
    run("group", "grant", "g", "4", "--model", "n")
    account = told("usage", "account", "--member", "a")
    lots = {(each["kind"], tuple(each["models"] or ())) for each in account["lots"]}
    assert lots == {("code", ("m",)), ("grant", ()), ("transfer", ()), ("grant", ("n",))}
    kinds = ("code", "transfer")
    listed = [told("usage", "entries", "--member", "a", "--kind", kind) for kind in kinds]
    assert [len(each["data"] if isinstance(each, dict) else each) for each in listed] == [1, 1]
    run("ledger", "check")  # ends well where the books agree
