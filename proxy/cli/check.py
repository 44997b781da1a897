"""``check``: is what people edit right? No network, no store, no keys."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from proxy.cli.common import (
    DEFAULT_CONFIG,
    Code,
    ConfigOption,
    JsonOption,
    done,
    emit,
    mistakes_as_json,
    say,
    settings_of,
    warn,
)
from proxy.document import DocumentInvalid, Mistake, read_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.settings import Settings

app = typer.Typer()


@app.command()
def check(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:  # noqa: FBT002 -- typer's way
    """Validate configuration and policies without network; every mistake at once. Exit 1 when there are any."""
    mistakes: list[Mistake] = []
    folder = candidate = version = None
    try:
        settings = settings_of(config)
        folder, candidate = settings.policies, settings.shadow
        mistakes.extend(_beside(settings))
        mistakes.extend(_of_provider(settings, config))
    except DocumentInvalid as invalid:
        mistakes.extend(invalid.mistakes)
        folder = _policies_of(config)
    if folder is not None:
        from proxy.policy.service import load_policies  # noqa: PLC0415 -- Casbin takes its time

        try:
            version = load_policies(folder).version
        except DocumentInvalid as invalid:
            mistakes.extend(invalid.mistakes)
        if candidate is not None:
            try:
                load_policies(candidate)
            except DocumentInvalid as invalid:
                mistakes.extend(invalid.mistakes)
    if as_json:
        emit({"ok": not mistakes, "policy": version, "mistakes": mistakes_as_json(mistakes)})
    elif mistakes:
        warn(str(DocumentInvalid(mistakes)))
        warn(f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}")
    else:
        beside = f", and {candidate} beside them" if candidate is not None else ""
        say(f"{config} and {folder} are valid{beside}; policy version {version}; `doctor` says which version is activated")
    if mistakes:
        raise done(Code.FOUND)


def _beside(settings: Settings) -> Iterator[Mistake]:
    """Yield the mistakes of the files that the configuration names beside the policies."""
    from proxy.oversight.notification_file import load_notifying  # noqa: PLC0415 -- only who has them needs their readers
    from proxy.purpose.mapping import load_case_system  # noqa: PLC0415

    yield from _of_witnesses(settings)
    readers = ((settings.cases.system, load_case_system), (settings.notifications, load_notifying))
    for path, read in readers:
        if path is not None:
            try:
                read(path)
            except DocumentInvalid as invalid:
                yield from invalid.mistakes


def _of_witnesses(settings: Settings) -> Iterator[Mistake]:
    """Yield what is wrong with the policy of witnesses, or with routes that wait for witnesses that nobody has named."""
    from proxy.audit.gate import Gate  # noqa: PLC0415 -- only who has witnesses needs their reader
    from proxy.inquiry.routes import load_routes  # noqa: PLC0415
    from proxy.tlog.cosign import PolicyInvalid, WitnessPolicy  # noqa: PLC0415
    from proxy.tlog.errors import NoteInvalid  # noqa: PLC0415

    path = settings.audit.witnesses
    if path is None:
        with suppress(DocumentInvalid):  # the policies' own mistakes are told beside
            routes = load_routes(settings.policies / "routes.yaml")
            for route in routes.routes:
                if route.gate is Gate.WITNESS and routes.positions is not None:
                    hint = "name the file of witnesses as audit.witnesses in the configuration, or take the gate away"
                    message = "no answer will ever pass this gate: no witnesses are configured"
                    yield routes.positions.mistake(("routes", route.id, "gate"), message, hint=hint)
        return
    try:
        policy = WitnessPolicy.read(path)
    except (PolicyInvalid, OSError) as error:
        said = str(error).removeprefix(f"{path}:")
        line, _, message = said.partition(": ")
        at = int(line) if line.isdigit() else 1
        yield Mistake(
            file=path, line=at, column=1, message=message if line.isdigit() else said, help="deploy/witness.md shows one"
        )
        return
    try:
        policy.require(settings.origin)
    except NoteInvalid as error:
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
        at = next((number for number, line in enumerate(lines, 1) if line.split()[:1] == ["log"]), 1)
        yield Mistake(file=path, line=at, column=1, message=str(error), help="`doctor` prints the verifier key")


def _of_provider(settings: Settings, config: Path) -> Iterator[Mistake]:
    """Yield the groups of an identity provider that give a role which policy does not know."""
    from proxy.cli.provider import role_mistakes  # noqa: PLC0415 -- only who has a provider needs it
    from proxy.policy.vocabulary import load_vocabulary  # noqa: PLC0415

    if settings.oidc is not None:
        with suppress(DocumentInvalid):  # the policies' own mistakes are told beside
            roles = load_vocabulary(settings.policies / "vocabulary.yaml").roles
            yield from role_mistakes(settings.oidc, roles, read_mapping(config)[1])


def _policies_of(config: Path) -> Path | None:
    """Return the policies' folder of a configuration that is wrong elsewhere, or None when that is not known."""
    try:
        value = read_mapping(config)[0].get("policies")
    except DocumentInvalid:
        return None
    return config.absolute().parent / value if isinstance(value, str) and value else None
