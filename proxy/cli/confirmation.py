"""What an entry's signature proves, from the log alone: for whoever reads the entry, and for a court."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.identity.evidence import EvidenceBroken, prove
from proxy.identity.passkey_events import PasskeyRegistered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.audit.reader import AuditReader


def confirmation(reader: AuditReader, entry: Entry, evidence: Mapping[str, Json]) -> dict[str, Json]:
    """Return whether a passkey confirmed what the entry says, and which, by the key of its registration earlier in the log.

    Raises:
        SealBroken: the registration's sealed part was altered.
    """
    match entry.facts.get("assurance"):
        case {"credential": str(passkey)}:
            registration = _registration(reader, passkey, before=entry.index)
        case _:
            return {"holds": False, "why": "the entry names no passkey"}
    if registration is None:
        return {"holds": False, "why": f"{passkey} was not registered before, as far as this log goes"}
    sealed = reader.unseal(registration)
    try:
        proven = prove(evidence, passkey, bytes.fromhex(str(sealed.get("public_key"))))
    except (EvidenceBroken, ValueError) as broken:
        return {"holds": False, "why": str(broken)}
    if proven.who.person != sealed.get("person") or proven.thing.about != entry.facts.get("escalation", proven.thing.about):
        return {"holds": False, "why": "it was signed by another person, or for another thing"}
    return {
        "holds": True,
        "passkey": passkey,
        "registered": registration.index,
        "person": proven.who.person,
        "role": proven.who.role,
        "move": proven.thing.move,
        "about": proven.thing.about,
        "page": proven.origin,
    }


def _registration(reader: AuditReader, passkey: str, *, before: int) -> Entry | None:
    found = (each for each in reader.entries(0, before) if each.kind == PasskeyRegistered.kind)
    return next((each for each in found if each.facts.get("credential") == passkey), None)
