"""``identity passkey``: who may register a first passkey, which there are, and which count no more."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

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
from proxy.identity.passkey_desk import PasskeyDesk
from proxy.identity.passkeys import PasskeyRefused, StepUpFailed, passkey_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proxy.identity.passkeys import Passkey
    from proxy.settings import Settings

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True)

MIN_REASON: Final = 8
COLUMNS: Final = ("id", "person", "authenticator", "backed_up", "uses", "created", "last_used", "state")


@app.command()
def invite(
    person: Annotated[str, typer.Argument(help="Personnel id, like badge-1234.")],
    *,
    hours: Annotated[int, typer.Option("--hours", min=1, max=72, help="The code is good for so many hours.")] = 24,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make a code with which a person registers a first passkey on the console, once."""
    code, invitation = _at_desk(settings_of(config), lambda desk: desk.invite(person, within=timedelta(hours=hours)))
    until = stamp(invitation.expires_at)
    if as_json:
        emit({"person": person, "code": code, "expires": until})
        return
    warn(f"a code for {person}, good once until {until}; shown once and stored nowhere. Give it to nobody else:")
    say(code)


@app.command("list")
def list_(
    *,
    person: Annotated[str | None, typer.Option("--person", help="Only this person's.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Revoked ones too.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List passkeys."""
    found = _at_desk(settings_of(config), lambda desk: desk.listed(person))
    rows = [row for row in map(_row, found) if everything or row["state"] == "good"]
    listing(COLUMNS, rows, nothing="no passkeys; `identity passkey invite` lets a person register one", as_json=as_json)


@app.command()
def revoke(
    passkey: Annotated[str, typer.Argument(help="The passkey's id, as `identity passkey list` shows it.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the log.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Revoke a passkey, from the next confirmation on."""
    if len(reason.strip()) < MIN_REASON:
        help_ = f"give --reason with {MIN_REASON} characters or more"
        raise CommandFailed("a revocation needs its reason", help=help_, code=Code.WRONG_USE)
    gone = _at_desk(settings_of(config), lambda desk: desk.revoke(passkey, reason=reason.strip()))
    emit(_row(gone)) if as_json else say(f"revoked {gone.id}")


def _at_desk(settings: Settings, use: Callable[[PasskeyDesk], Awaitable[T]]) -> T:
    async def work() -> T:
        async with recording(settings) as opened:
            desk = PasskeyDesk(
                database=opened.database,
                key=passkey_key(opened.key),
                outbox=opened.outbox,
                clock=utc_now,
                randomness=os.urandom,
                actor=operator(),
            )
            return await use(desk)

    try:
        return asyncio.run(work())
    except PasskeyRefused as refused:
        raise CommandFailed(refused.detail, code=Code.WRONG_USE) from None
    except StepUpFailed as altered:
        raise CommandFailed(
            altered.detail, help="restore the store from a backup, or revoke what is left", code=Code.FOUND
        ) from None


def _row(passkey: Passkey) -> dict[str, str | int | bool | None]:
    return {
        "id": passkey.id,
        "person": passkey.person,
        "authenticator": passkey.aaguid,
        "backed_up": passkey.backed_up,
        "uses": passkey.sign_count,
        "created": stamp(passkey.created_at),
        "last_used": stamp(passkey.last_used_at) if passkey.last_used_at else None,
        "state": "revoked" if passkey.revoked_at else "good",
    }
