"""What holds for every test."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A fresh clone builds its table of characters in the first example, and a machine may be busy: neither says anything of us.
settings.register_profile("showcause", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("showcause")


@pytest.fixture(scope="session")
def showcause_verify(pytestconfig: pytest.Config) -> Path:
    """Return the Go program of ``deploy/verify``, built offline from the wheel's sources; a second on a warm cache."""
    cache = pytestconfig.cache
    assert cache is not None
    kept = cache.mkdir("go")
    built = kept / "showcause-verify"
    script = Path(__file__).parents[1] / "deploy" / "verify" / "build.sh"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["sh", script, built], env=os.environ | {"PATH": path, "GOCACHE": str(kept / "cache")}, check=True)
    return built
