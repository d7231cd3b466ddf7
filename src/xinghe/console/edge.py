"""The edge of the pages: host, path, origin, session; a page for whatever goes wrong."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import parse_qsl, quote

import structlog
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from xinghe.api.auth.address import client_address, trusted
from xinghe.api.auth.schema import SessionShown
from xinghe.api.elsewhere import REQUEST_ID
from xinghe.api.errors import Errors, as_api_error
from xinghe.console import advice
from xinghe.console.assets import PATH as ASSETS
from xinghe.console.assets import Assets
from xinghe.console.browser import Browser
from xinghe.console.calls import Calls, Refused
from xinghe.console.guard import HEADERS, Hosts, is_marked, is_ours
from xinghe.console.page import HOME, NotServed, Page, SignInNeeded, asked
from xinghe.console.places import Places
from xinghe.console.rendering import Rendering
from xinghe.console.route import MOST_OF_FORM, Route
from xinghe.console.scripts import MARK, told_to_script
from xinghe.console.table import ROUTES
from xinghe.settings import Settings
from xinghe.signin.throttle import network
from xinghe.workers import QueueFull

MAX_FIELDS = 200
AGAIN = 10
"""Seconds after which a part of a page that could not be had is asked for again."""
_TOO_SLOW = 408
_ASSET = compile_path(ASSETS + "{version}/{name:path}")[0]
_COMPILED = [(route, compile_path(route.path)) for route in ROUTES]

log = structlog.get_logger(__name__)


class Edge:
    """Answers whatever is asked of the pages."""

    def __init__(self, settings: Settings, api: ASGIApp) -> None:
        self._settings = settings
        self._api = api
        self._hosts = Hosts(settings)
        self._places = Places()
        self._proxies = trusted(settings.server)
        self._assets = Assets()
        self._rendering = Rendering(self._assets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        page = self._page(request)
        try:
            if MARK in request.headers:
                response = await told_to_script(page, self._served(page))
            else:
                response = await self._answer(page)
        except ClientDisconnect:
            return
        page.browser.save(response)
        response.raw_headers.extend(HEADERS)
        await response(scope, receive, send)

    async def _answer(self, page: Page) -> Response:
        try:
            return await self._served(page)
        except SignInNeeded:
            return page.go(f"/?next={quote(_wanted(page.request))}")
        except NotServed as refused:
            return _not_served(page, refused)
        except Refused as refused:
            if refused.code == Errors.INVALID_TOKEN.value.code and page.current is not None:
                page.browser.sign_out()
                return page.go(f"/?next={quote(_wanted(page.request))}")
            return _refusal(page, refused)
        except ClientDisconnect:
            raise
        except Exception as fault:  # the edge: whatever happened below, a person is told
            request_id = page.request.scope[REQUEST_ID]
            error = as_api_error(fault, request_id)
            return _refusal(page, Refused(error.row.status, error.body(request_id)))

    async def _served(self, page: Page) -> Response:
        request = page.request
        host = request.headers.get("host", "")
        if not self._hosts.allow(host):
            raise NotServed(
                421,
                f"本服务不以“{host[:80]}”这个主机名提供页面。管理员可以在 server.public_url 或 "
                "console.hosts 里写上它。",
                f"This service has no pages under the host name “{host[:80]}”. Its operator may "
                "add the name to server.public_url or console.hosts.",
            )
        if (match := _ASSET.match(request.url.path)) and request.method in ("GET", "HEAD"):
            return self._assets.answer(request, **match.groupdict())
        if page.browser.session:
            page.current = await _session(page)
        route = _find(request)
        if route.method == "POST":
            await self._take(page, route)
        if not route.open and page.current is None:
            raise SignInNeeded
        if route.waits:
            return await route.work(page)
        try:
            async with self._places.of(self._whose(page)):
                return await route.work(page)
        except QueueFull:
            raise NotServed(
                503,
                "同时打开的页面太多了，请过一会儿再试。",
                "Too many pages are being opened at once. Please try again in a moment.",
            ) from None

    async def _take(self, page: Page, route: Route) -> None:
        """Take what was sent, if it is from a page of ours. Raises `NotServed`."""
        headers = page.request.headers
        if not is_ours(headers, self._settings.server.public_url):
            raise _not_ours()
        if not route.raw:
            most = MOST_OF_FORM if page.current is None else route.most
            page.form = await _form(page.request, self._settings.server.body_timeout, most)
        given = headers.get(MARK, "") if route.raw else page.field("mark")
        if not is_marked(page.browser.secret, given):
            raise _not_ours()

    def _whose(self, page: Page) -> str:
        """Who takes turns with others: a member, or an address."""
        if page.current is not None:
            return page.current.member.id
        return f"address {network(client_address(page.request.scope, self._proxies))}"

    def _page(self, request: Request) -> Page:
        server = self._settings.server
        browser = Browser(
            request.cookies,
            request.headers.get("accept-language", ""),
            self._settings.console.zone,
            secure=server.base_url.startswith("https:"),
        )
        host = request.headers.get("host", "")
        unknown = server.public_url or not self._hosts.allow(host)
        return Page(
            request=request,
            browser=browser,
            api=Calls(self._api, request.scope, browser.session),
            rendering=self._rendering,
            form=FormData(),
            base_url=server.base_url if unknown else f"{request.url.scheme}://{host}",
        )


def _not_served(page: Page, refused: NotServed) -> Response:
    text = page.text(refused.chinese, refused.english)
    if page.partial and page.request.method == "GET":
        return _again(page, refused.status, text)
    response = page.render("layout/refused.html", status=refused.status, message=text)
    if refused.status == _TOO_SLOW:
        response.headers["connection"] = "close"  # what is still to come is not read
    return response


def _again(page: Page, status: int, message: str) -> Response:
    """What stands in the place of a part of a page until it can be had."""
    target = re.sub(r".*#|[^a-z0-9-]", "", page.request.headers.get("hx-target", ""))
    return page.render(
        "layout/again.html",
        status=status,
        message=message,
        target=target,
        again=asked(page.request),
        every=AGAIN,
    )


def _refusal(page: Page, refused: Refused) -> Response:
    if page.partial and page.request.method == "GET":
        return _again(page, refused.status, page.text(*advice.of(refused.code)))
    return page.render(
        "layout/refused.html",
        status=refused.status,
        message=None,
        refused=refused,
        advice=page.text(*advice.of(refused.code)),
    )


def _find(request: Request) -> Route:
    """The route of a request, its path's parts in `path_params`. Raises `NotServed`."""
    path = request.scope["path"]
    method = "GET" if request.method == "HEAD" else request.method
    known = False
    for route, (pattern, _, _) in _COMPILED:
        if match := pattern.match(path):
            known = True
            if route.method == method:
                request.scope["path_params"] = match.groupdict()
                return route
    if known:
        raise NotServed(
            405, "这个页面不接受这样的请求。", "This page does not take such a request."
        )
    raise NotServed(404, "没有这个页面。", "There is no such page.")


async def _session(page: Page) -> SessionShown | None:
    """Whose session the browser brings; one that has ended is forgotten."""
    try:
        return await page.api.get("/auth/v1/session", SessionShown)
    except Refused as refused:
        if refused.status != Errors.INVALID_TOKEN.value.status:
            raise
        page.browser.sign_out()
        return None


async def _form(request: Request, within: float, most: int) -> FormData:
    """What a form sent `within` so many seconds: at most so many bytes.

    Raises `NotServed`, `ClientDisconnect`.
    """
    data = bytearray()
    try:
        async with asyncio.timeout(within):
            async for part in request.stream():
                data += part
                if len(data) > most:
                    size = f"{most // 1024} KiB"
                    raise NotServed(
                        413,
                        f"表单太大了，至多 {size}。",
                        f"The form is too large: at most {size} are taken.",
                    )
    except TimeoutError:
        raise NotServed(_TOO_SLOW, "表单来得太慢了。", "The form came too slowly.") from None
    try:
        if len(data) > MOST_OF_FORM:  # which takes a while
            fields = await asyncio.to_thread(_fields, data)
        else:
            fields = _fields(data)
    except ValueError:
        raise NotServed(400, "表单无法读取。", "The form cannot be read.") from None
    return FormData(list[tuple[str, str | UploadFile]](fields))


def _fields(data: bytearray) -> list[tuple[str, str]]:
    """Names and values as they stand. Raises `ValueError`."""
    return parse_qsl(
        data.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
    )


def _wanted(request: Request) -> str:
    """Where to go on after the sign-in: to the page that was asked for, if it only shows."""
    if request.method != "GET":
        return HOME
    return asked(request)


def _not_ours() -> NotServed:
    return NotServed(
        403,
        "这个表单不是从本站的页面发来的，或者页面已经过期。请返回、刷新页面后再试一次。",
        "This form did not come from a page of this site, or the page is out of date. Go back, "
        "reload the page and try again.",
    )
