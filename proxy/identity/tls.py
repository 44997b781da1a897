"""Mutual TLS: the handshake proves the certificate, its one URI names the identity, and a revocation list is obeyed at once.

The common name is never read: it is free text that a certification authority for laptops may fill with anything
(RFC 9525 section 2). The URI is a SPIFFE id or of our own scheme, and it counts only when it was enrolled.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from cryptography.x509 import load_pem_x509_certificates, load_pem_x509_crl

from proxy.identity.credential import well_formed_uri
from proxy.identity.principal import CredentialInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

THUMBPRINT: Final = "x5t#S256"
EXPIRES_SOON: Final = timedelta(days=14)
_PROTOCOLS: Final = ["http/1.1"]
_OLD_LIST: Final = "the revocation list is past its next update, so no client certificate is taken: put a new one there"


class CertificatesUnusable(OSError):  # noqa: N818 -- reads as a sentence where it is raised
    """A certificate, key, authority or revocation list cannot be used; the message says which and what to do."""


def server_context(
    certificate: Path,
    key: Path,
    client_ca: Path | None = None,
    crl: Path | None = None,
    *,
    required: bool = False,
) -> ssl.SSLContext:
    """Return a server's TLS context that follows its files: TLS 1.2 or newer, client certificates when ``client_ca`` is given.

    All files are PEM. ``required`` refuses clients without a certificate in the handshake; else they may come with a key.
    A replaced file takes effect at the next connection. While a file is unusable or the list is past its next update,
    handshakes that need it fail.

    Raises:
        CertificatesUnusable: a file is not usable, or clients would be trusted without a revocation list.
    """
    if client_ca is not None and crl is None:
        raise CertificatesUnusable("client certificates need a revocation list (PEM), even an empty one: give the CRL's file")
    if client_ca is None and (required or crl is not None):
        raise CertificatesUnusable("a CRL or required client certificates need the authority that signs them: give its file")
    context = _FollowingContext(ssl.PROTOCOL_TLS_SERVER)
    context.follow(certificate, key, client_ca, crl, required=required)
    return context


def trouble(context: ssl.SSLContext, now: datetime) -> str | None:
    """Return why a context of ``server_context`` fails handshakes, or None. Clients are not told by us, so ask."""
    if not isinstance(context, _FollowingContext):
        return None
    try:
        context.fresh()
    except CertificatesUnusable as unusable:
        return str(unusable)
    if _past(context.ends, now):
        return f"the certificate in {context.certificate} expired at {_minute(context.ends)}: renew it, no restart is needed"
    if context.required and _past(context.list_ends, now):
        return _OLD_LIST
    return None


def notice(context: ssl.SSLContext, now: datetime) -> str:
    """Return what will fail handshakes soon, or fails some of them, or nothing."""
    if not isinstance(context, _FollowingContext):
        return ""
    if _past(context.list_ends, now):
        return _OLD_LIST
    if _past(context.ends, now + EXPIRES_SOON):
        return f"the certificate in {context.certificate} expires at {_minute(context.ends)}: renew it, no restart is needed"
    return ""


def _past(moment: datetime | None, now: datetime) -> TypeGuard[datetime]:
    return moment is not None and moment <= now


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def certificate_uris(peer: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the identity of ``getpeercert()``: its one URI, verified by the handshake. No peer certificate: nothing.

    Raises:
        CredentialInvalid: there is not exactly one URI (SPIFFE X.509-SVID section 2), or it is none of the known forms.
    """
    if not peer:
        return ()
    uris = tuple(value for kind, value in peer.get("subjectAltName", ()) if kind == "URI")
    if len(uris) != 1:
        raise CredentialInvalid(f"The client certificate holds {len(uris)} URIs; an identity is exactly one.")
    if not well_formed_uri(uris[0]):
        raise CredentialInvalid("The client certificate's URI is not spiffe://… or showcause://… in its plain form.")
    return uris


def with_thumbprint(peer: Mapping[str, Any], certificate: bytes) -> Mapping[str, Any]:
    """Return ``getpeercert()`` with the SHA-256 of the certificate itself (DER), to which a token can be bound (RFC 8705)."""
    return {**peer, THUMBPRINT: base64.urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=").decode()}


class _FollowingContext(ssl.SSLContext):
    """A context that makes every connection from the newest state of its files.

    A new context also forgets its sessions. TLS resumption skips the verification of certificates, so a session that was
    begun before a revocation would otherwise outlive it.
    """

    ends: datetime | None = None
    list_ends: datetime | None = None

    def follow(self, certificate: Path, key: Path, client_ca: Path | None, crl: Path | None, *, required: bool) -> None:
        self.certificate = certificate
        self.required = required
        self._key = key
        self._client_ca = client_ca
        self._crl = crl
        self._state = self._stat()
        self._current = self._build()

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return self._fresh_or_closed().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        return self._fresh_or_closed().wrap_socket(*args, **kwargs)

    def _fresh_or_closed(self) -> ssl.SSLContext:
        try:
            return self.fresh()
        except CertificatesUnusable:
            # asyncio leaks the connection when this raises. A context without a certificate fails every handshake instead.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def fresh(self) -> ssl.SSLContext:
        state = self._stat()
        if state != self._state:
            # A failure leaves the old state behind, so the next connection tries again.
            self._current = self._build()
            self._state = state
        return self._current

    def _stat(self) -> tuple[tuple[int, int, int], ...]:
        state = []
        for path in (self.certificate, self._key, self._client_ca, self._crl):
            if path is not None:
                try:
                    found = path.stat()
                except OSError as error:
                    msg = f"{path} cannot be read: {error.strerror}"
                    raise CertificatesUnusable(msg) from error
                state.append((found.st_mtime_ns, found.st_ino, found.st_size))
        return tuple(state)

    def _build(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
        context.num_tickets = 0
        context.set_alpn_protocols(_PROTOCOLS)
        try:
            context.load_cert_chain(self.certificate, self._key)
        except ssl.SSLError as error:
            msg = f"{self.certificate} and {self._key} are not a PEM certificate and its key: {error.reason or error}"
            raise CertificatesUnusable(msg) from error
        except OSError as error:
            msg = f"{self.certificate} or {self._key} cannot be read: {error.strerror}"
            raise CertificatesUnusable(msg) from error
        with suppress(ValueError):  # OpenSSL reads what cryptography does not; then nobody is told of its end
            self.ends = load_pem_x509_certificates(self.certificate.read_bytes())[0].not_valid_after_utc
        if self._client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED if self.required else ssl.CERT_OPTIONAL
            context.verify_flags |= ssl.VERIFY_X509_STRICT
            _load(context, self._client_ca, "the clients' authority")
            if self._crl is not None:
                context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
                _load(context, self._crl, "a revocation list")
                with suppress(ValueError):
                    self.list_ends = load_pem_x509_crl(self._crl.read_bytes()).next_update_utc
        return context


def _load(context: ssl.SSLContext, path: Path, what: str) -> None:
    before = context.cert_store_stats()
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        msg = f"{path} is not {what} in PEM: {error.strerror or error}"
        raise CertificatesUnusable(msg) from error
    after = context.cert_store_stats()
    grown = "crl" if what == "a revocation list" else "x509_ca"
    if after[grown] <= before[grown]:
        msg = f"{path} does not hold {what} in PEM"
        raise CertificatesUnusable(msg)
