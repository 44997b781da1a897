"""``audit new-origin`` and ``audit rotate-key checkpoint``: the log goes on under another name, or with another key.

Both need the server stopped, and can be run again after they were interrupted at any point.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from proxy.audit.continuity import KeyRotated, OriginOpened
from proxy.audit.entry import EntryUnreadable
from proxy.audit.holds import HoldSet, carried
from proxy.audit.reader import AuditReader
from proxy.audit.service import AuditTrail
from proxy.cli.common import DEFAULT_CONFIG, Code, CommandFailed, ConfigOption, JsonOption, emit, say, settings_of
from proxy.cli.recording import operator, sealer_of
from proxy.clock import utc_now
from proxy.tlog.acknowledged import newest_acknowledged
from proxy.tlog.errors import LogBusy, NoteInvalid
from proxy.tlog.files import make_directory, sync_directory
from proxy.tlog.keys import begun, create_signing_key, load_signer
from proxy.tlog.log import Log
from proxy.tlog.note import with_lines
from proxy.tlog.rotation import Rotation, keep_rotation, parse_rotation, rotations_of, state_rotation, with_rotations
from proxy.tlog.store import ACKNOWLEDGED, CHECKPOINT, COSIGNED, LOCK, newest_seal, origin_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.settings import Settings
    from proxy.tlog.note import Checkpoint, Signer

MIN_REASON: Final = 8
ReasonOption = Annotated[str, typer.Option("--reason", help="Why the old log cannot go on; it is sealed into the first entry.")]


def new_origin(*, reason: ReasonOption, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Begin a new log where the old one cannot go on; its first entry names the old one, the last it has signed, and why.

    Set the new `origin` in the configuration first. The old log's folder is kept beside the new one.
    """
    if len(reason.strip()) < MIN_REASON:
        help_ = f"say in {MIN_REASON} characters or more what happened"
        raise CommandFailed("the reason says too little", help=help_, code=Code.WRONG_USE)
    settings = settings_of(config)
    making = settings.data / "log.new"
    if settings.log.is_dir():
        with _locked(settings.log):
            newest = _newest(settings)
            asyncio.run(_begin(settings, making, newest, reason.strip()))
            settings.log.rename(_free_name(settings.data / f"log-{re.sub(r'[^A-Za-z0-9.-]', '-', newest.origin)}"))
    elif not making.is_dir():
        raise CommandFailed(f"there is no log in {settings.log}", help="`serve` begins one by itself", code=Code.WRONG_USE)
    making.rename(settings.log)
    sync_directory(settings.data)
    _tell(settings, as_json=as_json)


def _tell(settings: Settings, *, as_json: bool) -> None:
    """Say what the new log's first entry says, and what is to be done before the start."""
    vkey = load_signer(settings.keys.checkpoint, settings.origin).verifier.vkey
    facts = AuditReader(settings.log).read(0).facts
    unread = cast("list[str]", facts["holds_unread"])
    if as_json:
        emit({"origin": settings.origin, "vkey": vkey, "holds": facts["holds"], "holds_unread": unread})
        return
    say(f"the log {settings.origin} begins; its verifier key is {vkey}")
    say(f"{facts['holds']} legal holds of {facts['origin']} go on in it: `audit hold list`")
    for trouble in unread:
        say(f"a hold may be lost: {trouble}; set anew what is missing, with `audit hold add`")
    say("the key is the one that signed the old log: if others may have it, run `audit rotate-key checkpoint` now")
    if settings.audit.witnesses is not None:
        say(f"next: put the line `log {vkey}` into {settings.audit.witnesses} in place of the old log's; `check` tells")
    say("next: tell this key to the witnesses and to everybody who verifies, then start")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CommandFailed(f"a server has the log in {folder} open", help="stop it, and try again") from None
    finally:
        os.close(descriptor)


def _newest(settings: Settings) -> Checkpoint:
    """Return the newest checkpoint that the old log has signed and that is still here."""
    old = origin_of(settings.log)
    if old is None or old == settings.origin:
        raise CommandFailed(
            f"the log in {settings.log} is {settings.origin} itself",
            help="set a new name as `origin` in the configuration first; the old one is never used again",
            code=Code.WRONG_USE,
        )
    try:
        verifier = with_rotations([load_signer(settings.keys.checkpoint, old).verifier], rotations_of(settings.log))
    except NoteInvalid as error:
        raise CommandFailed(str(error), help="move the statements that are not yours out of `rotations`") from error
    found = [newest_acknowledged(settings.log / ACKNOWLEDGED, verifier)]
    for name in (CHECKPOINT, COSIGNED):
        with suppress(OSError, NoteInvalid, UnicodeDecodeError):
            found.append(verifier.checkpoint((settings.log / name).read_text(encoding="utf-8")))
    newest = max((each for each in found if each is not None), key=lambda each: each.size, default=None)
    if newest is None:
        help_ = "configure the key that the old log had (keys.checkpoint); it can be changed once the new one has begun"
        raise CommandFailed(f"no checkpoint in {settings.log} is signed by the configured key", help=help_)
    return newest


def _free_name(wanted: Path) -> Path:
    number, name = 1, wanted
    while name.exists():
        number += 1
        name = wanted.with_name(f"{wanted.name}-{number}")
    return name


async def _begin(settings: Settings, folder: Path, old: Checkpoint, reason: str) -> None:
    make_directory(folder)
    sealer = sealer_of(settings)
    holds, unread = carried(settings.log, sealer, old.origin)
    if (here := newest_seal(settings.log)) < old.size:
        unread = [*unread, f"entries {here} to {old.size - 1} of {old.origin} are not here"]
    opened = OriginOpened(
        origin=old.origin,
        size=old.size,
        checkpoint=old.text,
        operator=operator(),
        reason=reason,
        holds=len(holds),
        unread=unread,
    )
    async with Log(folder, signer=load_signer(settings.keys.checkpoint, settings.origin), clock=utc_now) as log:
        trail = AuditTrail(log, sealer, utc_now)
        # Interrupted, it goes on behind the last: the old log, and so their order, is the same.
        for event in [opened, *(HoldSet(hold=hold) for hold in holds)][log.head.size :]:
            await trail.record(event)


def rotate_checkpoint_key(config: Path, *, as_json: bool) -> None:
    """Change the key that signs checkpoints: an entry and a checkpoint are signed by the old key and the new one.

    Raises:
        CommandFailed: a server has the log open, or a key cannot be used.
    """
    settings = settings_of(config)
    path, following = settings.keys.checkpoint, begun(settings.keys.checkpoint)
    old = load_signer(path, settings.origin, unfinished=True)
    try:
        rotation = asyncio.run(_rotate(settings, old, following))
    except LogBusy as error:
        raise CommandFailed(str(error), help="stop the server; the change takes a second") from error
    with suppress(FileExistsError):
        path.with_name(f"{path.stem}-{old.verifier.key_id.hex()}.retired").hardlink_to(path)
    following.replace(path)
    sync_directory(path.parent)
    if as_json:
        emit({"size": rotation.size, "old": rotation.old.vkey, "new": rotation.new.vkey})
        return
    say(f"from {rotation.size} entries on the log is signed by {rotation.new.vkey}")
    say("the old key is kept beside the new one, as .retired: put it where nobody can use it, or destroy it")
    say("next: start, and tell the new key to everybody who verifies; the log itself tells witnesses of our make")


def _following(path: Path, origin: str) -> Signer:
    """Return the new key, made once nobody else has the log: from here on nothing starts until the change is done."""
    if not path.exists():
        create_signing_key(path)
    return load_signer(path, origin)


async def _rotate(settings: Settings, old: Signer, following: Path) -> Rotation:
    async with Log(settings.log, signer=old, clock=utc_now) as log:
        new = _following(following, settings.origin)
        rotation = _begun(log, new)
        if rotation is None:
            rotation = state_rotation(log.head.size + 1, old, new)
            trail = AuditTrail(log, sealer_of(settings), utc_now)
            await trail.record(KeyRotated(statement=rotation.text, operator=operator()))
        seam = old.checkpoint(log.head.size, log.head.root)
        keep_rotation(settings.log, rotation, with_lines(seam, [new.note(seam.body)]))
    return rotation


def _begun(log: Log, new: Signer) -> Rotation | None:
    """Return the statement that the last entry holds, if this change was interrupted behind it."""
    if not log.head.size:
        return None
    with suppress(EntryUnreadable, NoteInvalid):
        statement = AuditReader(log.directory).read(log.head.size - 1).facts.get("statement")
        if isinstance(statement, str):
            rotation = parse_rotation(statement)
            return rotation if rotation.new.vkey == new.verifier.vkey and rotation.size == log.head.size else None
    return None
