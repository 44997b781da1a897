"""The head of a reply, read strictly, and where its body ends (RFC 9112 §4-§7).

aiohttp's client reads leniently on purpose: bare line feeds, obsolete line folding, control characters. A proxy that reads
a reply's frame otherwise than its sender meant it gives one officer the end of another's reply, so a head that is not
exactly RFC 9112 ends the exchange and the connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_HEAD: Final = 16384
MAX_FIELDS: Final = 64

_HEAD: Final = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n",
)
_FRAMING: Final = re.compile(rb"(?im)^(content-length|transfer-encoding):[ \t]*(.*?)[ \t]*\r$")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")


class HeadInvalid(Exception):  # noqa: N818 -- it says what the head is
    """The head is not RFC 9112, or does not say in one way where the body ends."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the body ends: after ``length`` bytes, after the last chunk, or (neither) when the connection closes."""

    status: int
    length: int | None
    chunked: bool

    @property
    def interim(self) -> bool:
        """Tell whether another head follows (RFC 9110 §15.2)."""
        return self.status < 200


def read_head(head: bytes) -> Frame:
    """Read a head that ends with its empty line.

    Raises:
        HeadInvalid: it is not one; 101 is not one either, since nothing here asks to switch protocols.
    """
    found = _HEAD.fullmatch(head)
    if found is None:
        raise HeadInvalid("not a head")
    minor, code, fields = found.groups()
    if fields.count(b"\n") > MAX_FIELDS:
        raise HeadInvalid("too many fields")
    status = int(code)
    if status == 101:
        raise HeadInvalid("switches protocols")
    framing = _FRAMING.findall(fields)
    if not framing:
        return Frame(status, None, chunked=False)
    # One field, one value: both fields, a field twice, or a list in one is how a reply is split in two (RFC 9112 §6.3).
    if len(framing) != 1:
        raise HeadInvalid("framed twice")
    name, value = framing[0]
    if name.lower() == b"content-length":
        if not _LENGTH.fullmatch(value):
            raise HeadInvalid("not a length")
        return Frame(status, int(value), chunked=False)
    if value.lower() != b"chunked" or minor == b"0":
        raise HeadInvalid("a transfer coding other than chunked")
    return Frame(status, None, chunked=True)
