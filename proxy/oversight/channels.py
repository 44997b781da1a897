"""The channels: a batch of notifications becomes mail, signed webhooks (Standard Webhooks 1.0) or a chat message.

What leaves holds a sentence of ours, an id and a link. A channel answers when the other side has taken it, or raises
``NotTaken`` with words from a closed list: what a mail server or a receiver says may quote anything.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp
import aiosmtplib
import orjson
from standardwebhooks.webhooks import Webhook as Signature

from proxy.oversight.notification import SENTENCES, Kind
from proxy.oversight.notification_file import Chat, Email, Webhook
from proxy.tlog.errors import KeyUnusable
from proxy.tlog.keys import load_secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from proxy.oversight.notification import Delivery
    from proxy.oversight.notification_file import Notifying

MOST_LINES: Final = 20
MIN_KEY: Final = 24  # bytes, as Standard Webhooks has it
MAX_KEY: Final = 64
_TAKEN: Final = range(200, 300)


class NotTaken(Exception):  # noqa: N818 -- it says what happened
    """The other side did not take it; the message is one of ours."""


class ChannelUnusable(Exception):  # noqa: N818 -- likewise
    """A channel cannot be used as it is configured; the message says why and what to do."""


class Channel(Protocol):
    """Somewhere to tell people."""

    async def send(self, batch: Sequence[Delivery], now: datetime) -> None:
        """Return once every one of them is taken.

        Raises:
            NotTaken: not all of them were; those that were may be sent again, with the same ids.
        """
        ...


class Mail:
    """One mail for a batch."""

    def __init__(self, options: Email, console: str, timeout_seconds: float) -> None:
        """Read the password's file and the authorities.

        Raises:
            ChannelUnusable: a file cannot be read.
        """
        self._options = options
        self._console = console
        self._timeout = timeout_seconds
        self._password = _secret(options.password) if options.password is not None else None
        self._context = _context(options.ca)

    async def send(self, batch: Sequence[Delivery], now: datetime) -> None:
        """Send one mail; a repetition has the same Message-ID."""
        options = self._options
        message = EmailMessage()
        message["From"] = options.sender
        message["To"] = ", ".join(options.to)
        message["Subject"] = _subject(batch)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{batch[0].id}@{options.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers it
        message.set_content(_text(batch, self._console))
        try:
            refused, _ = await aiosmtplib.send(
                message,
                hostname=options.host,
                port=options.port,
                use_tls=options.tls == "tls",
                start_tls=options.tls == "starttls",
                tls_context=self._context if options.tls != "none" else None,
                username=options.user,
                password=self._password,
                timeout=self._timeout,
            )
        except aiosmtplib.SMTPAuthenticationError:
            raise NotTaken("the mail server did not take user and password") from None
        except (aiosmtplib.SMTPConnectError, ConnectionError, TimeoutError):
            raise NotTaken("the mail server cannot be reached") from None
        except (aiosmtplib.SMTPException, OSError, ValueError):
            raise NotTaken("the mail server refused the message") from None
        if refused:
            raise NotTaken("the mail server refused a recipient")


class SignedWebhook:
    """One signed request for each."""

    def __init__(self, options: Webhook, console: str, timeout_seconds: float) -> None:
        """Read the key's file and the authorities.

        Raises:
            ChannelUnusable: a file cannot be read, or holds no key.
        """
        self._url = options.url
        self._console = console
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._context = _context(options.ca)
        self._signature = Signature(_webhook_key(options.secret))

    async def send(self, batch: Sequence[Delivery], now: datetime) -> None:
        """Post each with its id, so that a receiver knows a repetition."""
        async with aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            for delivery in batch:
                await self._post(session, delivery, now)

    async def _post(self, session: aiohttp.ClientSession, delivery: Delivery, now: datetime) -> None:
        body = orjson.dumps(
            {
                "type": f"{delivery.kind}.waiting",
                "timestamp": now.isoformat(),
                "data": {
                    "id": delivery.matter,
                    "role": delivery.role,
                    "step": delivery.step,
                    "count": delivery.count,
                    "url": f"{self._console}{delivery.path}",
                },
            }
        )
        headers = {
            "Content-Type": "application/json",
            "webhook-id": f"msg_{delivery.id}",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signature.sign(f"msg_{delivery.id}", now, body.decode()),
        }
        tls = self._context if urlsplit(self._url).scheme == "https" else True
        try:
            # A redirect could lead the signature anywhere, and nothing in the answer is wanted.
            async with session.post(self._url, data=body, headers=headers, ssl=tls, allow_redirects=False) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise NotTaken("the receiver cannot be reached") from None
        if status not in _TAKEN:
            raise NotTaken(f"the receiver answered {status}")


class Apprise:
    """One chat message for a batch, through the library apprise (the extra ``notify``)."""

    def __init__(self, options: Chat, console: str, timeout_seconds: float) -> None:
        """Read the file of URLs.

        Raises:
            ChannelUnusable: the library is not installed, the file cannot be read, or a URL is none of its own.
        """
        try:
            import apprise  # noqa: PLC0415 -- an extra
        except ImportError:
            raise ChannelUnusable("an apprise channel needs the extra 'notify': pip install 'showcause[notify]'") from None
        # It logs URLs with their secrets.
        logging.getLogger("apprise").disabled = True
        self._console = console
        self._timeout = timeout_seconds
        self._apprise: Any = apprise.Apprise()
        for number, line in enumerate(_secret(options.urls).splitlines(), start=1):
            if line.strip() and not line.startswith("#") and not self._apprise.add(line.strip()):
                raise ChannelUnusable(f"{options.urls}:{number}: apprise does not know this kind of URL")
        if not len(self._apprise):
            raise ChannelUnusable(f"{options.urls} holds no URL")

    async def send(self, batch: Sequence[Delivery], now: datetime) -> None:  # noqa: ARG002 -- the protocol's
        """Send one message."""
        try:
            async with asyncio.timeout(self._timeout):
                taken = await self._apprise.async_notify(title=_subject(batch), body=_text(batch, self._console))
        except (TimeoutError, OSError, ValueError):
            taken = False
        if not taken:
            raise NotTaken("not every chat service took the message")


def make_channel(options: Email | Webhook | Chat, notifying: Notifying) -> Channel:
    """Return the channel that the file describes.

    Raises:
        ChannelUnusable: it cannot be used as it is configured.
    """
    match options:
        case Email():
            return Mail(options, notifying.console, notifying.timeout)
        case Webhook():
            return SignedWebhook(options, notifying.console, notifying.timeout)
        case Chat():
            return Apprise(options, notifying.console, notifying.timeout)


def _subject(batch: Sequence[Delivery]) -> str:
    urgent = any(each.kind is Kind.OVERDUE or each.step > 0 for each in batch)
    count = sum(each.count for each in batch)
    many = SENTENCES[batch[0].kind].rstrip(".") if count == 1 else f"{count} things wait for an answer"
    return f"Showcause: {many}{' (nobody has answered yet)' if urgent else ''}"


def _text(batch: Sequence[Delivery], console: str) -> str:
    lines = [f"{SENTENCES[each.kind]}{_alike(each)} {console}{each.path}" for each in batch[:MOST_LINES]]
    if len(batch) > MOST_LINES:
        lines.append(f"And {len(batch) - MOST_LINES} more: {console}/")
    return "\n".join((*lines, "", "Sign in to see more. This message holds no record data.", ""))


def _alike(delivery: Delivery) -> str:
    return f" And {delivery.count - 1} more like it." if delivery.count > 1 else ""


def _secret(path: Path) -> str:
    try:
        return load_secret(path).decode("utf-8").strip()
    except KeyUnusable as unusable:
        raise ChannelUnusable(str(unusable)) from None
    except UnicodeDecodeError:
        raise ChannelUnusable(f"{path} is not text in UTF-8") from None


def _webhook_key(path: Path) -> bytes:
    try:
        key = base64.b64decode(_secret(path).removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not MIN_KEY <= len(key) <= MAX_KEY:
        raise ChannelUnusable(f"{path} holds no webhook key: whsec_ and {MIN_KEY} to {MAX_KEY} bytes in base64")
    return key


def _context(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise ChannelUnusable(f"{ca} holds no certificates") from None
