"""What of the processor is ours: cgroup files as a folder, affinity for real."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinghe.doctor.processor import Capacity, capacity, quota

QUOTA, PERIOD = "cpu.cfs_quota_us", "cpu.cfs_period_us"
few = settings(max_examples=40)
MICROSECONDS = st.integers(1000, 10_000_000)
NAMES = st.lists(st.sampled_from(["docker", "a.slice", "b:c", "会"]), max_size=4)
NOISE = st.text(max_size=40) | st.sampled_from(
    ["max", "max 100000", "-1", "1 0", "0 100000", "1e5 2"]
)


def written(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return str(root)


@few
@given(allowance=MICROSECONDS, period=MICROSECONDS, names=NAMES, depth=st.integers(0, 4))
def test_a_quota_of_any_group_above_counts(
    allowance: int, period: int, names: list[str], depth: int
) -> None:
    here = "/".join(names[:depth])
    v2 = {f"sys/fs/cgroup/{here}/cpu.max": f"{allowance} {period}\n"}
    v1 = {
        f"sys/fs/cgroup/cpu/{here}/{QUOTA}": f"{allowance}\n",
        f"sys/fs/cgroup/cpu/{here}/{PERIOD}": f"{period}\n",
    }
    path = "/".join(names)
    for files, line in ((v2, f"0::/{path}\n"), (v1, f"4:memory:/x\n3:cpu,cpuacct:/{path}\n")):
        with TemporaryDirectory() as folder:
            root = written(Path(folder), {**files, "proc/self/cgroup": line})
            assert quota(root) == allowance / period


@few
@given(first=MICROSECONDS, second=MICROSECONDS)
def test_the_least_of_several_counts(first: int, second: int) -> None:
    with TemporaryDirectory() as folder:
        files = {
            "proc/self/cgroup": "3:cpu:/a\n0::/a\n",
            "sys/fs/cgroup/unified/a/cpu.max": f"{first} 100000\n",
            f"sys/fs/cgroup/cpu/{QUOTA}": f"{second}\n",
            f"sys/fs/cgroup/cpu/{PERIOD}": "100000\n",
        }
        assert quota(written(Path(folder), files)) == min(first, second) / 100000


@few
@given(one=NOISE, two=NOISE, three=NOISE, line=NOISE)
def test_what_says_nothing_limits_nothing_or_is_a_number(
    one: str, two: str, three: str, line: str
) -> None:
    with TemporaryDirectory() as folder:
        files = {
            "proc/self/cgroup": f"{line}\n0::/\n1:cpu:/../..\n",
            "sys/fs/cgroup/cpu.max": one,
            f"sys/fs/cgroup/cpu/{QUOTA}": two,
            f"sys/fs/cgroup/cpu/{PERIOD}": three,
        }
        found = quota(written(Path(folder), files))
        assert found is None or found > 0
    assert quota(folder) is None  # and where there is nothing at all


def test_a_container_sees_its_own_group_as_the_top(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/docker/7f\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}
    assert quota(written(tmp_path, files)) == 1.5


@few
@given(cores=st.integers(1, 512), limit=st.none() | st.floats(0.01, 600))
def test_threads_never_exceed_cores_or_quota(cores: int, limit: float | None) -> None:
    threads = Capacity(cores, cores, limit).threads
    assert 1 <= threads <= cores
    assert limit is None or threads <= max(1, limit)
    assert limit is not None or threads == cores


def test_hyper_threads_are_one_core(tmp_path: Path) -> None:
    cpus = range(os.cpu_count() or 1)
    topology = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    root = written(tmp_path, {topology.format(cpu): "0-63\n" for cpu in cpus})
    assert capacity(root) == Capacity(1, 1, None)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_affinity_is_told(tmp_path: Path) -> None:
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        here = capacity(str(tmp_path))
    finally:
        os.sched_setaffinity(0, mine)
    machine = os.cpu_count() or 1
    assert here == Capacity(1, machine, None)
    assert str(here) == ("1 core" if machine == 1 else f"1 of {machine} cores by affinity")
    assert str(Capacity(8, 8, 2.5)) == "8 cores, a CPU quota of 2.5"
