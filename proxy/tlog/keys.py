"""Secrets lie in files that only their owner can read; a key that signs checkpoints signs nothing else."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from proxy.tlog.errors import KeyChangeBegun, KeyExposed, KeyForbidden, KeyUnusable
from proxy.tlog.files import make_directory, sync_directory, write_all
from proxy.tlog.note import Signer
from proxy.tlog.signing import Kind, PrivateKey

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.tlog.signing import Private

MAX_SECRET: Final = 16_384


def create_secret(path: Path, content: bytes) -> None:
    """Write a new secret file, mode 0600, durably; never over one that exists.

    Raises:
        KeyUnusable: it exists already or cannot be written.
    """
    try:
        make_directory(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(path.parent)
    except FileExistsError:
        msg = f"{path} exists already: a key that has been used is never overwritten; move it away if it must go"
        raise KeyUnusable(msg) from None
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise KeyUnusable(msg) from error


def unreadable(path: Path, error: OSError) -> KeyUnusable:
    """Return what is to be raised when the system does not let a key file, or the folder of some, be read."""
    msg = f"{path} cannot be read: {error.strerror}"
    return KeyForbidden(msg) if isinstance(error, PermissionError) else KeyUnusable(msg)


def load_secret(path: Path) -> bytes:
    """Return the content of a secret file.

    Raises:
        KeyUnusable: it is missing, not a plain file, over 16 KiB, or open to its group or to others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            msg = f"{path} is not a plain file"
            raise KeyUnusable(msg)
        if stat.S_IMODE(status.st_mode) & 0o077:
            msg = f"{path} can be read by others than its owner (mode {stat.S_IMODE(status.st_mode):04o}): chmod 600 {path}"
            raise KeyExposed(msg)
        content = os.read(descriptor, MAX_SECRET + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_SECRET:
        msg = f"{path} is too large to be a key"
        raise KeyUnusable(msg)
    return content


def load_line(path: Path) -> str:
    """Return the one line of a secret file, as it can be sent in a header.

    Raises:
        KeyUnusable: as ``load_secret``, or it is not one line of visible ASCII.
    """
    text = load_secret(path).decode("utf-8", "replace").strip()
    if not text or not text.isascii() or not text.isprintable():
        msg = f"{path} is not one line of visible ASCII"
        raise KeyUnusable(msg)
    return text


def create_signing_key(path: Path, kind: Kind = Kind.ED25519) -> None:
    """Make a new key, by default of Ed25519, as PKCS #8 PEM in a file of mode 0600.

    Raises:
        KeyUnusable: the file exists already or cannot be written.
    """
    key: Private
    match kind:
        case Kind.ED25519 | Kind.COSIGNATURE:
            key = Ed25519PrivateKey.generate()
        case Kind.ECDSA:
            key = generate_private_key(SECP256R1())
        case Kind.ML_DSA_44:
            key = MLDSA44PrivateKey.generate()
    create_secret(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def begun(path: Path) -> Path:
    """Return where the new key of a change lies until the change is done."""
    return path.with_name(f"{path.name}.next")


def load_signer(path: Path, origin: str, second: Path | None = None, *, unfinished: bool = False) -> Signer:
    """Return the signer of the log ``origin``; its ``verifier.vkey`` is what to publish.

    Raises:
        KeyUnusable: the file is not an unencrypted Ed25519 key, or ``second`` not one of P-256 or ML-DSA-44, that only its
            owner can read.
        KeyChangeBegun: a change of key was begun and not finished (``unfinished`` is for who finishes it).
        NoteInvalid: ``origin`` cannot name a log.
    """
    if not unfinished and begun(path).exists():
        # The log may say already that the new key signs: what the old one signed from then on would count for nothing.
        msg = f"{begun(path)} is there: a change of key was begun; finish it with `showcause audit rotate-key checkpoint`"
        raise KeyChangeBegun(msg)
    key = _load(path)
    if not isinstance(key, Ed25519PrivateKey):
        msg = f"{path} is not an unencrypted Ed25519 key in PEM"
        raise KeyUnusable(msg)
    return Signer(origin, key, _second(second, origin) if second is not None else None)


def load_cosigner(path: Path, name: str) -> PrivateKey:
    """Return a witness's key, of Ed25519 or ML-DSA-44.

    Raises:
        KeyUnusable: the file is not such a key, unencrypted, that only its owner can read.
        NoteInvalid: ``name`` cannot name a witness.
    """
    key = _load(path)
    if isinstance(key, Ed25519PrivateKey):
        return PrivateKey(name, Kind.COSIGNATURE, key)
    if isinstance(key, MLDSA44PrivateKey):
        return PrivateKey(name, Kind.ML_DSA_44, key)
    msg = f"{path} is not an unencrypted key of Ed25519 or ML-DSA-44 in PEM"
    raise KeyUnusable(msg)


def _second(path: Path, origin: str) -> PrivateKey:
    key = _load(path)
    if isinstance(key, EllipticCurvePrivateKey):
        return PrivateKey(origin, Kind.ECDSA, key)
    if isinstance(key, MLDSA44PrivateKey):
        return PrivateKey(origin, Kind.ML_DSA_44, key)
    msg = f"{path} is not an unencrypted key of P-256 or ML-DSA-44 in PEM"
    raise KeyUnusable(msg)


def _load(path: Path) -> object:
    content = load_secret(path)
    try:
        return load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
