"""The witness's configuration: its name, its keys, the logs it knows, and where it listens."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- pydantic reads the annotations at run time
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from proxy.document import load_with_positions
from proxy.settings.model import DoorSettings
from proxy.settings.parts import Count, Port, Seconds, Section, number
from proxy.tlog.errors import NoteInvalid
from proxy.tlog.note import Verifier
from proxy.tlog.signing import NAME


def _name(name: str) -> str:
    if not NAME.match(name):
        msg = "must be visible ASCII characters, without blanks and plus signs, like witness.auditor.example.gov"
        raise ValueError(msg)
    return name


def _vkey(vkey: str) -> str:
    try:
        return Verifier.parse(vkey).vkey
    except NoteInvalid as error:
        raise ValueError(str(error)) from None


class WitnessDoor(DoorSettings):
    """Where logs submit."""

    port: Port = 8450


class KnownLog(Section):
    """A log this witness signs for: its verifier keys, as its operator tells them by another way than the network."""

    keys: Annotated[tuple[Annotated[str, AfterValidator(_vkey)], ...], Field(min_length=1, max_length=16)]

    @property
    def verifiers(self) -> tuple[Verifier, ...]:
        """Return the keys."""
        return tuple(Verifier.parse(vkey) for vkey in self.keys)

    @model_validator(mode="after")
    def _one_log(self) -> Self:
        if len({each.name for each in self.verifiers}) != 1:
            msg = "the keys of one log have the same name before the first plus sign"
            raise ValueError(msg)
        return self


class WitnessSettings(Section):
    """Everything that a witness's start needs to know. Relative paths are relative to the file's folder."""

    name: Annotated[str, AfterValidator(_name)]
    key: Path
    second_key: Path | None = None
    memory: Path
    logs: Annotated[tuple[KnownLog, ...], Field(max_length=1000)] = ()
    door: WitnessDoor = WitnessDoor()
    requests_per_second: Count = 200
    history_seconds: Annotated[float, BeforeValidator(number), Field(ge=0, le=86_400)] = 60
    body_seconds: Seconds = 5

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [log.verifiers[0].name for log in self.logs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            msg = f"the log {twice} stands here twice: put all its keys into one item"
            raise ValueError(msg)
        return self


def load_witness(path: Path) -> WitnessSettings:
    """Read a witness's configuration file.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    settings, _ = load_with_positions(path, WitnessSettings)
    base = path.absolute().parent
    tls = settings.door.tls
    if tls is not None:
        absolute = {
            name: base / value
            for name in ("certificate", "key", "client_ca", "crl")
            if (value := getattr(tls, name)) is not None
        }
        tls = tls.model_copy(update=absolute)
    return settings.model_copy(
        update={
            "key": base / settings.key,
            "second_key": base / settings.second_key if settings.second_key is not None else None,
            "memory": base / settings.memory,
            "door": settings.door.model_copy(update={"tls": tls}),
        },
    )
