"""The head of a reply, read strictly, and where its body ends (RFC 9112 §4-§7).

Clients read leniently on purpose: bare line feeds, obsolete line folding, control characters. A proxy that reads
a reply's frame otherwise than its sender meant it gives one officer the end of another's reply, so a head that is not
exactly RFC 9112 ends the exchange and the connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_HEAD: Final = 16384
MAX_FIELDS: Final = 64

_HEAD: Final = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n",
)
_READ: Final = frozenset(
    {b"content-length", b"content-type", b"content-encoding", b"content-range", b"transfer-encoding", b"connection"}
)
_LENGTH: Final = re.compile(r"[0-9]{1,15}", re.ASCII)


class ReplyInvalid(Exception):  # noqa: N818 -- it says what the reply is
    """What came is no reply of RFC 9112."""


class HeadInvalid(ReplyInvalid):
    """The head is not RFC 9112, or does not say in one way where the body ends."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the body ends: after ``length`` bytes, after the last chunk, or (neither) when the connection closes.

    ``fields`` are those that anybody here reads: lower-case name to values, in order. ``last`` says that the connection ends
    with this reply.
    """

    status: int
    length: int | None
    chunked: bool
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False)
    last: bool = field(default=True, compare=False)

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
    lines = fields.split(b"\r\n")[:-1]
    if len(lines) > MAX_FIELDS:
        raise HeadInvalid("too many fields")
    status = int(code)
    if status == 101:
        raise HeadInvalid("switches protocols")
    read: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        if (name := name.lower()) in _READ:
            read.setdefault(name.decode(), []).append(value.strip(b" \t").decode("latin-1"))
    # One field, one value: both fields, a field twice, or a list in one is how a reply is split in two (RFC 9112 §6.3).
    lengths, codings = read.get("content-length", ()), read.get("transfer-encoding", ())
    if len(lengths) + len(codings) > 1:
        raise HeadInvalid("framed twice")
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise HeadInvalid("not a length")
    if codings and (codings[0].lower() != "chunked" or minor == b"0"):
        raise HeadInvalid("a transfer coding other than chunked")
    last = minor == b"0" or any("close" in value.lower() for value in read.get("connection", ()))
    return Frame(status, int(lengths[0]) if lengths else None, chunked=bool(codings), fields=read, last=last)
