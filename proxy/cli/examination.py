"""What ``doctor`` looks at. Nothing here writes, creates or repairs: each check reports, and says what to do next."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from cryptography.x509 import load_pem_x509_crl

from proxy.audit.keyring import load_ring
from proxy.audit.keys import load_key
from proxy.cli.holdings import examine_holdings
from proxy.cli.recording import sealer_of
from proxy.cli.seen import Level, Seen, dated, dated_by, loaded, readable
from proxy.cli.surroundings import DOORS, examine_case_system, examine_ports, examine_upstream
from proxy.cli.witness_check import policy_trouble, witness_troubles
from proxy.clock import stamp
from proxy.document import DocumentInvalid
from proxy.identity.tls import CertificatesUnusable, server_context
from proxy.oversight.channels import ChannelUnusable, make_channel
from proxy.oversight.notification_file import load_notifying
from proxy.policy.activation import PolicyUnreadable, version_of
from proxy.policy.service import load_policies
from proxy.policy.store import opened_active
from proxy.purpose.mapping import load_case_system
from proxy.registry.keyring import load_keys
from proxy.tlog.errors import LogError
from proxy.tlog.keys import load_line, load_secret, load_signer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from datetime import datetime
    from pathlib import Path

    from proxy.clock import Clock
    from proxy.purpose.mapping import CaseSystemOptions
    from proxy.settings import Settings, Tls


def examine(settings: Settings, clock: Clock, *, network: bool = True) -> Iterator[Seen]:
    """Look at every part that a start needs, cheapest first."""
    yield from _policies(settings)
    yield from _keys(settings)
    yield from _certificates(settings, clock())
    running = yield from examine_holdings(settings)
    if not running:
        yield from examine_ports(settings)
    cases = yield from _case_mapping(settings, clock())
    yield from _channels(settings)
    if (trouble := policy_trouble(settings)) is not None:
        yield Seen(part="witnesses", level=Level.FAILURE, detail=trouble[0], next=trouble[1])
    if network:
        yield from examine_upstream(settings, clock)
        if cases is not None:
            yield examine_case_system(cases)
        for part, detail, then in witness_troubles(settings, running=running):
            yield Seen(part=part, level=Level.WARNING if then else Level.OK, detail=detail, next=then)


def _policies(settings: Settings) -> Iterator[Seen]:
    digest = ""
    for part, folder in (("policies", settings.policies), ("shadow", settings.shadow)):
        if folder is None:
            continue
        try:
            policies = load_policies(folder)
        except DocumentInvalid as invalid:
            count = len(invalid.mistakes)
            yield Seen(
                part=part,
                level=Level.FAILURE,
                detail=f"{count} mistake{'s' if count > 1 else ''} in {folder}",
                next="run `check`, which shows each with its line",
            )
        else:
            digest = policies.digest if part == "policies" else digest
            yield Seen(part=part, level=Level.OK, detail=f"version {policies.version}")
    yield from _activated(settings, digest)


def _activated(settings: Settings, digest: str) -> Iterator[Seen]:
    """Tell which policy rules, where that is another than the folder's."""
    try:
        sealer = sealer_of(settings)
        uri = f"{settings.store.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            row = connection.execute("SELECT digest, at, sealed FROM policy_active").fetchone()
    except (LogError, OSError, sqlite3.Error):
        return  # nothing was activated yet; or the key's line, or the store's, will tell
    if row is None:
        return
    try:
        active = opened_active(sealer, digest=row[0], at=row[1], sealed=row[2])
    except PolicyUnreadable as unreadable:
        yield Seen(part="policies.active", level=Level.FAILURE, detail=str(unreadable), next="see the runbook")
        return
    detail = f"version {active.version} is activated, since {stamp(active.at)}"
    if digest and digest != active.digest:
        detail += f"; the folder holds version {version_of(digest)}"
        hint = "`policy activate` says whether it takes two persons; a running server takes what loosens nothing by itself"
        yield Seen(part="policies.active", level=Level.WARNING, detail=detail, next=hint)
    else:
        yield Seen(part="policies.active", level=Level.OK, detail=detail)


def _second_vkey(settings: Settings) -> str:
    second = load_signer(settings.keys.checkpoint, settings.origin, settings.audit.second_key).second
    return second.public.vkey if second is not None else ""


def _keys(settings: Settings) -> Iterator[Seen]:
    keys = settings.keys
    yield loaded(
        "keys.checkpoint",
        lambda: f"the log's verifier key is {load_signer(keys.checkpoint, settings.origin).verifier.vkey}",
        made="openssl genpkey -algorithm ed25519",
    )
    if (second := settings.audit.second_key) is not None:
        yield loaded(
            "audit.second_key",
            lambda: f"the log's second verifier key is {_second_vkey(settings)}",
            made=f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {second}",
        )
    for part, key in (("keys.index", keys.index), ("keys.body", keys.body)):
        yield loaded(part, partial(load_ring, key), made="openssl rand -hex 32")
    if keys.store is not None:
        yield loaded("keys.store", partial(load_key, keys.store), made="openssl rand -hex 32")
    yield loaded("keys.registry", lambda: _rotating(keys.registry), made="openssl rand -hex 32")
    secrets = {"upstream.key": settings.upstream.key} | {f"doors.{name}.tls.key": tls.key for name, tls in _tls_of(settings)}
    lines = {"upstream.credential": settings.upstream.credential, "doors.ops.token": settings.doors.ops.token}
    for load, paths in ((load_line, lines), (load_secret, secrets)):
        for part, path in paths.items():
            if path is not None:
                yield loaded(part, partial(_said_nothing, load, path))


def _said_nothing(load: Callable[[Path], object], path: Path) -> None:
    load(path)


def _rotating(path: Path) -> str | None:
    """Return what there is to say of the registry's key file while it holds two."""
    if load_keys(path).previous is None:
        return None
    return "holds two keys: `registry rotate-key` is at work, or was stopped and has to be run again"


def _certificates(settings: Settings, now: datetime) -> Iterator[Seen]:
    chains = {
        "upstream.ca": settings.upstream.ca,
        "upstream.certificate": settings.upstream.certificate,
    }
    lists: dict[str, Path] = {}
    for name, tls in _tls_of(settings):
        chains |= {f"doors.{name}.tls.certificate": tls.certificate, f"doors.{name}.tls.client_ca": tls.client_ca}
        if tls.crl is not None:
            lists[f"doors.{name}.tls.crl"] = tls.crl
    for part, path in chains.items():
        if path is not None:
            yield dated(part, path, now)
    for part, path in lists.items():
        # RFC 5280 section 5.1.2.5: a list past its next update says nothing about today, and handshakes fail on it.
        yield dated_by(part, path, now, lambda pem: load_pem_x509_crl(pem).next_update_utc, soon=timedelta(days=1))
    for name, tls in _tls_of(settings):
        yield from _fits(f"doors.{name}.tls", tls)


def _fits(part: str, tls: Tls) -> Iterator[Seen]:
    """Tell where a door's files, each of which may be what it should be, do not belong together."""
    files = (tls.certificate, tls.key, tls.client_ca, tls.crl)
    if not all(path is None or readable(path) for path in files):
        return  # the file's own line has told of it
    try:
        server_context(tls.certificate, tls.key, tls.client_ca, tls.crl, required=tls.require_client_certificate)
    except CertificatesUnusable as unusable:
        hint = "put files there that belong together: with these the start fails"
        yield Seen(part=part, level=Level.FAILURE, detail=str(unusable), next=hint)


def _case_mapping(settings: Settings, now: datetime) -> Generator[Seen, None, CaseSystemOptions | None]:
    """Yield what there is to say of the case system's mapping and its files, and return the mapping when it is right."""
    if settings.cases.system is None:
        return None
    part = "cases.system"
    try:
        options = load_case_system(settings.cases.system)
    except DocumentInvalid as invalid:
        count = len(invalid.mistakes)
        detail = f"{count} mistake{'s' if count > 1 else ''} in {settings.cases.system}"
        yield Seen(part=part, level=Level.FAILURE, detail=detail, next="run `check`, which shows each with its line")
        return None
    yield Seen(part=part, level=Level.OK, detail=f"{len(options.shape.readings)} columns of a case are mapped")
    for name, path in (("secret_headers", options.secret_headers), ("key", options.key)):
        if path is not None:
            yield loaded(f"{part}.{name}", partial(load_secret, path))
    for name, path in (("ca", options.ca), ("certificate", options.certificate)):
        if path is not None:
            yield dated(f"{part}.{name}", path, now)
    return options


def _channels(settings: Settings) -> Iterator[Seen]:
    """Make each channel that people are told by, as a start does; none is asked anything."""
    if settings.notifications is None:
        return
    part = "notifications"
    try:
        notifying = load_notifying(settings.notifications)
    except DocumentInvalid as invalid:
        count = len(invalid.mistakes)
        detail = f"{count} mistake{'s' if count > 1 else ''} in {settings.notifications}"
        yield Seen(part=part, level=Level.FAILURE, detail=detail, next="run `check`, which shows each with its line")
        return
    for name, options in notifying.channels.items():
        try:
            make_channel(options, notifying)
        except ChannelUnusable as unusable:
            hint = f"put right what it names, in {settings.notifications} or beside it; then `notifications test {name}`"
            yield Seen(part=f"{part}.{name}", level=Level.FAILURE, detail=str(unusable), next=hint)
        else:
            yield Seen(part=f"{part}.{name}", level=Level.OK, detail=f"can be made; `notifications test {name}` tries it")


def _tls_of(settings: Settings) -> Iterator[tuple[str, Tls]]:
    for name in DOORS:
        tls = getattr(settings.doors, name).tls
        if tls is not None:
            yield name, tls
