"""The local server: who starts it, who uses one that runs, what a killed one leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.doctor.kit import NOBODY
from tests.kit.pace import allowed
from tests.kit.postgres import QUICK, Cluster, cluster
from xinghe.storage import LocalServer, StorageError, local_url, running

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")

HOLD = """
import sys, time
from pathlib import Path
from xinghe.storage import LocalServer, running
server = LocalServer(Path(sys.argv[1]), {"fsync": "off"})
with running(server):
    print(server.pid, flush=True)
    time.sleep(60)
"""


def answers(data: Path) -> bool:
    with psycopg.connect(local_url(data)) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def test_others_use_the_one_that_runs_and_leave_it_running(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        pid = int(first.stdout.readline())
        second = LocalServer(tmp_path, QUICK)
        with running(second):
            assert second.pid is None
            assert answers(tmp_path)
        assert answers(tmp_path)
        # With its starter killed, it ends; the next one starts at once, and finds all there.
        first.send_signal(signal.SIGKILL)
        with running(second, own=True):
            assert second.pid not in {None, pid}
            assert answers(tmp_path)
            # Killed itself, it leaves parts behind, which the next start waits for.
            assert second.pid is not None
            os.kill(second.pid, signal.SIGKILL)
            second.start()
            assert answers(tmp_path)
            last = psutil.Process(second.pid)
    assert not last.is_running()


def test_its_files_are_nobody_elses(postgres: Cluster) -> None:
    folder = postgres.server.folder
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ".s.PGSQL.5432").stat().st_mode & 0o777 == 0o700
    assert folder.with_name("postgresql.log").stat().st_mode & 0o777 == 0o600
    assert postgres.server.pid is not None
    process = psutil.Process(postgres.server.pid)
    assert process.uids().real != 0
    assert not process.net_connections("inet")


def test_no_other_role_and_no_other_user(postgres: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"[Pp]eer"):
        psycopg.connect(postgres.url.replace("user=xinghe", "user=somebody"))


@AS_ROOT
def test_another_user_cannot_use_it(tmp_path: Path) -> None:
    (tmp_path / "postgresql").mkdir(mode=0o700)
    child = os.fork()
    if child == 0:
        os.setuid(NOBODY)
        try:
            with running(LocalServer(tmp_path)):
                os._exit(1)
        except StorageError:
            os._exit(0)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_an_interrupted_start_left_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgresql.new").mkdir()
    (tmp_path / "postgresql.new" / "half").touch()
    with cluster(tmp_path):
        assert answers(tmp_path)
    assert not (tmp_path / "postgresql.new").exists()


def test_one_that_does_not_start_says_where_to_look(tmp_path: Path) -> None:
    with cluster(tmp_path):
        pass
    begun = time.monotonic()
    with pytest.raises(StorageError, match=r"postgresql\.log"):
        LocalServer(tmp_path, {"max_connections": "nonsense"}).start()
    assert time.monotonic() - begun < allowed(10), "it was waited for though it had ended"
    assert "nonsense" in (tmp_path / "postgresql.log").read_text()
