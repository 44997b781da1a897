r"""C2SP signed notes and checkpoints: what a log says of itself, in text that anybody can check.

A checkpoint is ``<origin>\n<size>\n<root in base64>\n``, a blank line, and one line for each signature:
``— <key name> base64(key id || signature)``. The key id binds name, algorithm and key (c2sp.org/signed-note), so a
signature by a key that is not known is skipped instead of failing: cosignatures of witnesses and second kinds of key
(``signing``) stand beside the first, and whoever knows one of them is not disturbed by the others.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.tlog.errors import NoteInvalid
from proxy.tlog.merkle import HASH_SIZE
from proxy.tlog.signing import DASH, NAME, TIMED, Kind, PrivateKey, PublicKey, decode_base64

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SIZE: Final = re.compile(r"(0|[1-9][0-9]{0,18})\Z")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
MAX_NOTE: Final = 131_072
MAX_SIGNATURES: Final = 32
"""c2sp.org/signed-note wants at least 16 lines, of up to 5 kB each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed statement: the log ``origin`` had ``size`` entries with root hash ``root``. ``text`` is the whole note."""

    origin: str
    size: int
    root: bytes
    text: str

    @property
    def body(self) -> str:
        """Return what is signed: the text up to the blank line."""
        return self.text.rpartition("\n\n")[0] + "\n"


class Signature(NamedTuple):
    """One signature line: whose it says it is, and the line itself without its end."""

    name: str
    key_id: bytes
    signature: bytes
    line: str


class Verifier:
    """Checks checkpoints against one public key of the log."""

    def __init__(self, name: str, public: bytes, kind: Kind = Kind.ED25519) -> None:
        """Keep a public key, by default a raw Ed25519 one, under the log's name.

        Raises:
            NoteInvalid: the name has blanks, a plus sign or nothing; or the key is not one.
        """
        self.key = PublicKey(name, kind, public)
        self.name = name
        self.key_id = self.key.key_id
        self.vkey = self.key.vkey

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read a verifier key.

        Raises:
            NoteInvalid: it is malformed, only a witness's, or its key id is not that of the key.
        """
        key = PublicKey.parse(vkey)
        if key.kind is Kind.COSIGNATURE:
            raise NoteInvalid("this is the verifier key of a witness, not of a log")
        return Verifier(key.name, key.material, key.kind)

    def checkpoint(self, text: str) -> Checkpoint:
        """Return the checkpoint that ``text`` is, once its signature by this key holds.

        Raises:
            NoteInvalid: it is malformed, of another log, or not signed by this key.
        """
        checkpoint = parse_unverified(text)
        if checkpoint.origin != self.name:
            msg = f"this checkpoint is of {checkpoint.origin!r}, not of {self.name!r}"
            raise NoteInvalid(msg)
        for signature in signatures_of(text):
            if signature.name == self.name and signature.key_id == self.key_id:
                self.key.verify(checkpoint.body, signature.signature)
                return checkpoint
        raise NoteInvalid("this checkpoint is not signed by this key")


class Signer:
    """Signs a log's checkpoints."""

    def __init__(self, name: str, key: Ed25519PrivateKey, second: PrivateKey | None = None) -> None:
        """Bind the private key to the log's name; ``second`` signs what the log publishes beside it.

        Raises:
            NoteInvalid: the name cannot name a log.
        """
        self._key = key
        self.verifier = Verifier(name, key.public_key().public_bytes_raw())
        self.second = second
        self._prefix = f"\n{DASH}{name} "

    def checkpoint(self, size: int, root: bytes) -> Checkpoint:
        """Sign that the log has ``size`` entries with this root; about 40 microseconds."""
        origin = self.verifier.name
        body = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        signature = base64.b64encode(self.verifier.key_id + self._key.sign(body.encode())).decode()
        return Checkpoint(origin=origin, size=size, root=root, text=f"{body}{self._prefix}{signature}\n")

    def note(self, body: str) -> str:
        """Return the line of this key under a text that is no checkpoint (and cannot pass as one)."""
        return PrivateKey(self.verifier.name, Kind.ED25519, self._key).line(body)

    def doubled(self, checkpoint: Checkpoint, time: int) -> Checkpoint:
        """Return a checkpoint with the second key's line, if there is a second key."""
        if self.second is None:
            return checkpoint
        return with_lines(checkpoint, [self.second.line(checkpoint.body, time if self.second.public.kind in TIMED else 0)])


def with_lines(checkpoint: Checkpoint, lines: list[str]) -> Checkpoint:
    """Return a checkpoint with more signature lines."""
    text = checkpoint.text + "".join(lines)
    return Checkpoint(origin=checkpoint.origin, size=checkpoint.size, root=checkpoint.root, text=text)


def signatures_of(text: str) -> list[Signature]:
    """Return the signature lines of a note, unverified.

    Raises:
        NoteInvalid: a line is malformed, or there are too many.
    """
    lines = text.rpartition("\n\n")[2][:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        msg = f"a note of more than {MAX_SIGNATURES} signatures is not read"
        raise NoteInvalid(msg)
    return [parse_line(line) for line in lines]


def parse_line(line: str) -> Signature:
    """Return what one signature line says.

    Raises:
        NoteInvalid: it is malformed.
    """
    name, _, blob = line.removeprefix(DASH).partition(" ")
    raw = decode_base64(blob)
    if not line.startswith(DASH) or not name or len(raw) < 5:
        raise NoteInvalid("this is not a signature line")
    return Signature(name, raw[:4], raw[4:], line)


def parse_unverified(text: str) -> Checkpoint:
    """Return what a checkpoint says, whoever signed it.

    Raises:
        NoteInvalid: it is not a checkpoint.
    """
    body, gap, signatures = text.rpartition("\n\n") if len(text) <= MAX_NOTE else ("", "", "")
    lines = body.split("\n")
    well_formed = (
        bool(gap)
        and signatures.endswith("\n")
        and all(line.startswith(DASH) for line in signatures[:-1].split("\n"))
        and len(lines) >= 3
        and bool(NAME.match(lines[0]))
        and bool(_SIZE.match(lines[1]))
        and all(lines[3:])
        and _CONTROL.search(text) is None
    )
    if not well_formed:
        raise NoteInvalid("this is not a checkpoint")
    root = decode_base64(lines[2])
    if len(root) != HASH_SIZE:
        raise NoteInvalid("the root of this checkpoint is not a SHA-256 hash")
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root, text=text)
