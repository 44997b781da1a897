from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from proxy.audit.event import Event
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import Sealer
from proxy.audit.service import AuditTrail
from proxy.cli.confirmation import confirmation
from proxy.identity.passkey_events import PasskeyRegistered
from proxy.identity.stepup import Assurance
from proxy.tlog.keys import create_signing_key, load_signer
from proxy.tlog.log import Log
from tests.identity.station import APPROVAL, Station, station

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from proxy.audit.event import Json

__all__ = ["station"]

SEALER = Sealer(index_key=b"i" * 32, body_key=b"b" * 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(Event):
    """An entry with an assurance, in the places where some room has them."""

    kind: ClassVar[str] = "escalation-move"
    assurance: Assurance
    place: str = "step_up"
    named: Mapping[str, Json] = field(default_factory=lambda: {"escalation": APPROVAL.about})
    within: Mapping[str, Json] = field(default_factory=dict)

    def facts(self) -> Mapping[str, Json]:
        """Return how surely."""
        return {**self.named, "assurance": self.assurance.facts()}

    def sealed(self) -> Mapping[str, Json]:
        """Return what was signed."""
        return {**self.within, self.place: self.assurance.sealed()}


async def shown(folder: Path, *events: Event) -> Any:
    """Return what the newest of these entries proves, in a log of their own."""
    key = folder / "key"
    create_signing_key(key)
    clock = lambda: datetime(2026, 11, 23, 3, 0, tzinfo=UTC)  # noqa: E731 -- the log's only use of it
    async with Log(folder / "log", signer=load_signer(key, "log.test"), clock=clock) as log:
        trail = AuditTrail(log, SEALER, clock)
        for event in events:
            await trail.record(event)
    reader = AuditReader(folder / "log", SEALER)
    entry = reader.read(len(events) - 1)
    return confirmation(reader, entry, reader.unseal(entry))


async def confirmed(station: Station) -> tuple[PasskeyRegistered, Assurance]:
    """Return a registration and a confirmation of the same passkey."""
    authenticator = await station.registered()
    assurance = await station.confirm(authenticator.get(await station.asked()))
    return next(event for event in station.here.events if isinstance(event, PasskeyRegistered)), assurance


async def test_two_entries_prove_who_confirmed_what(station: Station, tmp_path: Path) -> None:
    """The registration and the move, and nothing else: it holds, and says whose passkey it was."""
    registration, assurance = await confirmed(station)

    found = await shown(tmp_path, registration, Moved(assurance=assurance))

    assert found["holds"] is True
    assert (found["person"], found["about"], found["registered"]) == ("sergeant", APPROVAL.about, 0)


@pytest.mark.parametrize("named", [{"escalation": "e2"}, {"lock": "l1"}, {}])
async def test_a_signature_put_into_another_entry_proves_nothing(
    station: Station, tmp_path: Path, named: Mapping[str, Json]
) -> None:
    """What was signed for one escalation does not hold for the entry of another, nor of none."""
    registration, assurance = await confirmed(station)

    found = await shown(tmp_path, registration, Moved(assurance=assurance, named=named))

    assert found == {"holds": False, "why": "it was signed by another person, or for another thing"}


async def test_without_the_registration_nothing_is_proven(station: Station, tmp_path: Path) -> None:
    """A key that the log never took in is nobody's; and one that alone was trusted signed nothing."""
    _, assurance = await confirmed(station)

    assert (await shown(tmp_path, Moved(assurance=assurance)))["holds"] is False


async def test_a_key_alone_has_nothing_to_prove(station: Station, tmp_path: Path) -> None:
    """An entry of mode key says what it is; nothing was signed."""
    registration, _ = await confirmed(station)

    found = await shown(tmp_path, registration, Moved(assurance=Assurance("key", "cr-1")))

    assert found is None
