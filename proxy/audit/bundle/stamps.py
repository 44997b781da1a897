"""RFC 3161: a third party says that the manifest existed at a time.

The request asks for the authority's certificate, so that the token verifies with its root alone. ``openssl ts -verify`` reads
the same file.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from cryptography.x509 import load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampRequest, TimeStampResponse

MAX_STAMP: Final = 65_536


class StampInvalid(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """A time-stamp is malformed, of other content, or not by an authority that is believed."""


def authorities(path: Path) -> Sequence[Certificate]:
    """Return the certificates of a PEM file.

    Raises:
        StampInvalid: it holds none.
        OSError: it cannot be read.
    """
    try:
        return load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        msg = f"{path} holds no certificate in PEM"
        raise StampInvalid(msg) from None


def request_for(manifest: bytes) -> TimeStampRequest:
    """Return a request with a nonce, which asks for the authority's certificate too."""
    return TimestampRequestBuilder().data(manifest).hash_algorithm(HashAlgorithm.SHA256).build()


def stamped_at(content: bytes, manifest: bytes, roots: Sequence[Certificate]) -> datetime:
    """Return when an authority says that the manifest existed.

    Raises:
        StampInvalid: the time-stamp does not say that.
    """
    response = _decoded(content)
    _verified(VerifierBuilder(), response, manifest, roots)
    return response.tst_info.gen_time


def stated_at(content: bytes) -> datetime:
    """Return the time that a time-stamp states, whoever made it.

    Raises:
        StampInvalid: it is none.
    """
    return _decoded(content).tst_info.gen_time


def _decoded(content: bytes) -> TimeStampResponse:
    try:
        return decode_timestamp_response(content[: MAX_STAMP + 1])
    except ValueError:
        raise StampInvalid("it is no answer of a time-stamping authority (RFC 3161)") from None


def _verified(builder: VerifierBuilder, response: TimeStampResponse, manifest: bytes, roots: Sequence[Certificate]) -> None:
    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify(response, hashlib.sha256(manifest).digest())
    except (VerificationError, ValueError) as error:
        msg = f"it does not hold: {error}"
        raise StampInvalid(msg) from None
