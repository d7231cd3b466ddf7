"""What a service says while its books move."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.models import CHAT
from tests.kit.postgres import Cluster
from tests.kit.script import Script
from tests.kit.server import Server
from xinghe.storage.moved import Moving, moving


@pytest.mark.timeout(120)
def test_requests_have_to_wait(make_server: Callable[[], Server], postgres: Cluster) -> None:
    server = make_server()
    api, ready = Api(server.url, server.token()), Api(server.url, None, "")
    body = {"model": CHAT, "messages": Script().messages}
    with moving(server.data) as mover:
        mover.say(Moving("copying"))
        assert api.chat(**body).status == 200
        mover.say(Moving("copying", waits=True))
        while ready.get("/readyz").status == 200:
            pass
        assert json.loads(ready.get("/readyz").body)["moving"] is True
        for mount, status in (DOCUMENTED, 500), (STRICT, 503):
            refused = api.at(mount).chat(**body)
            assert (refused.status, refused.headers["retry-after"]) == (status, "5")
            assert api.at(mount).get("/models").status == 200
    # Whoever moved it has died: all goes on.
    while ready.get("/readyz").status != 200:
        pass
    assert api.chat(**body).status == 200
    said = server.run("migrate", "to-postgres", postgres.empty())
    assert "the service takes no new requests now" in said
    assert api.chat(**body).status == 200
    assert '"entries": 1' in server.run("migrate", "status", "--json")
