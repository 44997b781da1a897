"""Match tokens: hashes of normal forms that mean something in this process only, made when needed and never stored.

A stolen copy of the store holds no token, so nobody can try all names or numbers against it. Memory holds the tokens and
their key (Python's SipHash secret, and a salt of this start) together: who can read this process's memory can try them all, and
no form of matching prevents it. Of 64 bits, two forms in 10^9 look-ups against 10^7 tokens meet by chance once in 1,800 times.

Texts are looked up again and again (a city, a query's phone in its reply), so the step from a text to its tokens is
cached per instance, bounded by an LRU.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proxy.registry import address, normalize
from proxy.registry.person import NORMAL_FORMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Token = int
CACHED: Final = 8192


class Place(NamedTuple):
    """An address as tokens; ``unit`` is None when the text names none."""

    building: Token
    unit: Token | None
    city: Token | None
    state: Token | None
    postal_code: Token | None


class Tokens:
    """The step from a text to its tokens, under one key."""

    def __init__(self, key: bytes, cached: int = CACHED) -> None:
        """Take a random key of 32 bytes; ``cached`` bounds the texts remembered of each kind."""
        self._salt = int.from_bytes(key)
        self._cipher = AESGCM(blake2b(key=key, digest_size=32, person=b"traits").digest())
        self._nonces = count(1)
        remember = lru_cache(maxsize=cached)
        normals = {kind: normal for kind, (_, normal) in NORMAL_FORMS.items()}
        normals |= {"city": normalize.city, "state": normalize.state, "postal_code": normalize.postal_code}
        self.forms: Mapping[str, Callable[[str], str]] = {kind: remember(normal) for kind, normal in normals.items()}
        self.strong: Mapping[str, Callable[[str], Token | None]] = {
            kind: remember(self._of(kind, self.forms[kind])) for kind in NORMAL_FORMS
        }
        self.dob: Callable[[str], tuple[Token | None, bool]] = remember(self._dob)
        self.name: Callable[[str], tuple[Token, ...]] = remember(self._name)
        self.parts: Callable[[str, str], tuple[Token, ...]] = remember(self._parts)
        self.moniker = remember(self._of("moniker", normalize.moniker))
        self.unit = remember(self._of("unit", address.unit))
        self.city = remember(self._of("city", self.forms["city"]))
        self.state = remember(self._of("state", self.forms["state"]))
        self.postal_code = remember(self._of("postal_code", self.forms["postal_code"]))
        self.read_street: Callable[[str], address.Street] = remember(address.street)
        self.street: Callable[[str], Place | None] = remember(lambda text: self.place(self.read_street(text)))
        self.read_address: Callable[[str], address.Street] = remember(address.address)
        self.address: Callable[[str], Place | None] = remember(lambda text: self.place(self.read_address(text)))

    def token(self, kind: str, normal: str) -> Token:
        """Return the token of a normal form; equal forms of different kinds have different tokens."""
        return hash((self._salt, kind, normal))

    def seal(self, content: bytes) -> bytes:
        """Return bytes that only ``open`` of the same tokens reads: for what lies in memory until it is compared."""
        nonce = next(self._nonces).to_bytes(12, "big")  # the key is of this start, so a counter never meets its like
        return nonce + self._cipher.encrypt(nonce, content, None)

    def open(self, sealed: bytes) -> bytes:
        """Return what ``seal`` was given."""
        return self._cipher.decrypt(sealed[:12], sealed[12:], None)

    def pair(self, given: str, surname: str) -> Token:
        """Return the token of a name of two folded words, whichever comes first."""
        return hash((self._salt, "name", f"{given} {surname}" if given <= surname else f"{surname} {given}"))

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

    def _of(self, kind: str, normal: Callable[[str], str]) -> Callable[[str], Token | None]:
        return lambda text: self.token_of(kind, normal(text))

    def _dob(self, text: str) -> tuple[Token | None, bool]:
        """Return the token of a date of birth, and whether it is one that can contradict."""
        born = normalize.dob(text)
        return self.token_of("dob", born), bool(born) and born not in normalize.UNKNOWN_BIRTHS

    def _name(self, text: str) -> tuple[Token, ...]:
        return tuple(self.token("name", key) for key in normalize.text_keys(text))

    def _parts(self, given: str, surname: str) -> tuple[Token, ...]:
        return tuple(self.token("name", key) for key in normalize.parts_keys(given, surname))
