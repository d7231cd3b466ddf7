"""`/docs`: the contract as a reference to search, made of the service's own documents."""

from __future__ import annotations

from starlette.responses import Response

from xinghe.api.errors import Errors
from xinghe.console import advice
from xinghe.console.page import Page
from xinghe.console.reference.contract import DOCUMENTS, WEBHOOKS, Contract, Source
from xinghe.console.reference.finding import LONGEST, find, find_errors
from xinghe.console.reference.programs import programs
from xinghe.console.reference.samples import samples
from xinghe.console.reference.shapes import rows
from xinghe.console.reference.words import GROUPS, TITLES
from xinghe.console.route import Route

ERRORS = tuple(dict.fromkeys(each.value for each in Errors))
CODES = tuple(dict.fromkeys(each.code for each in ERRORS))
_SOURCE = Source()


async def overview(page: Page) -> Response:
    """The whole in short, or what a search finds."""
    contract = await _SOURCE.contract(page.api)
    asked = page.query.get("q", "").strip()[:LONGEST]
    return _rendered(
        page,
        "reference/found.html" if page.partial else "reference/page.html",
        contract,
        asked=asked,
        found=find(contract, asked),
        codes=find_errors(CODES, asked),
        errors=ERRORS,
        advice=advice.of,
        documents=DOCUMENTS,
        webhooks=WEBHOOKS,
    )


async def operation(page: Page) -> Response:
    """One operation."""
    contract = await _SOURCE.contract(page.api)
    shown = contract.operations.get(page.request.path_params["operation"])
    if shown is None:
        return _rendered(page, "reference/unknown.html", contract, status=404)
    places = [each.name for each in shown.fields if each.place == "path"]
    examples = [
        (sample.title, programs(shown, sample, page.base_url))
        for sample in samples(shown.name, places)
    ]
    return _rendered(
        page,
        "reference/operation.html",
        contract,
        operation=shown,
        shapes=contract.shapes[shown.document],
        examples=examples,
        rows=rows,
        advice=advice.of,
    )


def _rendered(
    page: Page, template: str, contract: Contract, *, status: int = 200, **values: object
) -> Response:
    return page.render(
        template, status=status, contract=contract, groups=GROUPS, titles=TITLES, **values
    )


ROUTES = (
    Route("GET", "/docs", overview, open=True),
    Route("GET", "/docs/{operation}", operation, open=True),
)
