"""The bytes of an entry: one JSON object, keys in this order: v, kind, at, about, epoch, facts, parties, body.

What is hashed is what was stored; nothing is ever written again in another form. Facts are those of CJIS AU-3(1): type, time to
the hundredth of a second (AU-8), destination, outcome. People, query terms and the source's address are tokens, made with the
index key that ``epoch`` names, and lie encrypted in the body, which is stored beside the entry and of which the entry holds
the SHA-256: so the body can be shredded, and the entry, the tree and every proof stay what they were.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from proxy.audit.sealing import SealBroken, Shredded, open_body
from proxy.clock import is_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json, Party
    from proxy.audit.sealing import Sealer

VERSION: Final = 2
_KEYS: Final = ["v", "kind", "at", "about", "epoch", "facts", "parties", "body"]
_HASH: Final = re.compile(r"(?:[0-9a-f]{64})?\Z")


class EntryUnreadable(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """An entry of the log is not of this form."""


class Encoded(NamedTuple):
    """What goes to the log: the entry and, beside it, its body; that is empty when nothing was sealed."""

    entry: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A decoded entry. ``parties`` maps a kind to tokens; ``body_hash`` is hexadecimal, or empty when nothing was sealed.

    ``body`` is what lies beside the entry: None when it was shredded, empty when there is none or it was not read.
    """

    index: int
    kind: str
    at: str
    about: str
    epoch: str
    facts: Mapping[str, Json]
    parties: Mapping[str, tuple[str, ...]]
    body_hash: str
    body: bytes | None = b""

    def unseal(self, sealer: Sealer) -> dict[str, Json]:
        """Return the body in clear; empty when nothing was sealed.

        Raises:
            Shredded: it was shredded.
            KeyGone: the key that it was sealed with is not here.
            SealBroken: it was altered, moved or removed.
        """
        return sealer.unseal_body(self._whole(), day=self.at[:10], bound=self._bound) if self.body_hash else {}

    def data_key(self, sealer: Sealer) -> bytes:
        """Return the key of this body alone, to give away with it.

        Raises:
            Shredded, KeyGone, SealBroken: as for ``unseal``, and where nothing was sealed.
        """
        return sealer.data_key(self._whole(), day=self.at[:10], bound=self._bound)

    def open(self, data_key: bytes) -> dict[str, Json]:
        """Return the body in clear, with its own key.

        Raises:
            Shredded, SealBroken: as for ``unseal``, and where the key is another's.
        """
        return open_body(self._whole(), data_key, bound=self._bound)

    def _whole(self) -> bytes:
        if self.body is None:
            raise Shredded("the body was shredded; an entry `shredded` says on which order")
        if not self.is_whole:
            raise SealBroken("the body is not the one whose hash the entry holds")
        return self.body

    @property
    def _bound(self) -> tuple[str, ...]:
        return self.kind, self.about, self.at, self.epoch

    @property
    def is_whole(self) -> bool:
        """Tell whether the body is the one whose hash the entry holds."""
        return self.body is not None and self.body_hash == (sha256(self.body).hexdigest() if self.body else "")


def encode(
    sealer: Sealer,
    *,
    kind: str,
    at: str,
    about: str,
    facts: Mapping[str, Json],
    parties: Iterable[Party],
    sealed: Mapping[str, Json],
) -> Encoded:
    """Return the entry's bytes and its body's.

    Raises:
        TypeError: facts or sealed hold something that is not JSON.
    """
    epoch = sealer.epoch
    tokens: dict[str, dict[str, None]] = {}  # each once, in order
    for of, value in parties:
        tokens.setdefault(of, {})[sealer.token(of, value, epoch)] = None
    body = sealer.seal_body(sealed, day=at[:10], bound=(kind, about, at, epoch)) if sealed else b""
    entry = orjson.dumps(
        {
            "v": VERSION,
            "kind": kind,
            "at": at,
            "about": about,
            "epoch": epoch,
            "facts": facts if isinstance(facts, dict) else dict(facts),
            "parties": {name: list(known) for name, known in tokens.items()},
            "body": sha256(body).hexdigest() if body else "",
        },
    )
    return Encoded(entry, body)


def prefix(kind: str) -> bytes:
    """Return how every entry of a kind begins."""
    return b'{"v":%d,"kind":%s,' % (VERSION, orjson.dumps(kind))


def decode(index: int, content: bytes, body: bytes | None = b"") -> Entry:
    """Return the entry that ``content`` is, with what lies beside it.

    Raises:
        EntryUnreadable: it is not one.
    """
    try:
        document = orjson.loads(content)
        if not isinstance(document, dict) or list(document) != _KEYS or document["v"] != VERSION:
            raise ValueError("keys")  # noqa: TRY301 -- every way of being unreadable ends in one sentence
        facts, parties = document["facts"], document["parties"]
        words = tuple(document[name] for name in ("kind", "at", "about", "epoch", "body"))
        if not isinstance(facts, dict) or not isinstance(parties, dict) or not all(isinstance(word, str) for word in words):
            raise ValueError("types")  # noqa: TRY301 -- likewise
        if _HASH.match(words[-1]) is None or not is_stamp(words[1]):
            raise ValueError("hash or time")  # noqa: TRY301 -- likewise
        return Entry(
            index=index,
            kind=words[0],
            at=words[1],
            about=words[2],
            epoch=words[3],
            facts=facts,
            parties={str(kind): tuple(map(str, tokens)) for kind, tokens in parties.items()},
            body_hash=words[4],
            body=body,
        )
    except (ValueError, TypeError) as error:
        msg = f"entry {index} is not of a form this program knows"
        raise EntryUnreadable(msg) from error
