"""The bytes of an entry: one JSON object, keys in this order: v, kind, at, about, facts, parties, sealed.

What is hashed is what was stored; nothing is ever written again in another form. Facts are those of CJIS AU-3(1): type, time to
the hundredth of a second (AU-8), source and destination, outcome; people and query terms are tokens or sealed.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json, Party
    from proxy.audit.sealing import Sealer

VERSION: Final = 1
_KEYS: Final = ["v", "kind", "at", "about", "facts", "parties", "sealed"]


class EntryUnreadable(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """An entry of the log is not of this form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A decoded entry. ``parties`` maps a kind to tokens; ``sealed`` is nonce and ciphertext, or empty."""

    index: int
    kind: str
    at: str
    about: str
    facts: Mapping[str, Json]
    parties: Mapping[str, tuple[str, ...]]
    sealed: bytes

    def unseal(self, sealer: Sealer) -> dict[str, Json]:
        """Return the sealed part in clear; empty when nothing was sealed.

        Raises:
            SealBroken: it was altered, or this is not the key.
        """
        if not self.sealed:
            return {}
        return sealer.unseal(self.sealed, use=_use(self.at), bound=(self.kind, self.about, self.at))


def encode(
    sealer: Sealer,
    *,
    kind: str,
    at: str,
    about: str,
    facts: Mapping[str, Json],
    parties: Iterable[Party],
    sealed: Mapping[str, Json],
) -> bytes:
    """Return the entry's bytes.

    Raises:
        TypeError: facts or sealed hold something that is not JSON.
    """
    tokens: dict[str, list[str]] = {}
    for party in parties:
        known = tokens.setdefault(party.kind, [])
        token = sealer.token(party.kind, party.value)
        if token not in known:
            known.append(token)
    closed = sealer.seal(sealed, use=_use(at), bound=(kind, about, at)) if sealed else b""
    return orjson.dumps(
        {
            "v": VERSION,
            "kind": kind,
            "at": at,
            "about": about,
            "facts": facts if isinstance(facts, dict) else dict(facts),
            "parties": tokens,
            "sealed": base64.b64encode(closed).decode(),
        },
    )


def prefix(kind: str) -> bytes:
    """Return how every entry of a kind begins."""
    return b'{"v":%d,"kind":%s,' % (VERSION, orjson.dumps(kind))


def decode(index: int, content: bytes) -> Entry:
    """Return the entry that ``content`` is.

    Raises:
        EntryUnreadable: it is not one.
    """
    try:
        document = orjson.loads(content)
        if not isinstance(document, dict) or list(document) != _KEYS or document["v"] != VERSION:
            raise ValueError("keys")  # noqa: TRY301 -- every way of being unreadable ends in one sentence
        facts, parties = document["facts"], document["parties"]
        words = (document["kind"], document["at"], document["about"])
        if not isinstance(facts, dict) or not isinstance(parties, dict) or not all(isinstance(word, str) for word in words):
            raise ValueError("types")  # noqa: TRY301 -- likewise
        return Entry(
            index=index,
            kind=words[0],
            at=words[1],
            about=words[2],
            facts=facts,
            parties={str(kind): tuple(map(str, tokens)) for kind, tokens in parties.items()},
            sealed=base64.b64decode(document["sealed"], validate=True),
        )
    except (ValueError, TypeError, binascii.Error) as error:
        msg = f"entry {index} is not of a form this program knows"
        raise EntryUnreadable(msg) from error


def _use(at: str) -> str:
    return f"entry/{at[:10]}"
