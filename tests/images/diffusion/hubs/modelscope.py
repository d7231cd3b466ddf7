"""ModelScope: what `modelscope.snapshot_download` calls."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.images.diffusion.hubs.hub import LARGE, Hub, sha256

API = "/api/v1"


class ModelScope(Hub):
    """A closed repository does not even list its files."""

    def route(self, router: web.UrlDispatcher) -> None:
        router.add_get(f"{API}/repos/internalAccelerationInfo", self._region)
        router.add_get(API + "/models/{name:[^/]+/[^/]+}/repo/files", self._list)
        router.add_get(API + "/models/{name:[^/]+/[^/]+}/repo", self._file)

    async def _region(self, request: web.Request) -> web.Response:
        return answered({"InternalRegionQueryAddress": ""})

    async def _list(self, request: web.Request) -> web.Response:
        if request.match_info["name"] != self.name:
            return refused(404, 10010205001, "record not found")
        if self.bars(request):
            return refused(403, 10010101003, self.closed)
        assert dict(request.query) == {"Revision": "master", "Recursive": "True"}
        folders = {path.split("/")[0] for path in self.files if "/" in path}
        entries = [{"Type": "tree", "Path": it, "Name": it, "Size": 0} for it in folders]
        return answered({"Files": entries + [self._entry(path) for path in self.files]})

    def _entry(self, path: str) -> dict[str, Any]:
        data = self.files[path]
        return {
            "Type": "blob",
            "Path": path,
            "Name": path.rsplit("/", maxsplit=1)[-1],
            "Size": len(data),
            "Sha256": sha256(data),
            "IsLFS": path.endswith(LARGE),
            "Mode": "33188",
        }

    async def _file(self, request: web.Request) -> web.Response:
        assert (request.match_info["name"], request.query["Revision"]) == (self.name, "master")
        if self.bars(request):
            return refused(403, 10010101003, self.closed)
        path = request.query["FilePath"]
        if path.endswith(LARGE):
            return web.Response(status=302, headers={"Location": self.storage(path)})
        return self.content(request, path)


def answered(data: object) -> web.Response:
    return web.json_response({"Code": 200, "Data": data, "Message": "success", "Success": True})


def refused(status: int, code: int, message: str) -> web.Response:
    body = {"Code": code, "Message": message, "RequestId": "1", "Success": False}
    return web.json_response(body, status=status)
