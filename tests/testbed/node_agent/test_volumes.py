"""Volumes of data change all at once, as readers of certificates need it."""

import os
from pathlib import Path

import pytest

from testbed.node_agent.volumes import swap


def shown(place: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and not path.relative_to(place).parts[0].startswith("..")
    }


def test_files_are_replaced_added_and_removed_by_one_rename(tmp_path: Path):
    swap(tmp_path, {"tls.crt": (b"1", 0o644), "old": (b"x", 0o644)})
    first = (tmp_path / "..data").resolve()
    swap(tmp_path, {"tls.crt": (b"2", 0o644), "new": (b"y", 0o644)})
    assert shown(tmp_path) == {"tls.crt": b"2", "new": b"y"}
    assert (tmp_path / "tls.crt").readlink() == Path("..data/tls.crt")
    assert not first.exists()


def test_unchanged_files_are_left_alone(tmp_path: Path):
    assert swap(tmp_path, {"a": (b"1", 0o644)})
    before = (tmp_path / "..data").readlink()
    assert not swap(tmp_path, {"a": (b"1", 0o644)})
    assert (tmp_path / "..data").readlink() == before


def test_a_changed_mode_is_a_change(tmp_path: Path):
    swap(tmp_path, {"a": (b"1", 0o644)})
    assert swap(tmp_path, {"a": (b"1", 0o600)})
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_paths_may_have_directories(tmp_path: Path):
    swap(tmp_path, {"etc/x/a": (b"1", 0o644), "etc/b": (b"2", 0o644)})
    assert (tmp_path / "etc/x/a").read_bytes() == b"1"
    assert (tmp_path / "etc").readlink() == Path("..data/etc")
    swap(tmp_path, {"etc/b": (b"3", 0o644)})
    assert not (tmp_path / "etc/x").exists()


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_pods_group_may_read_what_is_written_for_it(tmp_path: Path, mode: int):
    group = os.getgid()  # a plain user may give a file to no other
    swap(tmp_path, {"key": (b"1", mode)}, group)
    assert (tmp_path / "key").stat().st_mode & 0o440 == 0o440
    assert not swap(tmp_path, {"key": (b"1", mode)}, group)
