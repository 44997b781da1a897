"""``notifications``: the channels of ``notifications.yaml``, and whether they take a message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.common import DEFAULT_CONFIG, Code, CommandFailed, ConfigOption, JsonOption, emit, say, settings_of, table
from proxy.document import suggest

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.oversight.notification_file import Notifying

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(*, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List who is told, when, and by which channels."""
    notifying = _read(config)
    rows = [
        (role, int(step.after.total_seconds()), " ".join(step.channels))
        for role, steps in notifying.chains.items()
        for step in steps
    ]
    if as_json:
        emit([{"role": role, "after_seconds": after, "channels": channels.split()} for role, after, channels in rows])
    else:
        table(("role", "after_seconds", "channels"), rows)


@app.command("test")
def try_(
    channel: Annotated[str, typer.Argument(help="The channel's name.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Send a test message on one channel, now. Exit 3 when the other side does not take it."""
    from proxy.clock import utc_now  # noqa: PLC0415 -- the mail and web clients take their time
    from proxy.oversight.channels import NotTaken, make_channel  # noqa: PLC0415
    from proxy.oversight.notification import Delivery, Kind  # noqa: PLC0415

    notifying = _read(config)
    if channel not in notifying.channels:
        hint = suggest(channel, notifying.channels) or f"channels: {', '.join(sorted(notifying.channels))}"
        raise CommandFailed(f"there is no channel '{channel}'", help=hint, code=Code.WRONG_USE)
    now = utc_now()
    delivery = Delivery(kind=Kind.TEST, matter=now.strftime("%Y%m%dT%H%M%S%f"), role="", step=0, channel=channel)
    try:
        asyncio.run(make_channel(notifying.channels[channel], notifying).send([delivery], now))
    except NotTaken as refusal:
        raise CommandFailed(f"{channel}: {refusal}", help="look at its lines in notifications.yaml") from None
    if as_json:
        emit({"sent": channel})
    else:
        say(f"{channel} has taken a test message")


def _read(config: Path) -> Notifying:
    from proxy.oversight.notification_file import load_notifying  # noqa: PLC0415

    path = settings_of(config).notifications
    if path is None:
        hint = "name a file as 'notifications'; deploy/notifications.example.yaml is one to start from"
        raise CommandFailed("nobody is notified: the configuration names no notifications file", help=hint, code=Code.WRONG_USE)
    return load_notifying(path)
