"""``notifications.yaml``: by which channels people are told, and which role's chain has which steps."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints

from proxy.document import DocumentInvalid, Strict, load_with_positions, suggest
from proxy.oversight.notification import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from proxy.document import Mistake, Positions

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}\Z")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}\Z")
_CHAIN: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}(@[A-Z0-9]{9})?\Z")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

Text = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class _Channel(Strict):
    kind: Literal["email", "webhook", "apprise"]
    host: Text | None = None
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: Text | None = None
    password: Text | None = None
    sender: Text | None = None
    to: Annotated[list[Text], Field(min_length=1, max_length=50)] | None = None
    url: Text | None = None
    secret: Text | None = None
    urls: Text | None = None
    ca: Text | None = None
    gap_seconds: Seconds = 0


class _Step(Strict):
    after_seconds: Seconds = 0
    channels: Annotated[list[Text], Field(min_length=1)]


class _Document(Strict):
    console: Text
    channels: Annotated[dict[Text, _Channel], Field(min_length=1)]
    chains: Annotated[dict[Text, Annotated[list[_Step], Field(min_length=1, max_length=10)]], Field(min_length=1)]
    timeout_seconds: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 10
    report_seconds: Annotated[float, Field(ge=60, le=86_400, allow_inf_nan=False)] = 600
    heap_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """A mailbox or several; ``tls`` is how the mail server is spoken to. Files are absolute."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "none"]
    user: str | None
    password: Path | None
    sender: str
    to: tuple[str, ...]
    ca: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver of Standard Webhooks; ``secret`` is the file that holds the key that both know (``whsec_…``)."""

    url: str
    secret: Path
    ca: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Whatever apprise can reach; ``urls`` is a file with one of its URLs a line, since they hold secrets."""

    urls: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifying:
    """The file: channels by name with the least time between two messages, chains by role."""

    console: str
    channels: Mapping[str, Email | Webhook | Chat]
    gaps: Mapping[str, timedelta]
    chains: Mapping[str, tuple[Step, ...]]
    timeout: float
    report: timedelta
    heap: timedelta


def load_notifying(path: Path) -> Notifying:
    """Read ``notifications.yaml``; the files that it names are relative to its folder.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    document, positions = load_with_positions(path, _Document)
    mistakes = list(_mistakes(document, positions))
    if mistakes:
        raise DocumentInvalid(mistakes)
    folder = path.absolute().parent
    return Notifying(
        console=document.console.rstrip("/"),
        channels={name: _channel(channel, folder) for name, channel in document.channels.items()},
        gaps={name: timedelta(seconds=channel.gap_seconds) for name, channel in document.channels.items()},
        chains={
            role: tuple(Step(after=timedelta(seconds=step.after_seconds), channels=tuple(step.channels)) for step in steps)
            for role, steps in document.chains.items()
        },
        timeout=document.timeout_seconds,
        report=timedelta(seconds=document.report_seconds),
        heap=timedelta(seconds=document.heap_seconds),
    )


def _channel(channel: _Channel, folder: Path) -> Email | Webhook | Chat:
    ca = folder / channel.ca if channel.ca else None
    if channel.kind == "webhook":
        assert channel.url is not None
        assert channel.secret is not None
        return Webhook(url=channel.url, secret=folder / channel.secret, ca=ca)
    if channel.kind == "apprise":
        assert channel.urls is not None
        return Chat(urls=folder / channel.urls)
    assert channel.host is not None
    assert channel.sender is not None
    assert channel.to is not None
    return Email(
        host=channel.host,
        port=channel.port or {"tls": 465, "starttls": 587, "none": 25}[channel.tls],
        tls=channel.tls,
        user=channel.user,
        password=folder / channel.password if channel.password else None,
        sender=channel.sender,
        to=tuple(channel.to),
        ca=ca,
    )


_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("host", "sender", "to"),
    "webhook": ("url", "secret"),
    "apprise": ("urls",),
}
_TAKES: Final[Mapping[str, frozenset[str]]] = {
    "email": frozenset({"host", "port", "tls", "user", "password", "sender", "to", "ca"}),
    "webhook": frozenset({"url", "secret", "ca"}),
    "apprise": frozenset({"urls"}),
}


def _mistakes(document: _Document, positions: Positions) -> Iterator[Mistake]:
    if (trouble := _trouble_of_url(document.console)) is not None:
        yield positions.mistake(("console",), trouble, hint="like https://console.example.gov")
    for name, channel in document.channels.items():
        yield from _channel_mistakes(name, channel, positions)
    for role, steps in document.chains.items():
        if not _CHAIN.match(role):
            yield positions.mistake(
                ("chains", role), f"'{role}' is no role", value=False, hint="supervisor, or supervisor@MO0950000"
            )
        before = -1.0
        for number, step in enumerate(steps):
            place = ("chains", role, number)
            if step.after_seconds <= before:
                yield positions.mistake((*place, "after_seconds"), "a step begins later than the one before it")
            before = step.after_seconds
            for channel_name, count in Counter(step.channels).items():
                if channel_name not in document.channels:
                    hint = suggest(channel_name, document.channels) or f"channels here: {', '.join(document.channels)}"
                    yield positions.mistake((*place, "channels"), f"unknown channel '{channel_name}'", hint=hint)
                elif count > 1:
                    yield positions.mistake((*place, "channels"), f"'{channel_name}' stands here twice")


def _channel_mistakes(name: str, channel: _Channel, positions: Positions) -> Iterator[Mistake]:
    place = ("channels", name)
    if not _NAME.match(name):
        yield positions.mistake(place, f"'{name}' is no name: lower-case letters, digits, -", value=False)
    for needed in _NEEDS[channel.kind]:
        if getattr(channel, needed) is None:
            yield positions.mistake(
                place, f"'{needed}' is missing for {channel.kind}", value=False, hint="add it under this key"
            )
    for given in sorted(channel.model_fields_set - _TAKES[channel.kind] - {"kind", "gap_seconds"}):
        yield positions.mistake((*place, given), f"'{given}' is of no use for {channel.kind}", value=False)
    if channel.url is not None and (trouble := _trouble_of_url(channel.url)) is not None:
        yield positions.mistake((*place, "url"), trouble, hint="like https://pager.example.gov/hook")
    addresses = [(("sender",), channel.sender), *((("to", index), each) for index, each in enumerate(channel.to or ()))]
    for where, address in addresses:
        if address is not None and not _ADDRESS.match(address):
            yield positions.mistake((*place, *where), "this is no mail address")
    if channel.kind == "email" and channel.tls == "none" and channel.host not in _LOOPBACK:
        yield positions.mistake((*place, "tls"), "mail would cross the network in the clear", hint="use starttls or tls")
    if (channel.user is None) != (channel.password is None):
        yield positions.mistake(place, "'user' and 'password' (a file) go together", value=False)


def _trouble_of_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "this is no URL"
    if parts.scheme not in {"http", "https"} or not host or any(letter.isspace() for letter in url):
        return "this is no URL"
    if parts.scheme == "http" and host not in _LOOPBACK:
        return "this would cross the network in the clear: use https"
    if parts.username is not None or parts.fragment:
        return "a URL here has no user and no fragment"
    return None
