"""`/console/health`: what is wrong with the service and its machine, and what mends each thing."""

from __future__ import annotations

from starlette.responses import Response

from xinghe.admin.doctor import Doctor
from xinghe.console.health import words
from xinghe.console.page import Page
from xinghe.console.route import Route

PATH = "/console/health"
FINDINGS = f"{PATH}/findings"
RANK = {"fail": 0, "warn": 1, "ok": 2}


async def show(page: Page) -> Response:
    """To examine takes some seconds: a script of the page, or a link, asks what was found."""
    current = page.session
    if not current.member.operator or "admin" not in current.scopes:
        await page.api.get("/admin/v1/doctor", Doctor)  # is refused at once
    return page.render("health/page.html", found=None, findings=FINDINGS)


async def findings(page: Page) -> Response:
    found = await page.api.get("/admin/v1/doctor", Doctor)
    return page.render(
        "health/findings.html" if page.partial else "health/page.html",
        found=found,
        wrong=sorted(
            (each for each in found.checks if each.status != "ok"),
            key=lambda each: RANK[each.status],
        ),
        well=[each for each in found.checks if each.status == "ok"],
        findings=FINDINGS,
        words=words,
    )


ROUTES = (Route("GET", PATH, show), Route("GET", FINDINGS, findings, waits=True))
