"""``witness``: an independent memory of what logs have signed, for a county auditor, a prosecutor, or a court.

It needs nothing of the proxy but this program: no database, no policy, no key of the log. Whoever runs it tells its verifier
key to everybody who verifies the log, and the log's operator tells it the log's key, both by another way than this network.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from proxy.cli.common import Code, CommandFailed, JsonOption, done, emit, say
from proxy.tlog.errors import LogError, NoteInvalid
from proxy.tlog.keys import create_signing_key, load_cosigner
from proxy.tlog.note import Verifier
from proxy.tlog.signing import NAME, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.tlog.signing import PublicKey
    from proxy.witness.memory import Remembered

app = typer.Typer(no_args_is_help=True)

_CONFIG: Final = Path("witness.yaml")
WitnessConfig = Annotated[
    Path, typer.Option("--config", envvar="SHOWCAUSE_WITNESS_CONFIG", help="The witness's configuration.", show_default=True)
]
_TEMPLATE: Final = """\
# A witness: see deploy/witness.md.
name: {name}
key: witness.pem
{second}memory: memory

# The logs to sign for. Take a log's verifier key from its operator by another way than the network; `doctor` prints it there.
logs:{logs}

door:
  host: 127.0.0.1
  port: 8450
  # Beyond this machine a certificate is needed:
  # tls: {{certificate: witness.crt, key: witness.key}}
"""


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The witness's name, like witness.auditor.example.gov.")],
    *,
    folder: Annotated[Path, typer.Option("--folder", help="A new or empty folder.")] = Path("witness"),
    log: Annotated[list[str] | None, typer.Option("--log", help="A log's verifier key. May be given several times.")] = None,
    post_quantum: Annotated[bool, typer.Option("--post-quantum", help="Sign with ML-DSA-44 too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a witness: its key, its empty memory, and a configuration to edit."""
    from proxy.witness.memory import Memory  # noqa: PLC0415 -- what the other commands of the program do not need

    vkeys = _vkeys(name, log or [])
    config = folder / _CONFIG
    if config.exists():
        raise CommandFailed(
            f"{config} exists already", help="a witness is made once; name another --folder", code=Code.WRONG_USE
        )
    create_signing_key(folder / "witness.pem")
    keys = [folder / "witness.pem"]
    if post_quantum:
        create_signing_key(folder / "witness-ml-dsa.pem", Kind.ML_DSA_44)
        keys.append(folder / "witness-ml-dsa.pem")
    Memory.create(folder / "memory")
    listed = "".join(f"\n  - keys: ['{vkey}']" for vkey in vkeys) or " []"
    second = "second_key: witness-ml-dsa.pem\n" if post_quantum else ""
    config.write_text(_TEMPLATE.format(name=name, logs=listed, second=second), encoding="utf-8")
    published = [load_cosigner(key, name).public for key in keys]
    if as_json:
        emit({"config": str(config), "vkeys": [each.vkey for each in published]})
        return
    say(f"{config} is made; its memory is empty")
    _say_keys(published)
    told = "this key" if len(published) == 1 else "these keys"
    then = "" if vkeys else ", put the log's key into the file"
    say(f"next: tell {told} to whoever verifies the log{then}, and run")
    say(f"    showcause witness serve --config {config}")


def _say_keys(keys: Sequence[PublicKey]) -> None:
    for key in keys:
        say(f"verifier key ({'ML-DSA-44' if key.kind is Kind.ML_DSA_44 else 'Ed25519'}): {key.vkey}")


def _vkeys(name: str, logs: list[str]) -> list[str]:
    if not NAME.match(name):
        raise CommandFailed(
            f"{name!r} cannot name a witness", help="visible ASCII, no blanks, no plus sign", code=Code.WRONG_USE
        )
    try:
        return [Verifier.parse(vkey).vkey for vkey in logs]
    except NoteInvalid as error:
        raise CommandFailed(
            str(error), help="copy the whole verifier key, as `doctor` prints it", code=Code.WRONG_USE
        ) from error


@app.command()
def serve(*, config: WitnessConfig = _CONFIG) -> None:
    """Run the witness until SIGINT or SIGTERM."""
    from proxy.witness.running import serve as run  # noqa: PLC0415
    from proxy.witness.settings import load_witness  # noqa: PLC0415

    asyncio.run(run(load_witness(config)))


@app.command()
def status(*, config: WitnessConfig = _CONFIG, as_json: JsonOption = False) -> None:
    """Say what the witness has signed last, and whether a log has contradicted itself (exit 1)."""
    from proxy.witness.running import cosigners, remembered  # noqa: PLC0415
    from proxy.witness.settings import load_witness  # noqa: PLC0415

    settings = load_witness(config)
    keys = cosigners(settings)
    try:
        logs = remembered(settings, keys[0])
    except LogError as error:
        raise CommandFailed(
            str(error), help="see deploy/witness.md, at `When the memory is damaged`", code=Code.FOUND
        ) from error
    if as_json:
        emit({"name": settings.name, "vkeys": [key.public.vkey for key in keys], "logs": [_as_json(log) for log in logs]})
    else:
        _say_keys([key.public for key in keys])
        for log in logs:
            say(f"{log.origin}: {_state(log)}")
        if not logs:
            say("no log is configured yet: add its verifier key under `logs`")
    if any(log.refused for log in logs):
        raise done(Code.FOUND)


def _as_json(log: Remembered) -> dict[str, object]:
    root = log.newest.root.hex() if log.newest is not None else ""
    refused = [str(path) for path in log.refused]
    return {
        "origin": log.origin,
        "size": log.size,
        "root": root,
        "time": _time(log),
        "folder": str(log.folder),
        "refused": refused,
    }


def _time(log: Remembered) -> str:
    return f"{datetime.fromtimestamp(log.time, UTC):%Y-%m-%dT%H:%M:%SZ}" if log.time else ""


def _state(log: Remembered) -> str:
    if log.newest is None:
        return "nothing signed yet"
    signed = f"{log.size} entries signed for at {_time(log)}, root {log.newest.root.hex()}"
    if log.refused:
        signed += (
            f"\n  {len(log.refused)} submissions signed by the log contradict its past, in {log.folder / 'refused'}: "
            "keep them, they are evidence; where none ends in -root, have the log prove them: a wrong proof can be anybody's"
        )
    return signed
