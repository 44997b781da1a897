from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.cli.recording import NOBODY, operator

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
ALICE, BOB, SERVICE = 54001, 54002, 54900
UNSET = str(NOBODY)


def processes(path: Path, login: str, *users: int) -> Path:
    """Return a /proc in which this process and its parents run as these users, its own first."""
    for position, user in enumerate(users):
        folder = path / ("self" if position == 0 else str(100 + position))
        folder.mkdir(parents=True)
        parent = 101 + position if position + 1 < len(users) else 0
        (folder / "status").write_text(f"Name:\tUid: 1\nPPid:\t{parent}\nUid:\t{user}\t{user}\t{user}\t{user}\n")
    (path / "self" / "loginuid").write_text(login)
    return path


@pytest.mark.parametrize(
    ("login", "users", "environ", "found"),
    [
        (str(ALICE), [ALICE, ALICE], {}, ALICE),
        (str(ALICE), [SERVICE, 0, ALICE, 0], {}, ALICE),  # sudo -u service, from a shell of her own
        (str(ALICE), [0, 0, BOB], {"SUDO_UID": str(BOB)}, BOB),  # a login that nobody above is
        (UNSET, [0, 0, ALICE], {"SUDO_UID": str(ALICE)}, ALICE),
        (UNSET, [0, 0, ALICE], {"SUDO_UID": str(BOB)}, 0),
        (UNSET, [ALICE, ALICE], {"SUDO_UID": str(BOB), "USER": "bob", "LOGNAME": "bob"}, ALICE),
        (UNSET, [SERVICE, ALICE], {"SUDO_UID": str(ALICE)}, SERVICE),  # anybody who is the service could say so
        (str(BOB), [SERVICE, SERVICE, ALICE], {}, SERVICE),
        (UNSET, [0], {"SUDO_UID": "nobody"}, 0),
        (UNSET, [0], {"SUDO_UID": UNSET}, 0),
        ("", [ALICE], {}, ALICE),
    ],
)
def test_who_sits_there(tmp_path: Path, login: str, users: list[int], environ: Mapping[str, str], found: int) -> None:
    """A login or a SUDO_UID counts only where this process descends from one of that user's; else it is who runs it."""
    said = operator(processes(tmp_path, login, *users), environ)

    assert said == (f"login:{pwd.getpwuid(0).pw_name}" if found == 0 else f"login:{found}")


FORGED = """
import os
try:
    open("/proc/self/loginuid", "w").write("54002")
except OSError:
    pass  # this kernel lets nobody
from proxy.cli.recording import operator
print(operator())
"""


def test_nobody_is_another_by_saying_so() -> None:
    """A process that notes another's login for itself, and says so in its environment, stays who it is."""
    said = os.environ | {"USER": "bob", "LOGNAME": "bob", "SUDO_UID": str(BOB), "SUDO_USER": "bob"}

    forged = subprocess.run([sys.executable, "-c", FORGED], env=said, cwd=ROOT, capture_output=True, text=True, check=True)

    assert forged.stdout.startswith("login:")
    assert str(BOB) not in forged.stdout
