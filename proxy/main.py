"""The one composition root: settings become running servers.

Everything is handed from here to whoever needs it, and closed in the opposite order; ``parts.py`` opens what has to be
opened, ``doors.py`` the doors. What cannot be opened stops the start with a sentence that says what to do; nothing starts half.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import os
import signal
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from proxy import __version__
from proxy.audit.errors import AuditUnavailable
from proxy.audit.index.folder import folder_of
from proxy.audit.index.service import TURN_CHUNK, Index
from proxy.audit.lookups import LookUps
from proxy.audit.lot import Lot
from proxy.audit.outbox import Outbox
from proxy.audit.pulse import Pulse
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import Sealer
from proxy.audit.search import LogSearch
from proxy.clock import steady, utc_now
from proxy.database import Database
from proxy.disclosure.marks import marker
from proxy.doors import Doors, make_room
from proxy.escalation.acquaintance import Acquaintance
from proxy.escalation.lock_service import LockDesk
from proxy.escalation.lock_store import LockStore
from proxy.escalation.locks import Locks
from proxy.escalation.service import Escalations
from proxy.gateway.service import Gateway
from proxy.housekeeping import Housekeeping
from proxy.identity.service import Identities
from proxy.identity.sessions import Sessions
from proxy.oversight.leak.service import LeakTrace
from proxy.oversight.questions import Questions
from proxy.oversight.service import Oversight
from proxy.parts import Parts
from proxy.policy.activating import Activations
from proxy.purpose.case_system import case_directory
from proxy.purpose.directory import StoredCases
from proxy.purpose.service import Purposes
from proxy.readiness import Watch, readiness
from proxy.registry.keyring import Keyring
from proxy.registry.service import Registry
from proxy.registry.stewards import Stewards
from proxy.rooms import Rooms
from proxy.web.console.door import Console
from proxy.web.console.health import LogHead
from proxy.web.console.provider import ProviderSignIn
from proxy.web.console.rooms import Behind, make_rooms
from proxy.web.documents import Documents
from proxy.web.leaks import LeakDoor
from proxy.web.terminals import Terminals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import structlog

    from proxy.audit.service import AuditTrail
    from proxy.clock import Clock
    from proxy.doors import Ready, Servers
    from proxy.settings import Settings
    from proxy.web.ops import Check
    from proxy.web.protocol import Handler

SWITCH_SECONDS: Final = 0.0005
GC_ALLOCATIONS: Final = 20_000
AHEAD_TOLERATED: Final = timedelta(seconds=2)


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way and close."""
    make_room(settings)
    # The log's writer waits for the interpreter after each fsync, by default up to five milliseconds.
    sys.setswitchinterval(SWITCH_SECONDS)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # what asks for a look at the policy must not end what starts
    try:
        async with running(settings) as servers:
            loop.add_signal_handler(signal.SIGHUP, servers.policy.look_anew)
            collect_seldom()
            await stop.wait()
    finally:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(signum)


def collect_seldom() -> None:
    """Look for garbage seldom, and not among what is loaded by now: it stays, and would be gone through each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 20)


@asynccontextmanager
async def running(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[Servers]:
    """Yield the open doors; on leaving, drain and close.

    Raises:
        DocumentInvalid: the case system's mapping is wrong, or a policy file is and none was ever activated that could rule.
        PolicyUnreadable: the activated policy was altered, or this program cannot load it.
        DatabaseUnusable, LogError, KeyUnusable, CaseSystemUnusable, ChannelUnusable, ProviderTrouble, OSError: a part cannot
            be opened; the message says which and what to do.
    """
    async with AsyncExitStack() as stack:
        yield await _Composition(settings, clock, stack).compose()


class _Composition:
    """One start: who is handed to whom."""

    def __init__(self, settings: Settings, clock: Clock, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._clock = clock
        self._stack = stack
        self._parts = Parts(settings, clock, stack)
        self._doors = Doors(settings, self._parts, stack)

    async def compose(self) -> Servers:
        settings, clock, stack, parts = self._settings, self._clock, self._stack, self._parts
        metrics = parts.metrics
        parts.listen_for_faults()
        parts.require_store()
        database = Database(settings.store)
        await database.open()
        stack.push_async_callback(database.close)
        sealer = Sealer.load(index=settings.keys.index, body=settings.keys.body, store=settings.keys.store)
        store_key = sealer.store_key
        audit = await parts.open_log(sealer)
        witnesses = await parts.open_witnesses(audit.log)
        outbox = Outbox(database, sealer, clock, os.urandom)
        live = await parts.open_policy(Activations(database, sealer, outbox, clock))
        gate = parts.make_gate(audit, witnesses, live)
        registry = Registry(
            database,
            Keyring.of(settings.keys.registry),
            clock,
            metrics=metrics,
            category_group=live.policies.vocabulary.category_group,
            thresholds=live.policies.thresholds,
            outbox=outbox,
        )
        live.follow(lambda policies: registry.follow(policies.thresholds, policies.vocabulary.category_group))
        await registry.refresh()
        sign_in = await parts.open_sign_in(database, outbox)
        identities = Identities(
            database=database,
            key=store_key,
            presence=timedelta(seconds=settings.presence_seconds),
            tokens=sign_in.tokens if sign_in is not None else None,
            people=sign_in.people if sign_in is not None else None,
            keys=settings.oidc is None or settings.oidc.embedded_keys,
        )
        cases = await stack.enter_async_context(
            case_directory(settings.cases.system, database, store_key, metrics=metrics, monotonic=time.perf_counter)
        )
        purposes = Purposes(
            catalogue=lambda: live.policies.catalogue,
            directory=cases,
            metrics=metrics,
            monotonic=time.perf_counter,
            key=os.urandom(32),
            inheritance=timedelta(seconds=settings.root_seconds),
        )
        upstream = await parts.open_upstream()
        locks = Locks(LockStore(database, _lock_key(store_key)))
        escalations = Escalations(
            database=database,
            key=hmac.digest(store_key, b"showcause escalations", hashlib.sha256),
            audit=audit,
            recognizer=registry.recognizer,
            step_up=parts.step_up(database, store_key, audit),
            locks=locks,
            clock=await asyncio.to_thread(_never_back, clock, audit, parts.logger),
            metrics=metrics,
            expires=timedelta(seconds=settings.escalations.expires_seconds),
            grant=timedelta(seconds=settings.escalations.grant_seconds),
            informative=purposes.added,
            holders=identities,
            colleagues=registry.recognizer,
            approvals=lambda: live.policies.approvals,
            approvers=lambda: live.policies.approvers,
        )
        oversight = Oversight(
            database=database,
            key=hmac.digest(store_key, b"showcause oversight", hashlib.sha256),
            log=settings.log,
            origin=settings.origin,
            sealer=sealer,
            audit=audit,
            recognizer=registry.recognizer,
            clock=clock,
            metrics=metrics,
            monotonic=time.perf_counter,
        )
        await oversight.begin()
        gateway = Gateway(
            policies=lambda: live.policies,
            shadow=lambda: live.shadow,
            identities=identities,
            purposes=purposes,
            recognizer=registry.recognizer,
            escalations=escalations,
            register=oversight,
            step_up=parts.step_up(database, store_key, audit),
            lot=Lot(store_key),
            locks=locks,
            upstream=upstream,
            audit=audit,
            gate=gate,
            metrics=metrics,
            clock=clock,
            monotonic=time.perf_counter,
            key=os.urandom(32),
            marking=marker(sealer),
            chance=SystemRandom().random,
            on_error=parts.report,
        )
        lock_desk = LockDesk(
            locks=locks,
            store=LockStore(database, _lock_key(store_key)),
            database=database,
            audit=audit,
            table=lambda: live.policies.vocabulary.locks,
            asked=escalations.asked,
            recognizer=registry.recognizer,
            step_up=parts.step_up(database, store_key, audit),
            clock=clock,
            monotonic=time.monotonic,
            metrics=metrics,
            knows=Acquaintance(identities, registry.recognizer, cases if isinstance(cases, StoredCases) else None).knows,
        )
        await lock_desk.recover(settings.log, settings.origin, sealer)
        beat = settings.audit.heartbeat_seconds
        await audit.start(version=__version__, policy=live.policies.version, sample=Lot(store_key).commitment, heartbeat=beat)
        stack.push_async_callback(_say_goodbye, audit)
        stack.push_async_callback(gateway.finish)

        documents = Documents(lambda: live.policies)

        index = Index(settings.log, folder_of(settings.store), sealer, settings.origin, TURN_CHUNK)
        stack.callback(index.close)
        leaks = LeakTrace(index, sealer, audit, settings.origin)
        questions = Questions(
            search=LogSearch(index, sealer, audit), cases=cases, registry=registry, sealer=sealer, persons=identities.persons
        )

        def door(*, queries: bool) -> Handler:
            return Terminals(
                gateway=gateway,
                identities=identities,
                escalations=escalations,
                oversight=oversight,
                locks=locks,
                lock_desk=lock_desk,
                documents=documents,
                clock=clock,
                limits=self._doors.limits,
                wait_seconds_max=settings.escalations.wait_seconds_max,
                queries=queries,
                questions=None if queries else questions,
                leaks=None if queries else LeakDoor(leaks, cases, registry, lambda: live.policies, clock),
                origin=settings.origin,
                registration=parts.registration(database, store_key, audit),
                back_channel=None if queries or sign_in is None else sign_in.back_channel,
            ).handle

        sessions = Sessions(
            database=database,
            key=store_key,
            audit=audit,
            outbox=outbox,
            identities=identities,
            clock=clock,
            randomness=os.urandom,
            provider=sign_in.login if sign_in is not None else None,
        )
        rooms = Rooms(
            database=database,
            outbox=outbox,
            audit=audit,
            gate=gate,
            pulse=Pulse(audit, every=beat, monotonic=time.monotonic),
            live=live,
            registry=registry,
            stewards=Stewards(registry, database, Keyring.of(settings.keys.registry), clock, outbox=outbox),
            identities=identities,
            sessions=sessions,
            cases=cases,
            upstream=upstream,
            locks=locks,
            lock_desk=lock_desk,
            escalations=escalations,
            oversight=oversight,
            notifier=parts.make_notifier(database, escalations, oversight, audit, store_key),
            sign_in=sign_in,
            index=index,
            questions=questions,
            leaks=leaks,
        )
        house = Housekeeping(rooms, stack, metrics=metrics, flush=parts.entry_lines.flush, report=parts.report)
        ready = partial(self._ready, rooms, house)
        console = self._make_console(
            rooms, api=door(queries=False), gateway=gateway, sealer=sealer, store_key=store_key, ready=ready
        )
        await house.begin(Watch(ready, metrics, parts.logger).turn)
        servers = await self._doors.open(ready, console.handle, door(queries=True), rooms, witnesses)
        stack.push_async_callback(escalations.end_waits)
        stack.push_async_callback(console.end_streams)
        return servers

    def _make_console(
        self, rooms: Rooms, *, api: Handler, gateway: Gateway, sealer: Sealer, store_key: bytes, ready: Ready
    ) -> Console:
        audit = rooms.audit

        def head() -> LogHead:
            newest = audit.log.head
            return LogHead(self._settings.origin, newest.size, newest.root.hex())

        provider = None
        if rooms.sign_in is not None:
            provider = ProviderSignIn(login=rooms.sign_in.login, sessions=rooms.sessions, sealer=sealer)
            rooms.sign_in.back_channel.subscribe(lambda _ended: rooms.sessions.sweep())
        return Console(
            api=api,
            gateway=gateway,
            identities=rooms.identities,
            sessions=rooms.sessions,
            admit=partial(rooms.locks.check, case=None, subjects=(), grant=None),
            clock=self._clock,
            limits=self._doors.limits,
            on_error=self._parts.report,
            rooms=make_rooms(
                Behind(
                    escalations=rooms.escalations,
                    oversight=rooms.oversight,
                    locks=rooms.lock_desk,
                    questions=rooms.questions,
                    lookups=LookUps(rooms.index, sealer),
                    leaks=rooms.leaks,
                    cases=rooms.cases,
                    registry=rooms.registry,
                    live=rooms.live,
                    metrics=self._parts.metrics,
                    identities=rooms.identities,
                    registration=self._parts.registration(rooms.database, store_key, audit),
                    ready=ready,
                    head=head,
                    version=__version__,
                )
            ),
            provider=provider,
        )

    async def _ready(self, rooms: Rooms, house: Housekeeping) -> Sequence[Check]:
        alone = self._settings.step_up.mode == "key"
        trouble = house.upstream_trouble
        return await readiness(
            rooms, upstream_trouble=trouble, keys_alone=alone, certificates=self._doors.certificates, now=self._clock()
        )


async def _say_goodbye(audit: AuditTrail) -> None:
    with suppress(AuditUnavailable):
        await audit.stop("stopped in good order")


def _never_back(clock: Clock, audit: AuditTrail, logger: structlog.typing.FilteringBoundLogger) -> Clock:
    """Return a clock that does not go back behind the newest entry: what has expired stays so, over a restart, too.

    Where that entry is of more than a day from now its clock was wrong, and nobody waits for it.
    """
    lasting, size = steady(clock, time.monotonic), audit.log.head.size
    if size:
        newest = datetime.fromisoformat(AuditReader(audit.log.directory).read(size - 1).at)
        ahead = newest - clock()
        if ahead > AHEAD_TOLERATED:
            reason = "the newest entry is later than now: this clock is wrong, or was when that entry was written"
            logger.warning("clock", seconds=round(ahead.total_seconds()), index=size - 1, reason=reason)
        lasting.reach(newest if ahead < timedelta(days=1) else None)
    return lasting


def _lock_key(store_key: bytes) -> bytes:
    return hmac.digest(store_key, b"showcause locks", hashlib.sha256)
