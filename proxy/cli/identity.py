"""``identity``: who may ask. A key is printed once, or written to a file of its own, and kept nowhere."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from proxy.cli import passkeys
from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    CommandFailed,
    ConfigOption,
    JsonOption,
    emit,
    listing,
    say,
    settings_of,
    warn,
)
from proxy.cli.recording import operator, recording
from proxy.clock import stamp, utc_now
from proxy.document import suggest
from proxy.identity.credential import Holder
from proxy.identity.desk import EnrollmentRefused, IdentityDesk
from proxy.identity.principal import PERSON_PATTERN
from proxy.policy.vocabulary import load_vocabulary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proxy.identity.credential import Credential
    from proxy.settings import Settings

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True)
app.add_typer(passkeys.app, name="passkey", help="What people confirm approvals with.")

OutOption = Annotated[
    Path | None, typer.Option("--out", help="Write the key to this new file, mode 0600, instead of printing it.")
]

MIN_REASON: Final = 8
COLUMNS: Final = ("id", "kind", "person", "role", "agency", "unit", "terminal", "created", "expires", "state")


@app.command()
def add(
    *,
    person: Annotated[str, typer.Option("--person", help="Personnel id, like badge-1234.")],
    agency: Annotated[str, typer.Option("--agency", help="The agency's nine-character ORI.")],
    role: Annotated[str, typer.Option("--role", help="One role of vocabulary.yaml.")],
    terminal: Annotated[str, typer.Option("--terminal", help="The terminal's name, like car-12.")],
    unit: Annotated[str | None, typer.Option("--unit", help="Call sign or squad, like 3A12.")] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=3650, help="Good for so many days; default: for good.")
    ] = None,
    certificate_uri: Annotated[
        str | None, typer.Option("--certificate-uri", help="Enroll client certificates with this URI instead of making a key.")
    ] = None,
    out: OutOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Enroll a person at a terminal: make a key, or take the URI of a client certificate."""
    settings = settings_of(config)
    holder = _holder(settings, person=person, agency=agency, role=role, unit=unit, terminal=terminal)
    expires_at = utc_now() + timedelta(days=days) if days else None
    if certificate_uri is not None:
        if out is not None:
            raise CommandFailed("a certificate has no key to write", help="leave out --out", code=Code.WRONG_USE)
        uri = certificate_uri
        credential = _at_desk(settings, lambda desk: desk.add_certificate(uri, holder, expires_at=expires_at))
        emit(_row(credential)) if as_json else say(f"enrolled {credential.id}")
        return
    if out is not None:
        _reserve(out)
    try:
        key, credential = _at_desk(settings, lambda desk: desk.add_key(holder, expires_at=expires_at))
    except BaseException:
        if out is not None:
            out.unlink(missing_ok=True)
        raise
    if out is not None:
        out.write_text(key + "\n", encoding="ascii")
    if as_json:
        emit(_row(credential) | ({"key": key} if out is None else {"file": str(out)}))
    elif out is not None:
        say(f"enrolled {credential.id}; its key is in {out}")
    else:
        warn(f"enrolled {credential.id}; this is its key, shown once and stored nowhere:")
        say(key)


@app.command("list")
def list_(
    *,
    person: Annotated[str | None, typer.Option("--person", help="Only this person's.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Revoked and expired ones too.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List credentials. Never a key: they are stored nowhere."""
    found = _at_desk(settings_of(config), lambda desk: desk.listed(person=person))
    rows = [row for row in map(_row, found) if everything or row["state"] == "good"]
    listing(COLUMNS, rows, nothing="no credentials; `identity add` enrolls one", as_json=as_json)


@app.command()
def revoke(
    credential: Annotated[str | None, typer.Argument(help="The credential's id, as `identity list` shows it.")] = None,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the log.")],
    person: Annotated[str | None, typer.Option("--person", help="Revoke all that this person has.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Revoke a credential, or all of a person's, from the next query on."""
    if (credential is None) == (person is None):
        raise CommandFailed("which one?", help="give a credential's id, or --person", code=Code.WRONG_USE)
    if len(reason.strip()) < MIN_REASON:
        help_ = f"give --reason with {MIN_REASON} characters or more"
        raise CommandFailed("a revocation needs its reason", help=help_, code=Code.WRONG_USE)
    settings = settings_of(config)

    async def gone(desk: IdentityDesk) -> list[Credential]:
        if credential is not None:
            return [await desk.revoke(credential, reason=reason.strip())]
        gone = await desk.revoke_person(person or "", reason=reason.strip())
        if not gone and not await desk.listed(person=person):
            # A mistyped name must not look like a stolen key that has been dealt with.
            raise CommandFailed(
                f"nobody was ever enrolled as {person}", help="`identity list` shows who is", code=Code.WRONG_USE
            )
        return list(gone)

    revoked = _at_desk(settings, gone)
    if as_json:
        emit([_row(each) for each in revoked])
    else:
        say(f"revoked {', '.join(each.id for each in revoked)}" if revoked else "this person had no credential that was good")


@app.command("sign-out")
def sign_out(
    person: Annotated[str, typer.Argument(help="Personnel id, like badge-1234.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the log.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """End what a person began at the identity provider: sessions and access tokens, at once and in every process."""
    settings = settings_of(config)
    if settings.oidc is None:
        raise CommandFailed(
            "there is no identity provider in the configuration", help="`identity revoke` ends keys", code=Code.WRONG_USE
        )
    if len(reason.strip()) < MIN_REASON:
        help_ = f"give --reason with {MIN_REASON} characters or more"
        raise CommandFailed("signing somebody out needs its reason", help=help_, code=Code.WRONG_USE)
    if not PERSON_PATTERN.match(person):
        help_ = "it is the claim that oidc.claims.person names, like badge-1234"
        raise CommandFailed(f"{person} is not a personnel id", help=help_, code=Code.WRONG_USE)
    until = utc_now() + timedelta(seconds=settings.oidc.max_age_seconds + settings.oidc.skew_seconds)
    _at_desk(settings, lambda desk: desk.sign_out(person, reason=reason.strip(), until=until))
    if as_json:
        emit({"person": person, "until": stamp(until)})
    else:
        say(f"{person} has to sign in anew; to keep them out, close their account at the identity provider")


def _at_desk(settings: Settings, use: Callable[[IdentityDesk], Awaitable[T]]) -> T:
    async def work() -> T:
        async with recording(settings) as opened:
            desk = IdentityDesk(
                database=opened.database,
                key=opened.key,
                outbox=opened.outbox,
                clock=utc_now,
                randomness=os.urandom,
                actor=operator(),
            )
            return await use(desk)

    try:
        return asyncio.run(work())
    except EnrollmentRefused as refused:
        raise CommandFailed(str(refused), code=Code.WRONG_USE) from None


def _holder(settings: Settings, *, person: str, agency: str, role: str, unit: str | None, terminal: str) -> Holder:
    roles = load_vocabulary(settings.policies / "vocabulary.yaml").roles
    if role not in roles:
        help_ = suggest(role, roles) or f"the roles are {', '.join(roles)}"
        raise CommandFailed(f"there is no role '{role}' in vocabulary.yaml", help=help_, code=Code.WRONG_USE)
    try:
        return Holder(person=person, agency=agency.upper(), role=role, unit=unit.upper() if unit else None, terminal=terminal)
    except ValueError as error:
        raise CommandFailed(str(error), code=Code.WRONG_USE) from None


def _reserve(path: Path) -> None:
    """Create the key's file before the key: one that could not be written would be lost, enrolled."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise CommandFailed(f"{path} is there already", help="name a new file", code=Code.WRONG_USE) from None


def _row(credential: Credential) -> dict[str, str | None]:
    holder = credential.holder
    now = datetime.now(UTC)
    expired = credential.expires_at is not None and now >= credential.expires_at
    return {
        "id": credential.id,
        "kind": str(credential.kind),
        "person": holder.person,
        "role": holder.role,
        "agency": holder.agency,
        "unit": holder.unit,
        "terminal": holder.terminal,
        "created": stamp(credential.created_at),
        "expires": stamp(credential.expires_at) if credential.expires_at else None,
        "state": "revoked" if credential.revoked_at else "expired" if expired else "good",
    }
