"""What an entry's signature proves, from the log alone: for whoever reads the entry, and for a court."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.identity.passkey_events import PasskeyRegistered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.audit.reader import AuditReader


_PLACES: Final = ("step_up", "assurance")
"""Where entries hold how surely it was they, in the open, and what was signed, sealed."""


def confirmation(reader: AuditReader, entry: Entry, content: Mapping[str, Json]) -> dict[str, Json] | None:
    """Return whether a passkey confirmed what the entry says, and which, by the key of its registration earlier in the log.

    ``content`` is the entry's sealed part; None where nothing in it was signed.

    Raises:
        SealBroken: the registration's sealed part was altered.
    """
    from proxy.identity.evidence import EvidenceBroken, prove  # noqa: PLC0415 -- only where something was signed

    evidence = next((each for name in _PLACES if isinstance(each := content.get(name), dict)), None)
    if not evidence:
        return None
    match next((each for name in _PLACES if isinstance(each := entry.facts.get(name), dict)), None):
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
    about = {entry.facts.get("escalation"), entry.facts.get("lock"), content.get("case")} - {None}
    if proven.who.person != sealed.get("person") or proven.thing.about not in about:
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
