"""Signed notes, checkpoints, verifier keys and key files."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.tlog.errors import KeyUnusable, NoteInvalid
from proxy.tlog.keys import create_signing_key, load_secret, load_signer
from proxy.tlog.note import Signer, Verifier, parse_unverified

if TYPE_CHECKING:
    from pathlib import Path

SIGNER = Signer("log.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))
TEXT = SIGNER.checkpoint(5, bytes(range(32))).text


def test_verifier_key_of_the_go_checksum_database_is_read() -> None:
    """The published key of sum.golang.org parses, and its key id is recomputed to the same."""
    vkey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    assert Verifier.parse(vkey).vkey == vkey


def test_a_checkpoint_reads_as_the_specification_says() -> None:
    """Origin, size, root, a blank line, and one signature line with an em dash."""
    lines = TEXT.split("\n")
    assert lines[:4] == ["log.example", "5", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", ""]
    assert lines[4].startswith("\N{EM DASH} log.example ")
    assert lines[5:] == [""]
    assert SIGNER.verifier.checkpoint(TEXT) == SIGNER.checkpoint(5, bytes(range(32)))


def test_a_cosignature_does_not_disturb() -> None:
    """Signature lines of others, whatever their key, are passed over."""
    other = Signer("witness.example", Ed25519PrivateKey.from_private_bytes(b"w" * 32)).checkpoint(5, bytes(32)).text
    line = other.split("\n")[4]
    assert SIGNER.verifier.checkpoint(f"{TEXT}{line}\n").size == 5


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.characters(max_codepoint=0x2FFF))
def test_no_altered_character_passes(position: int, character: str) -> None:
    """Whatever character is replaced, the checkpoint no longer verifies."""
    altered = TEXT[:position] + character + TEXT[position + 1 :]
    if altered != TEXT:
        with pytest.raises(NoteInvalid):
            SIGNER.verifier.checkpoint(altered)


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_arbitrary_text_is_no_checkpoint(text: str) -> None:
    """Parsing hostile text refuses and does nothing else."""
    with pytest.raises(NoteInvalid):
        parse_unverified(text)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "a\nb"])
def test_names_that_cannot_name_a_log(name: str) -> None:
    """A name with a blank, a plus sign, a line break or nothing would make notes ambiguous."""
    with pytest.raises(NoteInvalid):
        Signer(name, Ed25519PrivateKey.from_private_bytes(bytes(32)))


@pytest.mark.parametrize(
    "vkey",
    ["", "a+b", "sum.golang.org+033de0af+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", "a+00000000+AAAA", "a+00000000+!!"],
)
def test_wrong_verifier_keys_are_refused(vkey: str) -> None:
    """A key id that is not the key's, another algorithm, or no key at all."""
    with pytest.raises(NoteInvalid):
        Verifier.parse(vkey)


def test_a_key_file_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    """The key is made with mode 0600, loads, refuses to be replaced, and is refused once others may read it."""
    path = tmp_path / "keys" / "checkpoint.pem"
    create_signing_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_signer(path, "log.example").verifier.vkey == load_signer(path, "log.example").verifier.vkey
    with pytest.raises(KeyUnusable, match="exists already"):
        create_signing_key(path)
    for mode in (0o640, 0o604, 0o610):
        path.chmod(mode)
        with pytest.raises(KeyUnusable, match="chmod 600"):
            load_signer(path, "log.example")


def test_what_is_no_key_file_is_refused(tmp_path: Path) -> None:
    """A directory, nothing, rubbish and endless content are not keys."""
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("-----BEGIN PRIVATE KEY-----\n")
    rubbish.chmod(0o600)
    with pytest.raises(KeyUnusable, match="not an unencrypted Ed25519 key"):
        load_signer(rubbish, "log.example")
    endless = tmp_path / "endless"
    endless.write_bytes(bytes(1 << 16))
    endless.chmod(0o600)
    for path in (tmp_path, tmp_path / "missing", endless):
        with pytest.raises(KeyUnusable):
            load_secret(path)
