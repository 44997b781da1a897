"""A prune that is killed at some system call: nothing is lost but what was to go, and the next one finishes it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from proxy.audit.reader import AuditReader
from proxy.tlog.pruned import INTENDED
from proxy.tlog.store import first_kept, segments_of
from tests.audit.archive import SEGMENT, Archive, configured

pytestmark = pytest.mark.faults

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a configuration, and a log whose first three segments are old."""
    folder = tmp_path_factory.mktemp("archive")
    asyncio.run(Archive(configured(folder)).fill())
    return folder


@pytest.mark.parametrize("kill", ["rename:1", "fsync:2", "unlink:1", "unlink:5"])
def test_a_killed_prune_is_finished_by_the_next(
    filled: Path, tmp_path: Path, strace: str, kill: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever it was killed the log verifies, holds everything that is to be kept, and is pruned in the end."""
    archive = Archive(shutil.copytree(filled, tmp_path / "archive") / "showcause.yaml", capsys)
    log = archive.settings.log
    kept = list(AuditReader(log).entries(3 * SEGMENT))
    call, _, when = kill.partition(":")
    inject = ["-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={when}"]
    command = [sys.executable, "-m", "proxy", "audit", "prune", "--config", str(archive.config)]
    killed = subprocess.run([strace, *inject, *command], cwd=ROOT, env=os.environ, check=False, capture_output=True, timeout=90)
    assert killed.returncode == -signal.SIGKILL

    assert archive.call("verify")[0] == 0
    assert list(AuditReader(log).entries(3 * SEGMENT))[: len(kept)] == kept
    assert archive.call("prune")[0] == 0
    assert archive.call("verify")[0] == 0
    assert first_kept(log) == segments_of(log)[0].first == 3 * SEGMENT
    assert sorted(path.name for path in (log / "segments").iterdir()) == [path.name for _, path in segments_of(log)]
    assert not (log / INTENDED).exists()
