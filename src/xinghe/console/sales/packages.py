"""`/console/sales/packages`: what is offered; a new package, a change, an end to one."""

from __future__ import annotations

from starlette.responses import Response

from xinghe.admin.packages import PackageList, PackageView
from xinghe.console.calls import Refused
from xinghe.console.groups import groups
from xinghe.console.page import Page
from xinghe.console.route import Route
from xinghe.console.sales.forms import PackageForm
from xinghe.console.sales.guarded import operators
from xinghe.settings.payment import DECIMALS

PATH = "/console/sales/packages"
API = "/admin/v1/packages"
MOST = 100


async def show(page: Page) -> Response:
    found = await page.api.get(
        API, PackageList, withdrawn="true", limit=MOST, after=page.query.get("after")
    )
    names = {each.id: each.name for each in await groups(page)}
    return page.render(
        "sales/packages.html", packages=found.data, after=found.next, group_names=names
    )


async def new(page: Page) -> Response:
    return await _form(page, PackageForm())


async def make(page: Page) -> Response:
    form = PackageForm.typed(page)
    try:
        await page.api.send("POST", API, PackageView, form.body())
    except Refused as refused:
        return await _form(page, form, refused=refused)
    return page.go(PATH)


async def edit(page: Page) -> Response:
    package, version = await page.api.tagged(_api(page), PackageView)
    return await _form(page, PackageForm.of(package), package=package, version=version)


async def change(page: Page) -> Response:
    """Change it, unless somebody has since it was read."""
    form = PackageForm.typed(page)
    try:
        await page.api.send(
            "PATCH", _api(page), PackageView, form.body(), if_match=page.field("version")
        )
    except Refused as refused:
        package, version = await page.api.tagged(_api(page), PackageView)
        return await _form(page, form, package=package, version=version, refused=refused)
    return page.go(PATH)


async def withdraw(page: Page) -> Response:
    await page.api.send("DELETE", _api(page), PackageView)
    return page.go(PATH)


async def _form(
    page: Page,
    form: PackageForm,
    *,
    package: PackageView | None = None,
    version: str = "",
    refused: Refused | None = None,
) -> Response:
    await form.choose(page)
    return page.render(
        "sales/package.html",
        status=refused.status if refused else 200,
        form=form,
        package=package,
        version=version,
        refused=refused,
        currencies=list(DECIMALS),
        groups=await groups(page),
    )


def _api(page: Page) -> str:
    return f"{API}/{page.request.path_params['package']}"


ROUTES = (
    Route("GET", PATH, operators(show)),
    Route("GET", f"{PATH}/new", operators(new)),
    Route("POST", f"{PATH}/new", operators(make)),
    Route("GET", f"{PATH}/{{package}}", operators(edit)),
    Route("POST", f"{PATH}/{{package}}", operators(change)),
    Route("POST", f"{PATH}/{{package}}/withdraw", operators(withdraw)),
)
