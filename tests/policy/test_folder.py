from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from proxy.digest import digest_of
from proxy.policy.folder import Watch

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("a.yaml", "b.csv")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two files."""
    for name in FILES:
        (tmp_path / name).write_text(f"{name} as it was")
    return tmp_path


@pytest.fixture
def watch(folder: Path) -> Watch:
    """Return a watch that has begun."""
    watch = Watch(folder, lambda _: FILES, (*FILES, "cases/*.yaml"))
    watch.begin()
    return watch


def digest(folder: Path) -> str:
    """Return what the two files come to."""
    return digest_of({name: (folder / name).read_bytes() for name in FILES})


def test_what_stays_as_it_is_is_not_told(watch: Watch) -> None:
    """Any number of looks at the same bytes tell nothing."""
    assert [watch.look() for _ in range(3)] == [None, None, None]


def test_a_change_is_told_once_it_has_stood_still(watch: Watch, folder: Path) -> None:
    """The look that finds a change tells nothing; the next one does, once, if the bytes are the same."""
    (folder / "a.yaml").write_text("new")

    assert [watch.look() for _ in range(3)] == [None, digest(folder), None]


def test_a_folder_that_is_being_written_is_not_told(watch: Watch, folder: Path) -> None:
    """File after file is written: whatever lies there in between is never a policy."""
    (folder / "a.yaml").write_text("new")
    assert watch.look() is None
    (folder / "b.csv").write_text("half of a fi")
    assert watch.look() is None
    (folder / "b.csv").write_text("half of a file, and the rest")
    assert watch.look() is None

    assert watch.look() == digest(folder)


def test_an_edit_that_keeps_size_and_time_is_noticed(watch: Watch, folder: Path) -> None:
    """A file's time can be set to what it was, as rsync and touch do; the inode's own time cannot."""
    before = (folder / "a.yaml").stat()
    (folder / "a.yaml").write_text("a.yaml as it is!")
    os.utime(folder / "a.yaml", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (folder / "a.yaml").stat().st_mtime_ns == before.st_mtime_ns

    assert [watch.look(), watch.look()] == [None, digest(folder)]


def test_a_file_that_was_only_touched_is_not_told(watch: Watch, folder: Path) -> None:
    """Contents decide, not times."""
    os.utime(folder / "a.yaml")

    assert [watch.look() for _ in range(3)] == [None, None, None]


def test_a_file_that_is_gone_is_told(watch: Watch, folder: Path) -> None:
    """A missing file is a mistake that somebody has to hear of."""
    (folder / "b.csv").unlink()

    assert watch.look() is None
    assert watch.look() is not None


def test_what_is_forgotten_is_told_again(watch: Watch, folder: Path) -> None:
    """An operator who asks for a look gets one, though nothing has changed; it still has to stand still."""
    watch.forget()

    assert [watch.look() for _ in range(3)] == [None, digest(folder), None]


def test_a_case_beside_the_policy_counts_as_a_change_and_is_no_part_of_its_digest(watch: Watch, folder: Path) -> None:
    """The gates hold the policy against it, so a policy that failed by it is to be judged again."""
    (folder / "cases").mkdir()
    (folder / "cases" / "new.yaml").write_text("cases: []")

    assert [watch.look(), watch.look()] == [None, digest(folder)]
    assert watch.told == digest(folder)
