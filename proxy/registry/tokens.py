"""Match tokens: hashes of normal forms under a secret of the registry, which is sealed in the store as everything there is.

A stolen copy of the store holds no token in clear, so nobody can try all names or numbers against it. Memory holds the tokens
and their secret together: who can read this process's memory can try them all, and no form of matching prevents it.
Of 61 bits, two forms in 10^9 look-ups against 10^7 tokens meet by chance once in 230 times.

The hash (XXH3) is fast and no more than that: it keeps nobody from anything who knows the secret, and nobody else sees a token.

Some texts are looked up again and again (a city, a street), so the step from these to their tokens is cached per instance,
bounded by an LRU.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from xxhash import xxh3_64_intdigest

from proxy.registry import address, name_keys, normalize
from proxy.registry.person import NORMAL_FORMS
from proxy.registry.sites import SITES
from proxy.registry.traits import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Token = int
CACHED: Final = 8192
_SPARE: Final = 3
"""Bits left out, so that a token is its own ``hash`` and those of several make one that is the same in every process."""

_KINDS: Final = (
    *NORMAL_FORMS, "word", "name", "moniker", "surname_dob", "dob", "building", "unit", "city", "state", "postal_code",
    "household", "given", "surname", "street", "place", *SITES,
)  # fmt: skip


class Place(NamedTuple):
    """An address as tokens; ``unit`` is None when the text names none."""

    building: Token
    unit: Token | None
    city: Token | None
    state: Token | None
    postal_code: Token | None


class Tokens:
    """The step from a text to its tokens, under one key."""

    def __init__(self, key: bytes, sealing: bytes | None = None, *, cached: int = CACHED) -> None:
        """Take a random key of 32 bytes, and another of this start that seals; ``cached`` bounds the texts remembered."""
        self.mark = blake2b(key=key, digest_size=16, person=b"tokens-mark").digest()
        self._seeds = {kind: _seed(key, kind) for kind in _KINDS}
        self.word = _words(self._seeds["word"])
        self.usual = lru_cache(maxsize=cached)(self.word)
        self._cipher = AESGCM(blake2b(key=sealing or key, digest_size=32, person=b"traits").digest())
        self._nonces = count(1)
        remember = lru_cache(maxsize=cached)
        self.forms: Mapping[str, Callable[[str], str]] = {
            **{kind: normal for kind, (_, normal) in NORMAL_FORMS.items()},
            "city": remember(normalize.city),
            "state": remember(normalize.state),
            "postal_code": remember(normalize.postal_code),
        }
        self.numbers = tuple((kind, self.forms[kind]) for kind in NUMBERS)
        self.strong: Mapping[str, Callable[[str], Token | None]] = {
            kind: self._of(kind, self.forms[kind]) for kind in NORMAL_FORMS
        }
        self.moniker = self._of("moniker", normalize.moniker)
        self.unit = remember(self._of("unit", address.unit))
        self.city = remember(self._of("city", self.forms["city"]))
        self.state = remember(self._of("state", self.forms["state"]))
        self.postal_code = remember(self._of("postal_code", self.forms["postal_code"]))
        self.read_street: Callable[[str], address.Street] = address.by_street(remember(address.street))
        self.street: Callable[[str], Place | None] = remember(lambda text: self.place(self.read_street(text)))
        self.read_address: Callable[[str], address.Street] = remember(address.address)
        self.address: Callable[[str], Place | None] = remember(lambda text: self.place(self.read_address(text)))

    def token(self, kind: str, normal: str) -> Token:
        """Return the token of a normal form; equal forms of different kinds have different tokens."""
        return xxh3_64_intdigest(normal.encode("utf-8", "surrogatepass"), self._seeds[kind]) >> _SPARE

    def seal(self, content: bytes) -> bytes:
        """Return bytes that only ``open`` of the same tokens reads: for what lies in memory until it is compared."""
        nonce = next(self._nonces).to_bytes(12, "big")  # the key is of this start, so a counter never meets its like
        return nonce + self._cipher.encrypt(nonce, content, None)

    def open(self, sealed: bytes) -> bytes:
        """Return what ``seal`` was given."""
        return self._cipher.decrypt(sealed[:12], sealed[12:], None)

    def pair(self, given: str, surname: str) -> Token:
        """Return the token of a name of two folded words, whichever comes first."""
        return self.token("name", f"{given} {surname}" if given <= surname else f"{surname} {given}")

    def surname_dob(self, surname: str, dob: str) -> Token | None:
        """Return the token of a surname with a date of birth, for those who give no given name."""
        last, born = normalize.surname(surname), normalize.dob(dob)
        return self.token("surname_dob", f"{last}\0{born}") if last and born else None

    def place(self, street: address.Street) -> Place | None:
        """Return an address as tokens, or None when it names no home."""
        if not street.number:
            return None
        return Place(
            self.token("building", street.building),
            self.token_of("unit", street.unit),
            self.token_of("city", street.city),
            self.token_of("state", street.state),
            self.token_of("postal_code", street.postal_code),
        )

    def token_of(self, kind: str, normal: str) -> Token | None:
        """Return the token of a normal form, or None for the empty one, which matches nothing."""
        return self.token(kind, normal) if normal else None

    def dob(self, text: str) -> tuple[Token | None, bool]:
        """Return the token of a date of birth, and whether it is one that can contradict."""
        born = normalize.dob(text)
        return self.token_of("dob", born), bool(born) and born not in normalize.UNKNOWN_BIRTHS

    def name(self, text: str) -> tuple[Token, ...]:
        """Return the tokens of a whole name."""
        return tuple(self.token("name", key) for key in name_keys.text_keys(text))

    def parts(self, given: str, surname: str) -> tuple[Token, ...]:
        """Return the tokens of a name in its parts."""
        return tuple(self.token("name", key) for key in name_keys.parts_keys(given, surname))

    def _of(self, kind: str, normal: Callable[[str], str]) -> Callable[[str], Token | None]:
        return lambda text: self.token_of(kind, normal(text))


def _words(seed: int) -> Callable[[str], int]:
    """Return the step from a text to a number that is part of a key: some forty times a record."""

    def word(text: str) -> int:
        return xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"), seed) >> _SPARE

    return word


def _seed(key: bytes, kind: str) -> int:
    return int.from_bytes(blake2b(kind.encode(), key=key, digest_size=8, person=b"tokens").digest())
