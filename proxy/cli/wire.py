"""One HTTP/1.1 exchange from the command line: bounded, no redirects, no proxies of the environment."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES: Final = 8 << 20


class ExchangeFailed(Exception):  # noqa: N818 -- it says what happened
    """There was no answer; the message says why."""


class FilesUnusable(ExchangeFailed):
    """Nobody was asked: a certificate, key or authority of ours cannot be used."""


class CertificateRefused(ExchangeFailed):
    """Somebody is there, and does not prove to be the one who was meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def client_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return a verifying TLS context; ``ca`` replaces the system's authorities, the others are our own certificate.

    Raises:
        FilesUnusable: one is not usable.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except OSError as error:
        named = ", ".join(str(path) for path in (ca, certificate, key) if path is not None)
        msg = f"{named} cannot be used: {error.strerror or error}"
        raise FilesUnusable(msg) from error
    return context


def pinned_context(theirs: Path, certificate: Path | None) -> ssl.SSLContext:
    """Return a TLS context for one server, whose certificate lies on this machine: whatever names it holds, it is that one.

    Raises:
        FilesUnusable: a file is not usable.
    """
    context = client_context(theirs, certificate, None)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context


def exchange(
    url: str,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    tls: ssl.SSLContext | None = None,
    seconds: float = 10,
) -> Answer:
    """Send one request and return its answer, whatever its status. ``seconds`` bounds each wait.

    Raises:
        ExchangeFailed: the server cannot be reached, is not the one its certificate should name, or does not speak HTTP.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = tls if tls is not None else client_context(None, None, None)
        connection = http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=seconds)
    try:
        connection.request(method, path, body=body, headers=dict(headers))
        response = connection.getresponse()
        content = response.read(MAX_BYTES + 1)
    except TimeoutError as error:
        msg = f"{url} did not answer within {seconds:g} s"
        raise ExchangeFailed(msg) from error
    except ssl.SSLCertVerificationError as error:
        msg = f"the certificate of {url} does not hold: {error.verify_message}"
        raise CertificateRefused(msg) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        msg = f"{url} cannot be asked: {reason}"
        raise ExchangeFailed(msg) from error
    finally:
        connection.close()
    if len(content) > MAX_BYTES:
        msg = f"the answer of {url} is larger than {MAX_BYTES} bytes"
        raise ExchangeFailed(msg)
    return Answer(status=response.status, headers={name.lower(): value for name, value in response.getheaders()}, body=content)
