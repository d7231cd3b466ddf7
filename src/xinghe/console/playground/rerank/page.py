"""`/console/playground/rerank`: documents, ordered by a query."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe.api.rerank import Ranking, RerankRequest
from xinghe.console.playground.forms.form import Form, parameters_of
from xinghe.console.playground.forms.pages import Pages
from xinghe.console.playground.forms.running import Run

FORM = Form(
    name="rerank",
    path="/rerank",
    kind="embedding",
    parameters=parameters_of(
        RerankRequest,
        without={"model", "query", "documents", "user", "user_id", "return_documents"},
    ),
    texts=("query",),
    lines=("documents",),
)


def shown(run: Run) -> dict[str, Any]:
    answer = msgspec.json.decode(run.answer, type=Ranking)
    return {"ranking": answer, "documents": run.body["documents"]}


ROUTES = Pages(FORM, shown).routes()
