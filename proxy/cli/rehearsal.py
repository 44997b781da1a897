"""One query walked down the street as far as the decision, for ``explain``: nothing is forwarded, and it is recorded."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from proxy.cli.common import Code, CommandFailed
from proxy.cli.recording import operator, recording
from proxy.clock import utc_now
from proxy.registry.keyring import Keyring

if TYPE_CHECKING:
    from proxy.cli.recording import Recording
    from proxy.identity.principal import Principal
    from proxy.policy.decision import Facts
    from proxy.policy.service import PolicySet
    from proxy.settings import Settings


async def rehearse(settings: Settings, policies: PolicySet, *, person: str, purpose: str, target: str) -> Facts:
    """Return the facts that policy would be asked about.

    Raises:
        Refusal: the query would not come as far as policy; the refusal says why, as the terminal would be told.
        CommandFailed: nobody of that name is enrolled.
    """
    from proxy.gateway.asking import Asking  # noqa: PLC0415 -- Casbin takes its time
    from proxy.gateway.understanding import must_concern_a_party, must_say_enough  # noqa: PLC0415
    from proxy.inquiry.inquiry import Inbound  # noqa: PLC0415
    from proxy.inquiry.service import inquire  # noqa: PLC0415
    from proxy.policy.events import Explained  # noqa: PLC0415
    from proxy.purpose.case_system import case_directory  # noqa: PLC0415
    from proxy.purpose.service import Purposes  # noqa: PLC0415
    from proxy.registry.service import Registry  # noqa: PLC0415
    from proxy.telemetry import Metrics  # noqa: PLC0415

    now = utc_now()
    async with recording(settings) as store:
        principal = await _principal(store, person)
        inbound = Inbound(query_id="rehearsal", source="", method="GET", target=target, headers=(("Query-Purpose", purpose),))
        inquiry = inquire(policies.routes, inbound)
        metrics, monotonic = Metrics(), time.perf_counter
        system = settings.cases.system
        async with case_directory(system, store.database, store.key, metrics=metrics, monotonic=monotonic) as cases:
            purposes = Purposes(
                catalogue=lambda: policies.catalogue,
                directory=cases,
                metrics=metrics,
                monotonic=monotonic,
                key=os.urandom(32),
            )
            verified = await purposes.verify(purpose, principal, inquiry.action, now)
        key = Keyring.of(settings.keys.registry)
        registry = Registry(store.database, key, utc_now, thresholds=policies.thresholds)
        await registry.refresh()
        must_say_enough(inquiry, registry.recognizer, policies.thresholds)
        must_concern_a_party(inquiry, verified)
        recognition = registry.recognizer.recognize(inquiry.criteria, principal)
        asking = Asking(policies=policies, principal=principal, inquiry=inquiry, verified=verified, recognition=recognition)
        facts, ruling = asking.ruled(recognition, approval="none")
        async with store.database.begin() as connection:
            await store.outbox.put(
                connection,
                Explained(
                    actor=operator(),
                    principal=principal,
                    action=inquiry.action,
                    target=inquiry.outbound.target,
                    case=verified.purpose.case,
                    recognition=recognition,
                    ruling=ruling,
                ),
            )
    return facts


async def _principal(store: Recording, person: str) -> Principal:
    from proxy.identity.principal import Principal  # noqa: PLC0415
    from proxy.identity.store import CredentialStore  # noqa: PLC0415

    async with store.database.begin() as connection:
        listed = await CredentialStore(store.database, store.key).listed(connection, person=person)
    found = [each for each in listed if each.revoked_at is None]
    if not found:
        raise CommandFailed(f"nobody is enrolled as {person}", help="`identity list` shows who is", code=Code.WRONG_USE)
    holder = found[0].holder
    return Principal(
        person=holder.person,
        agency=holder.agency,
        role=holder.role,
        unit=holder.unit,
        terminal=holder.terminal,
        credential=found[0].id,
        methods=(str(found[0].kind),),
        authenticated_at=utc_now(),
    )
