r"""C2SP signed notes and checkpoints: what a log says of itself, in text that anybody can check.

A checkpoint is ``<origin>\n<size>\n<root in base64>\n``, a blank line, and one line for each signature:
``— <key name> base64(key id || signature)``. The key id binds name, algorithm and key (c2sp.org/signed-note), so a
signature by another key of the same name is skipped instead of failing, and cosignatures of witnesses fit in later.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from proxy.tlog.errors import NoteInvalid
from proxy.tlog.merkle import HASH_SIZE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ED25519: Final = b"\x01"
_NAME: Final = re.compile(r"[!-*,-~]{1,200}\Z")  # visible ASCII without the plus sign
_SIZE: Final = re.compile(r"(0|[1-9][0-9]{0,18})\Z")
_DASH: Final = "\N{EM DASH} "
MAX_NOTE: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed statement: the log ``origin`` had ``size`` entries with root hash ``root``. ``text`` is the whole note."""

    origin: str
    size: int
    root: bytes
    text: str


class Verifier:
    """Checks notes against one public key, written as in Go's sumdb: ``<name>+<key id in hex>+<base64>``."""

    def __init__(self, name: str, public: bytes) -> None:
        """Keep a raw Ed25519 public key under the log's name.

        Raises:
            NoteInvalid: the name has blanks, a plus sign or nothing; or the key is not one.
        """
        if not _NAME.match(name):
            msg = f"{name!r} cannot name a log: visible ASCII characters, no blanks, no plus sign"
            raise NoteInvalid(msg)
        try:
            self._key = Ed25519PublicKey.from_public_bytes(public)
        except ValueError as error:
            raise NoteInvalid("not an Ed25519 public key") from error
        self.name = name
        self.key_id = sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]
        self.vkey = f"{name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + public).decode()}"

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read a verifier key.

        Raises:
            NoteInvalid: it is malformed, not Ed25519, or its key id is not that of the key.
        """
        parts = vkey.strip().split("+", 2)
        if len(parts) != 3:
            raise NoteInvalid("a verifier key reads <name>+<key id>+<base64 key>")
        raw = _decode(parts[2])
        if raw[:1] != _ED25519:
            raise NoteInvalid("this verifier key is not of Ed25519")
        verifier = cls(parts[0], raw[1:])
        if verifier.vkey != f"{parts[0]}+{parts[1]}+{parts[2]}":
            raise NoteInvalid("the key id of this verifier key is not that of its key: it was copied wrong or altered")
        return verifier

    def checkpoint(self, text: str) -> Checkpoint:
        """Return the checkpoint that ``text`` is, once its signature by this key holds.

        Raises:
            NoteInvalid: it is malformed, of another log, or not signed by this key.
        """
        checkpoint = parse_unverified(text)
        if checkpoint.origin != self.name:
            msg = f"this checkpoint is of {checkpoint.origin!r}, not of {self.name!r}"
            raise NoteInvalid(msg)
        body, _, signatures = text.rpartition("\n\n")
        signed = (body + "\n").encode()
        for line in signatures.splitlines():
            name, _, blob = line.removeprefix(_DASH).partition(" ")
            raw = _decode(blob)
            if name == self.name and raw[:4] == self.key_id:
                try:
                    self._key.verify(raw[4:], signed)
                except InvalidSignature:
                    raise NoteInvalid("the signature of this checkpoint does not hold") from None
                return checkpoint
        raise NoteInvalid("this checkpoint is not signed by this key")


class Signer:
    """Signs a log's checkpoints."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        """Bind the private key to the log's name.

        Raises:
            NoteInvalid: the name cannot name a log.
        """
        self._key = key
        self.verifier = Verifier(name, key.public_key().public_bytes_raw())
        self._prefix = f"\n{_DASH}{name} "

    def checkpoint(self, size: int, root: bytes) -> Checkpoint:
        """Sign that the log has ``size`` entries with this root; about 40 microseconds."""
        origin = self.verifier.name
        body = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        signature = base64.b64encode(self.verifier.key_id + self._key.sign(body.encode())).decode()
        return Checkpoint(origin=origin, size=size, root=root, text=f"{body}{self._prefix}{signature}\n")


def parse_unverified(text: str) -> Checkpoint:
    """Return what a checkpoint says, whoever signed it.

    Raises:
        NoteInvalid: it is not a checkpoint.
    """
    body, gap, signatures = text.rpartition("\n\n")
    lines = body.split("\n")
    well_formed = (
        len(text) <= MAX_NOTE
        and bool(gap)
        and signatures.endswith("\n")
        and all(line.startswith(_DASH) for line in signatures[:-1].split("\n"))
        and len(lines) >= 3
        and bool(_NAME.match(lines[0]))
        and bool(_SIZE.match(lines[1]))
    )
    if not well_formed:
        raise NoteInvalid("this is not a checkpoint")
    root = _decode(lines[2])
    if len(root) != HASH_SIZE:
        raise NoteInvalid("the root of this checkpoint is not a SHA-256 hash")
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root, text=text)


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteInvalid("this is not base64") from None
    if base64.b64encode(raw).decode() != text:  # b64decode forgives stray bits: two texts must not pass as one signature
        raise NoteInvalid("this base64 is not canonical")
    return raw
