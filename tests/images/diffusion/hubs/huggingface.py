"""Hugging Face: what `huggingface_hub.snapshot_download` calls."""

from __future__ import annotations

import hashlib

from aiohttp import web

from tests.images.diffusion.hubs.hub import LARGE, Hub, sha256

COMMIT = "4" * 40
PAGE = 5
"""Entries of a listing; the real one has 1000."""


class HuggingFace(Hub):
    """A closed repository is a gated one: its listing is public."""

    def route(self, router: web.UrlDispatcher) -> None:
        router.add_get("/api/models/{name:[^/]+/[^/]+}/revision/main", self._info)
        router.add_get("/api/models/{name:[^/]+/[^/]+}/tree/{commit}", self._tree)
        router.add_route("*", "/{name:[^/]+/[^/]+}/resolve/{commit}/{path:.+}", self._resolve)

    async def _info(self, request: web.Request) -> web.Response:
        if request.match_info["name"] != self.name:
            return refused(404, "RepoNotFound", "Repository not found")
        gated = "auto" if self.closed else False
        facts = {"_id": "0", "id": self.name, "modelId": self.name, "sha": COMMIT, "gated": gated}
        siblings = [{"rfilename": path} for path in self.files]
        return web.json_response({**facts, "private": False, "tags": [], "siblings": siblings})

    async def _tree(self, request: web.Request) -> web.Response:
        assert (request.match_info["commit"], request.query["recursive"]) == (COMMIT, "true")
        folders = {path.split("/")[0] for path in self.files if "/" in path}
        entries = [{"type": "directory", "oid": git(b""), "size": 0, "path": it} for it in folders]
        entries += [self._entry(path) for path in self.files]
        start = int(request.query.get("cursor", "0"))
        headers = {}
        if start + PAGE < len(entries):
            after = request.url.update_query(cursor=str(start + PAGE))
            headers["Link"] = f'<{after}>; rel="next"'
        return web.json_response(entries[start : start + PAGE], headers=headers)

    def _entry(self, path: str) -> dict[str, object]:
        data = self.files[path]
        entry: dict[str, object] = {"type": "file", "path": path, "size": len(data)}
        if path.endswith(LARGE):
            entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 134}
        return {**entry, "oid": git(data)}

    async def _resolve(self, request: web.Request) -> web.Response:
        assert (request.match_info["name"], request.match_info["commit"]) == (self.name, COMMIT)
        if self.bars(request):
            return refused(401, "GatedRepo", f"Access to model {self.name} is restricted.")
        path = request.match_info["path"]
        data = self.files[path]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{git(data)}"'}
        if path.endswith(LARGE):
            headers |= {"X-Linked-Etag": f'"{sha256(data)}"', "X-Linked-Size": str(len(data))}
            return web.Response(status=302, headers={**headers, "Location": self.storage(path)})
        if request.method == "HEAD":
            return web.Response(body=data, headers=headers)
        answer = self.content(request, path)
        answer.headers.update(headers)
        return answer


def git(data: bytes) -> str:
    """The id of a file in git."""
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()


def refused(status: int, code: str, message: str) -> web.Response:
    headers = {"X-Error-Code": code, "X-Error-Message": message}
    return web.json_response({"error": message}, status=status, headers=headers)
