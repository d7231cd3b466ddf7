"""Whom the local server runs as: itself, or under root a user with no rights but on its folder.

PostgreSQL refuses to run as root, and root's folders (`/root`, a 0700 data directory) let no other
user pass. The server's user may pass them by one capability, and no folder is opened for others.
"""

import ctypes
import os
import pwd
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from xinghe.orphan import PR_SET_PDEATHSIG

USERS = ("postgres", "nobody")

PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_VERSION = 0x20080522


class ServerUser(NamedTuple):
    """A user of the system."""

    uid: int
    gid: int
    name: str


def server_user(folder: Path) -> ServerUser:
    """Who runs the server of a folder: whom it belongs to, if it is there.

    Raises `OSError` if there is nobody to run it.
    """
    if os.geteuid() != 0:
        found = pwd.getpwuid(os.geteuid())
        return ServerUser(found.pw_uid, found.pw_gid, found.pw_name)
    if folder.exists() and (owner := folder.stat()).st_uid != 0:
        return ServerUser(owner.st_uid, owner.st_gid, pwd.getpwuid(owner.st_uid).pw_name)
    for name in USERS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(found.pw_uid, found.pw_gid, name)
    raise OSError("PostgreSQL does not run as root, and here is no user `postgres` or `nobody`")


def becoming(user: ServerUser, death: signal.Signals) -> Callable[[], None]:
    """What a child does before it becomes the server; `death` comes when its parent dies.

    Make it before the fork: a child of many threads may only call what is there already.
    """
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None
    parent = os.getpid()

    def become() -> None:
        os.umask(0o077)
        if os.geteuid() == 0:
            if libc is not None:
                libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
            os.setgroups([])
            os.setresgid(user.gid, user.gid, user.gid)
            os.setresuid(user.uid, user.uid, user.uid)
            if libc is not None:
                # The weaker one first; containers often have only the other.
                _ = _keep(libc, CAP_DAC_READ_SEARCH) or _keep(libc, CAP_DAC_OVERRIDE)
        if libc is not None:
            # After the change of user, which clears it.
            libc.prctl(PR_SET_PDEATHSIG, death, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return become


def _keep(libc: ctypes.CDLL, capability: int) -> bool:
    """Whether this process, and what it becomes, now has this capability and no other."""
    header = struct.pack("=Ii", CAPABILITY_VERSION, 0)
    bit = 1 << capability  # effective, permitted, inheritable; twice, for 64 of them
    data = struct.pack("=6I", bit, bit, bit, 0, 0, 0)
    return not (
        libc.capset(header, data)
        or libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)
    )
