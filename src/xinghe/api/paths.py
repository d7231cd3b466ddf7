"""Which operation a path and a method mean; every other path is told where the API is."""

from xinghe.api.dialect import MOUNTS, Dialect
from xinghe.api.error_form import OPENAI_ERRORS, ErrorForm
from xinghe.api.errors import ApiError, Errors
from xinghe.api.operations import OPERATIONS, Operation

BILLING = "/dashboard/billing/"
"""Chat clients ask for it under no mount, too."""
ID = "{id}"
NOT_SERVED = (
    "/audio", "/files", "/images/edits", "/images/variations", "/batches", "/assistants",
    "/threads", "/fine_tuning", "/conversations", "/realtime", "/uploads", "/vector_stores",
    "/containers", "/evals", "/videos", "/responses/compact", "/responses/input_tokens",
)  # fmt: skip
"""What OpenAI has and this service has not."""

_EXACT: dict[str, list[Operation]] = {}
_OPEN: dict[tuple[str, str], list[Operation]] = {}
"""Operations by what stands before and behind the id."""
for _each in OPERATIONS:
    if ID in _each.path:
        _before, _, _behind = _each.path.partition(ID)
        _OPEN.setdefault((_before, _behind), []).append(_each)
    else:
        _EXACT.setdefault(_each.path, []).append(_each)
_OWN_ERRORS = [each for each in OPERATIONS if each.errors is not OPENAI_ERRORS]
# What has something behind the id comes first: an id itself may hold slashes.
_OPEN = dict(sorted(_OPEN.items(), key=lambda item: -len(item[0][1])))


def find_mount(path: str) -> tuple[Dialect, str] | None:
    """The dialect of a path and the operation under its mount, or `None`."""
    if path.startswith(BILLING):
        return Dialect.OPENAI, path
    for prefix, dialect in MOUNTS.items():
        if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
            return dialect, path[len(prefix) :]
    return None


def error_form(path: str, dialect: Dialect) -> ErrorForm:
    """How errors leave at a path under a mount, and below it: no such path, no such method."""
    for each in _OWN_ERRORS:
        if dialect in each.dialects and f"{path}/".startswith(f"{each.path}/"):
            return each.errors
    return OPENAI_ERRORS


def find_operation(path: str, method: str, dialect: Dialect) -> tuple[Operation, str]:
    """The operation at a path under a mount, and what stands there for `{id}`.

    Raises `ApiError`: 404, or 405 where the path is served by another method.
    """
    found, id_ = _at(path)
    served = [each for each in found if dialect in each.dialects]
    if not served:
        raise no_such_path(path, elsewhere=bool(found))
    for each in served:
        if each.method == method:
            return each, id_
    methods = " or ".join(each.method for each in served)
    raise ApiError(
        Errors.METHOD_NOT_SUPPORTED,
        f"Only {methods} requests are accepted",
        headers=[("Allow", ", ".join([*(each.method for each in served), "OPTIONS"]))],
    )


def _at(path: str) -> tuple[list[Operation], str]:
    exact = _EXACT.get(path.rstrip("/") or "/")
    if exact is not None:
        return exact, ""
    if path in NOT_SERVED:
        return [], ""  # no id is like that
    for (before, behind), operations in _OPEN.items():
        if path.startswith(before) and path.endswith(behind):
            id_ = path[len(before) : len(path) - len(behind)]
            if id_ or not behind:
                return operations, id_
    return [], ""


def no_such_path(path: str, *, elsewhere: bool = False) -> ApiError:
    """404 that says where the API is; `elsewhere`: at `/v1` there is such a path."""
    bases = ", ".join(prefix for prefix in MOUNTS if MOUNTS[prefix] is Dialect.DOCUMENTED)
    served = ", ".join(dict.fromkeys(each.path for each in OPERATIONS if ID not in each.path))
    what = "is not served here" if path.startswith(NOT_SERVED) else "is no path of this API"
    if path == "/metrics":
        what = "is served on a port of its own (server.metrics_port)"
    if elsewhere:
        what = "is served at /v1 alone"
    return ApiError(
        Errors.NO_SUCH_PATH,
        f"{path[:120]!r} {what}; base URLs: {bases} (the documented dialect), /v1 (OpenAI's); "
        f"operations: {served}",
    )
