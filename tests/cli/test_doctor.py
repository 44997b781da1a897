from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.audit.keys import create_key
from proxy.tlog.keys import begun, create_signing_key, load_signer
from proxy.tlog.signing import Kind
from proxy.tlog.store import LOCK
from tests.cli.conftest import bound_by_modes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Office, RecordsServer

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])


def certificate(folder: Path, *, days: float) -> None:
    """Write c.pem, k.pem and crl.pem, good for ``days`` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=400)).not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    revoked = (
        x509.CertificateRevocationListBuilder().issuer_name(NAME)
        .last_update(now - timedelta(days=400)).next_update(now + timedelta(days=days)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    (folder / "c.pem").write_bytes(made.public_bytes(pem))
    (folder / "crl.pem").write_bytes(revoked.public_bytes(pem))
    (folder / "k.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    (folder / "k.pem").chmod(0o600)


def with_tls(office: Office, url: str) -> None:
    """Give the terminals' door TLS and a revocation list."""
    tls = "{certificate: c.pem, key: k.pem, client_ca: c.pem, crl: crl.pem}"
    office.write(url, doors=f"{{terminals: {{port: 0, tls: {tls}}}, console: {{port: 0}}, ops: {{port: 0}}}}")


def test_a_sound_office_has_no_troubles(office: Office) -> None:
    """Exit 0, one line for each part, for people."""
    code, out, _ = office.call("doctor", "--config", str(office.config))

    assert code == 0, out
    assert {line.split()[0] for line in out.splitlines()} == {"ok"}
    for part in ("policies", "keys.body", "store", "log", "data", "doors.ops", "upstream", "clock"):
        assert f" {part} " in out


def test_nothing_is_written_by_looking(office: Office) -> None:
    """No store, no log and no lock come to be."""
    office.troubles()

    assert list((office.folder / "data").iterdir()) == []


def test_no_network_leaves_the_records_server_alone(office: Office, records_server: RecordsServer) -> None:
    """``--no-network``."""
    code, out, _ = office.call("doctor", "--config", str(office.config), "--no-network")

    assert code == 0
    assert "upstream" not in out
    assert records_server.journal == []


def test_policies_with_mistakes_send_to_check(office: Office) -> None:
    """One line, not all mistakes over again."""
    (office.folder / "policies/fields.yaml").write_text("wrong: 1\n", "utf-8")

    level, _, hint = office.troubles()["policies"]
    assert (level, "check" in hint) == ("failure", True)


@pytest.mark.parametrize("name", ["checkpoint", "index", "body", "registry"])
def test_each_key_is_tried(office: Office, name: str) -> None:
    """Missing, readable by others, or not a key."""
    path = office.folder / "keys" / name
    path.chmod(0o640)
    _, detail, hint = office.troubles()[f"keys.{name}"]
    assert "chmod 600" in detail
    assert "put back" not in hint

    path.chmod(0o600)
    path.write_bytes(b"x")
    assert office.troubles()[f"keys.{name}"][0] == "failure"

    path.unlink()
    assert "No such file" in office.troubles()[f"keys.{name}"][1]


@pytest.mark.parametrize("name", ["checkpoint", "index", "body", "registry"])
def test_a_key_that_this_user_may_not_read_is_not_replaced(office: Office, name: str) -> None:
    """The way out is another user, and never a new key or an older one."""
    path = office.folder / "keys" / name
    path.chmod(0)

    with bound_by_modes():
        _, detail, hint = office.troubles()[f"keys.{name}"]

    assert "Permission denied" in detail
    assert "the service's user" in hint
    assert "openssl" not in hint


def test_a_folder_of_keys_that_may_not_be_read_is_not_an_empty_one(office: Office) -> None:
    """Whoever is told that there is no key makes one, and the log goes on with it."""
    (office.folder / "keys/bodies").mkdir()
    (office.folder / "keys/body").rename(office.folder / "keys/bodies/first.key")
    (office.folder / "keys/store").write_bytes((office.folder / "keys/registry").read_bytes())
    (office.folder / "keys/store").chmod(0o600)
    keys = "{checkpoint: keys/checkpoint, index: keys/index, body: keys/bodies, registry: keys/registry, store: keys/store}"
    office.write("http://127.0.0.1:9", keys=keys)
    (office.folder / "keys/bodies").chmod(0)

    with bound_by_modes():
        _, detail, hint = office.troubles()["keys.body"]
        code, _, err = office.call("identity", "list", "--config", str(office.config))
    (office.folder / "keys/bodies").chmod(0o700)

    assert "Permission denied" in detail
    assert "openssl" not in hint
    assert (code == 0) or "rotate-key" not in err


def test_a_change_of_key_that_was_begun_is_to_be_finished(office: Office) -> None:
    """No key is to be put back or made then: either would lose the one that the log may sign with already."""
    create_signing_key(begun(office.folder / "keys/checkpoint"))
    create_signing_key(office.folder / "keys/second", Kind.ML_DSA_44)
    with office.config.open("a") as config:
        config.write("audit: {second_key: keys/second}\n")

    troubles = office.troubles()

    for part in ("keys.checkpoint", "audit.second_key"):
        level, detail, hint = troubles[part]
        assert (level, "a change of key was begun" in detail) == ("failure", True)
        assert "`audit rotate-key checkpoint`" in hint
        assert "genpkey" not in hint


@pytest.mark.parametrize("about", ["another log", "nobody"])
def test_a_policy_of_witnesses_with_which_nothing_starts_is_a_failure(office: Office, about: str) -> None:
    """About other logs, or without anybody to ask: told without network too."""
    line = f"log {load_signer(office.folder / 'keys/checkpoint', 'office.example.gov/old').verifier.vkey}\n"
    (office.folder / "witnesses").write_text(f"{line if about == 'another log' else ''}quorum none\n")
    with office.config.open("a") as config:
        config.write("audit: {witnesses: witnesses}\n")

    _, out, _ = office.call("doctor", "--no-network", "--config", str(office.config))

    [told] = [line for line in out.splitlines() if line.split()[1] == "witnesses"]
    assert told.startswith("FAIL")
    assert ("about other logs than office.example.gov/audit" if about == "another log" else "cannot be met") in told


def test_the_registry_is_opened_with_its_key(office: Office) -> None:
    """With another key than the one the rows were sealed with nothing starts, so it is told here."""
    office.enroll()
    assert office.troubles() == {}

    key = office.folder / "keys/registry"
    key.unlink()
    create_key(key)

    found = office.troubles()
    assert set(found) == {"registry"}
    assert "another key" in found["registry"][1]


def test_the_verifier_key_is_told(office: Office) -> None:
    """Whoever verifies the log elsewhere needs it, and `audit verify --key` takes it."""
    _, out, _ = office.call("doctor", "--config", str(office.config), "--json")
    told = next(each["detail"] for each in orjson.loads(out)["checks"] if each["part"] == "keys.checkpoint")

    assert told.startswith("the log's verifier key is office.example.gov/audit+")


def test_a_records_server_that_is_down(office: Office) -> None:
    """It says which address; the clock cannot be compared."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    office.write(f"http://127.0.0.1:{port}")

    found = office.troubles()
    assert set(found) == {"upstream"}
    assert str(port) in found["upstream"][1]


def test_a_records_server_that_never_answers(office: Office) -> None:
    """The wait has an end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        office.write(url, upstream=f"{{url: '{url}', reply_seconds: 0.2}}")

        assert "did not answer within 0.2 s" in office.troubles()["upstream"][1]


@pytest.mark.parametrize(("status", "level"), [(401, "failure"), (403, "failure"), (503, "warning")])
def test_a_records_server_that_refuses_us(office: Office, records_server: RecordsServer, status: int, level: str) -> None:
    """Our credential, or its own trouble."""
    records_server.status = status

    assert office.troubles()["upstream"][:2][0] == level


def test_the_credential_is_shown_to_the_records_server_and_to_nobody_else(
    office: Office, records_server: RecordsServer
) -> None:
    """It is sent as Authorization, and not printed."""
    secret = office.folder / "keys/credential"
    secret.write_text("Token s3cr3t\n", "utf-8")
    secret.chmod(0o600)
    office.write(records_server.url, upstream=f"{{url: '{records_server.url}', credential: keys/credential}}")

    code, out, err = office.call("doctor", "--config", str(office.config), "--json")

    assert code == 0
    assert records_server.journal == [("HEAD", "/", "Token s3cr3t")]
    assert "s3cr3t" not in out + err


@pytest.mark.parametrize("seconds", [-30, 30])
def test_a_clock_that_is_off(office: Office, records_server: RecordsServer, seconds: int) -> None:
    """Entries of two machines must tell one time (CJIS AU-8)."""
    records_server.ahead = timedelta(seconds=seconds)

    level, detail, hint = office.troubles()["clock"]
    assert level == "warning"
    assert 29 <= float(detail.split()[0]) <= 31
    assert "NTP" in hint


def test_a_records_server_without_a_clock(office: Office, records_server: RecordsServer) -> None:
    """Then it has to be compared by hand."""
    records_server.tells_time = False

    assert office.troubles()["clock"][0] == "warning"


@pytest.mark.parametrize(
    ("days", "levels"),
    [(90, {}), (10, {"certificate": "warning", "client_ca": "warning"}), (0.5, {"crl": "warning"}), (-1, {"crl": "failure"})],
)
def test_certificates_and_lists_have_an_end(
    office: Office, records_server: RecordsServer, days: float, levels: dict[str, str]
) -> None:
    """A warning a month before, a failure after; a revocation list a day before."""
    certificate(office.folder, days=days)
    with_tls(office, records_server.url)

    found = office.troubles()
    for name, level in levels.items():
        assert found[f"doors.terminals.tls.{name}"][0] == level
    assert bool(found) is bool(levels)


def test_a_certificate_that_is_none(office: Office, records_server: RecordsServer) -> None:
    """Missing, or something else."""
    certificate(office.folder, days=90)
    with_tls(office, records_server.url)
    (office.folder / "c.pem").write_text("hello", "utf-8")
    (office.folder / "crl.pem").unlink()

    found = office.troubles()
    assert "in PEM" in found["doors.terminals.tls.certificate"][1]
    assert "No such file" in found["doors.terminals.tls.crl"][1]


def test_a_certificate_and_the_key_of_another_one(office: Office, records_server: RecordsServer) -> None:
    """Each is sound by itself, and with both the start fails."""
    certificate(office.folder, days=90)
    kept = (office.folder / "k.pem").read_bytes()
    certificate(office.folder, days=90)
    with_tls(office, records_server.url)
    assert office.troubles() == {}

    (office.folder / "k.pem").write_bytes(kept)

    level, detail, hint = office.troubles()["doors.terminals.tls"]
    assert (level, "k.pem" in detail, "start fails" in hint) == ("failure", True, True)


def test_files_of_ours_that_are_missing_do_not_send_to_the_records_server(
    office: Office, records_server: RecordsServer
) -> None:
    """Nobody was asked, so neither its address nor the firewall is the matter."""
    office.write(records_server.url, upstream=f"{{url: '{records_server.url}', credential: keys/credential}}")

    assert "firewall" not in office.troubles()["upstream"][2]
    assert records_server.journal == []


def test_a_credential_that_cannot_be_sent_is_found(office: Office, records_server: RecordsServer) -> None:
    """Empty, or of two lines: the start fails on it."""
    office.write(records_server.url, upstream=f"{{url: '{records_server.url}', credential: keys/credential}}")
    for text in ("", "Bearer a\nb"):
        (office.folder / "keys/credential").write_text(text, "utf-8")
        (office.folder / "keys/credential").chmod(0o600)
        assert "one line" in office.troubles()["upstream.credential"][1]


def test_a_store_without_anybody_protected_is_a_warning(office: Office) -> None:
    """It is what the alert ShowcauseRegistryEmpty will ring for."""
    (office.folder / "c.csv").write_text("number,kind,agency,opened_at\n26-1,case,KY0429900,2026-11-01T00:00:00Z\n", "utf-8")
    office.call("cases", "import", str(office.folder / "c.csv"), "--config", str(office.config))

    level, _, hint = office.troubles()["registry"]
    assert (level, "registry import" in hint) == ("warning", True)


def test_a_store_that_is_damaged_newer_or_open_to_others(office: Office) -> None:
    """Each with what to do, and none is touched."""
    store = office.folder / "data/store.sqlite3"
    store.write_bytes(b"not a database at all" * 100)
    store.chmod(0o600)
    assert "backup" in office.troubles()["store"][2]

    store.unlink()
    with sqlite3.connect(store) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    store.chmod(0o600)
    assert "newer" in office.troubles()["store"][2]

    store.chmod(0o644)
    assert "chmod 600" in office.troubles()["store"][2]


def test_a_store_of_another_version_that_would_not_start_is_told_of(office: Office) -> None:
    """The start refuses it and sends here."""
    office.enroll()
    with sqlite3.connect(office.folder / "data/store.sqlite3") as connection:
        connection.execute("ALTER TABLE cases RENAME COLUMN kind TO sort")
    connection.close()

    level, detail, _ = office.troubles()["store"]

    assert (level, "cases.kind is missing" in detail) == ("failure", True)


def test_a_store_that_somebody_holds_is_not_to_be_replaced(office: Office) -> None:
    """It is whole, and a backup in its place would lose what came since."""
    store = office.folder / "data/store.sqlite3"
    with sqlite3.connect(store, isolation_level=None) as holder:
        holder.execute("PRAGMA user_version = 1")
        store.chmod(0o600)
        holder.execute("BEGIN EXCLUSIVE")
        _, detail, hint = office.troubles()["store"]
    holder.close()

    assert "locked" in detail
    assert "backup" not in hint
    assert "holds it" in hint


@pytest.mark.parametrize(
    "name", ["store.sqlite3", "store.sqlite3-wal", "log", "log/acknowledged", "log/segments/000000000000.seg"]
)
def test_what_cannot_be_written_is_named(office: Office, name: str) -> None:
    """A command that root ran leaves files behind which the service cannot write: the start fails, so this says which."""
    store = office.folder / "data/store.sqlite3"
    with sqlite3.connect(store) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    (office.folder / "data/log/segments").mkdir(mode=0o700, parents=True)
    (office.folder / "data/log").chmod(0o700)
    for each in ("store.sqlite3", "store.sqlite3-wal", "log/lock", "log/acknowledged", "log/segments/000000000000.seg"):
        (office.folder / "data" / each).touch()
        (office.folder / "data" / each).chmod(0o600)
    path = office.folder / "data" / name
    path.chmod(0o500 if path.is_dir() else 0o400)

    with bound_by_modes():
        level, detail, hint = office.troubles()[name.partition(".")[0].partition("/")[0]]
    path.chmod(0o700)

    assert (level, str(path) in detail) == ("failure", True)
    assert "chown" in hint


def test_a_data_folder_that_may_not_be_entered_is_told_with_everything_else(office: Office) -> None:
    """The look goes on: it is for finding all that is wrong."""
    (office.folder / "data").chmod(0)

    with bound_by_modes():
        found = office.troubles()
    (office.folder / "data").chmod(0o700)

    assert "Permission denied" in found["data"][1]
    assert "backup" not in found["data"][2]


def test_a_log_that_a_server_holds_is_no_trouble_and_its_doors_are_not_tried(office: Office) -> None:
    """It is for beside a running server, too, and never waits for the lock."""
    folder = office.folder / "data/log"
    folder.mkdir(mode=0o700)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        code, out, _ = office.call("doctor", "--config", str(office.config))
    finally:
        os.close(descriptor)

    assert code == 0
    assert "a running server has it open" in out
    assert "doors." not in out


def test_a_log_open_to_others(office: Office) -> None:
    """Its folder is the owner's."""
    (office.folder / "data/log").mkdir(mode=0o755)
    (office.folder / "data/log").chmod(0o755)

    assert "chmod 700" in office.troubles()["log"][2]


def test_a_port_that_is_taken_and_an_address_that_is_not_ours(office: Office, records_server: RecordsServer) -> None:
    """Each door by its name."""
    port = records_server.url.rpartition(":")[2]
    console = "{port: 0, host: 192.0.2.1, unsafe_plaintext: true}"
    doors = f"{{terminals: {{port: {port}}}, console: {console}, ops: {{port: 0}}}}"
    office.write(records_server.url, doors=doors, step_up="{mode: key}")  # passkeys of localhost would be good for nobody there

    found = office.troubles()
    assert "another port" in found["doors.terminals"][2]
    assert "address of this machine" in found["doors.console"][2]


def test_a_key_below_the_log_is_a_failure_and_one_on_its_disk_a_warning(office: Office, records_server: RecordsServer) -> None:
    """Whoever copies the log's folder, or its disk, would have the key too; the latter can be accepted in so many words."""
    keys = "{{checkpoint: keys/checkpoint, index: {index}, body: keys/body, registry: keys/registry}}"
    office.write(records_server.url, keys=keys.format(index="keys/index"))
    level, detail, _ = office.troubles()["keys.place"]
    assert (level, "index" in detail) == ("warning", True)

    (office.folder / "data/log").mkdir(parents=True)
    (office.folder / "keys/index").rename(office.folder / "data/log/index")
    office.write(records_server.url, keys=keys.format(index="data/log/index"))
    assert office.troubles()["keys.place"][:1] == ("failure",)


def test_a_folder_of_body_keys_wants_a_key_of_its_own_for_the_store(office: Office, records_server: RecordsServer) -> None:
    """Else its oldest key can never be destroyed."""
    (office.folder / "keys/bodies").mkdir()
    (office.folder / "keys/body").rename(office.folder / "keys/bodies/body.key")
    keys = "{checkpoint: keys/checkpoint, index: keys/index, body: keys/bodies, registry: keys/registry, unsafe_same_disk: true"
    office.write(records_server.url, keys=keys + "}")
    assert office.troubles()["keys.store"][0] == "warning"

    (office.folder / "keys/store").write_bytes((office.folder / "keys/registry").read_bytes())
    (office.folder / "keys/store").chmod(0o600)
    office.write(records_server.url, keys=keys + ", store: keys/store}")
    assert office.troubles() == {}
