from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def deploy() -> Path:
    return ROOT / "deploy"


@pytest.fixture(scope="session")
def tool() -> Run:
    """Run a tool and return what it said; where it is missing, skip, but fail under CI."""

    def run(name: str, *arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        places = os.pathsep.join((str(ROOT / ".venv/bin"), os.environ.get("PATH", ""), "/usr/sbin"))
        found = shutil.which(name, path=places)
        if found is None:
            if os.environ.get("CI"):
                pytest.fail(f"{name} is missing; .ci/run installs it")
            pytest.skip(f"{name} is missing; see CONTRIBUTING.md")
        return subprocess.run([found, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)

    return run
