"""Free memory by the system's account and by that of control groups, on file systems made up for the test."""

from __future__ import annotations

import pytest

from trulysparse._core import memory

GiB = 1 << 30


def system(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(text))
    return memory.free_bytes(root)


def meminfo(gib):
    return {"proc/meminfo": f"MemTotal: 99 kB\nMemFree: 1 kB\nMemAvailable:   {gib << 20} kB\nHugePages_Total: 0\n"}


def group(where, limit, used, stat):
    top = f"sys/fs/cgroup{where}"
    return {f"{top}/memory.max": limit, f"{top}/memory.current": used, f"{top}/memory.stat": stat}


def group_v1(where, limit, used, stat):
    top = f"sys/fs/cgroup/memory{where}"
    return {f"{top}/memory.limit_in_bytes": limit, f"{top}/memory.usage_in_bytes": used, f"{top}/memory.stat": stat}


STAT = f"anon {GiB}\nfile {6 * GiB}\nshmem {GiB}\nactive_file {2 * GiB}\ninactive_file {3 * GiB}\n"


def test_without_groups_it_is_what_the_system_has_available(tmp_path):
    assert system(tmp_path, meminfo(16)) == 16 * GiB


def test_cached_files_in_a_group_count_as_free(tmp_path):
    assert system(tmp_path, meminfo(64) | group("", 8 * GiB, 8 * GiB - 4096, STAT)) == 3 * GiB + 4096
    assert system(tmp_path, group("", 8 * GiB, 7 * GiB, f"file {6 * GiB}\nshmem {GiB}\n")) == 6 * GiB
    assert system(tmp_path, group("", 8 * GiB, 7 * GiB, "not a number\nfile\n")) == GiB


def test_a_group_without_a_limit_or_statistics_is_passed_over(tmp_path):
    assert system(tmp_path, meminfo(16) | group("", "max", GiB, STAT)) == 16 * GiB
    (tmp_path / "sys/fs/cgroup/memory.stat").unlink()
    assert system(tmp_path, {"sys/fs/cgroup/memory.max": 4 * GiB}) == 3 * GiB


@pytest.mark.parametrize("tightest", ["/a/b", "/a", ""])
def test_the_tightest_of_nested_groups_counts(tmp_path, tightest):
    files = meminfo(64) | {"proc/self/cgroup": "0::/a/b\n"}
    for where in ("/a/b", "/a", ""):
        files |= group(where, (4 if where == tightest else 32) * GiB, GiB, "inactive_file 0\n")
    files |= group("/other", GiB, GiB, "inactive_file 0\n")
    assert system(tmp_path, files) == 3 * GiB


def test_within_a_container_the_group_is_at_the_top(tmp_path):
    files = meminfo(64) | {"proc/self/cgroup": "0::/docker/0123\n"} | group("", 4 * GiB, GiB, "inactive_file 0\n")
    assert system(tmp_path, files) == 3 * GiB


@pytest.mark.parametrize("where", ["", "/user/one"])
def test_version_1_limits_count(tmp_path, where):
    files = meminfo(64) | {"proc/self/cgroup": f"5:cpu,cpuacct:/x\n4:memory:{where or '/'}\n1:name=systemd:/\n0::/\n"}
    files |= group_v1("", 9223372036854771712, GiB, "total_inactive_file 0\n")
    stat = f"inactive_file 5\ntotal_inactive_file {GiB}\n"
    assert system(tmp_path, files | group_v1(where, 4 * GiB, 2 * GiB, stat)) == 3 * GiB


def test_paths_that_lead_out_or_make_no_sense_are_harmless(tmp_path):
    files = meminfo(2) | {"proc/self/cgroup": "0::/../../etc\nnonsense\n\n"}
    assert system(tmp_path, files) == 2 * GiB


def test_overdrawn_groups_have_nothing_left(tmp_path):
    assert system(tmp_path, group("", GiB, 2 * GiB, "inactive_file 0\n")) == 0


def test_this_machine_has_some(tmp_path):
    free = memory.free_bytes()
    assert free is None or free > 0
    assert memory.free_bytes(tmp_path) is None or memory.free_bytes(tmp_path) > 0  # nothing there: the pages free


def test_resident_bytes(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/statm").write_text("900 25 3 1 0 6 0\n")
    assert memory.resident_bytes(tmp_path) == 25 * memory.os.sysconf("SC_PAGE_SIZE")
    assert memory.resident_bytes(tmp_path / "nothing") is None
    assert memory.resident_bytes() > 10 << 20
