"""A confirmation verified again from the log alone, by whoever has it: years later, on another machine, without our store.

Two entries suffice: that of the move holds what was signed and for what, that of the registration whose key it was.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import orjson

from proxy.identity.assertion import RelyingParty, read_document, unpadded, verify
from proxy.identity.passkeys import StepUpFailed, Thing, Who, challenge, passkey_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.audit.event import Json

_SIGNED: Final = ("clientDataJSON", "authenticatorData", "signature")


class EvidenceBroken(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """What the log holds does not prove that this key confirmed this thing; the message says where it fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What is proven: this passkey, whose registration names the person, confirmed this thing on this page."""

    passkey: str
    who: Who
    thing: Thing
    origin: str


def prove(evidence: Mapping[str, Json], passkey: str, public_key: bytes) -> Proven:
    """Return what a confirmation's evidence proves under the key that ``passkey`` was registered with.

    Raises:
        EvidenceBroken: it proves nothing.
    """
    try:
        said = {name: str(evidence[name]) for name in (*_SIGNED, "id", "nonce", "move", "about", "digest", "content", "rp_id")}
        match evidence["who"]:
            case [str(person), str(agency), str(role)]:
                who = Who(person, agency, role)
            case _:
                raise EvidenceBroken("it does not say who confirmed")
        thing = Thing(said["move"], said["about"], bytes.fromhex(said["digest"]), said["content"])
        expected = challenge(bytes.fromhex(said["nonce"]), who, thing)
    except (KeyError, ValueError) as error:
        raise EvidenceBroken(f"a part is missing or not of its form: {error}") from error
    if thing.content and hashlib.sha256(thing.content.encode()).digest() != thing.digest:
        raise EvidenceBroken("what is said to have been confirmed is not what was confirmed")
    document = {
        "type": "public-key",
        "id": said["id"],
        "rawId": said["id"],
        "response": {name: said[name] for name in _SIGNED},
    }
    try:
        origin = str(orjson.loads(unpadded(said["clientDataJSON"]))["origin"])
        host = urlsplit(origin).hostname or ""
        if host != said["rp_id"] and not host.endswith(f".{said['rp_id']}"):
            raise EvidenceBroken("it was signed on a page of another domain")
        assertion = read_document(document)
        verify(assertion, RelyingParty(id=said["rp_id"], origins=(origin,)), expected, public_key)
    except (StepUpFailed, KeyError, TypeError, ValueError) as error:
        raise EvidenceBroken("the signature is not of this key over this thing") from error
    if passkey_id(assertion.credential) != passkey:
        raise EvidenceBroken("it is of another passkey")
    return Proven(passkey=passkey, who=who, thing=thing, origin=origin)
