"""``identity passkey``: a code that is shown once, and what is revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from proxy.audit.reader import AuditReader

if TYPE_CHECKING:
    from tests.cli.conftest import Office


def passkey(office: Office, *arguments: str) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error of ``identity passkey …``."""
    return office.call("identity", "passkey", *arguments, "--config", str(office.config))


def test_a_code_is_printed_once_and_recorded_without_it(office: Office) -> None:
    """Standard output holds the code and nothing else; the log and the store do not hold it."""
    code, out, err = passkey(office, "invite", "badge-1")

    assert code == 0
    assert len(out.strip().replace("-", "")) == 32
    assert "badge-1" in err
    entries = list(AuditReader(office.folder / "data/log").entries())
    assert "passkey-invited" in [entry.kind for entry in entries]
    written = b"".join(path.read_bytes() for path in (office.folder / "data").rglob("*") if path.is_file())
    for form in (out.strip(), out.strip().replace("-", "")):
        assert form.encode() not in written


def test_a_code_tells_until_when(office: Office) -> None:
    """For programs: whose, the code, and when it ends."""
    code, out, _ = passkey(office, "invite", "badge-1", "--hours", "2", "--json")

    said = orjson.loads(out)
    assert (code, said["person"], set(said)) == (0, "badge-1", {"person", "code", "expires"})


def test_there_are_no_passkeys_before_one_is_registered(office: Office) -> None:
    """An invitation is none."""
    passkey(office, "invite", "badge-1")

    assert passkey(office, "list")[1].startswith("no passkeys")
    assert orjson.loads(passkey(office, "list", "--all", "--json")[1]) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("invite", "Badge One"), "not a personnel id"),
        (("revoke", "pk-0", "--reason", "lost at the range"), "no passkey of that id"),
        (("revoke", "pk-0", "--reason", "lost"), "needs its reason"),
    ],
)
def test_wrong_use_is_told(office: Office, arguments: tuple[str, ...], said: str) -> None:
    """Exit 2, with what is wrong."""
    code, out, err = passkey(office, *arguments)

    assert (code, out) == (2, "")
    assert said in err
