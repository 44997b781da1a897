"""One YAML file, with single values overridden by the environment, becomes frozen settings, or the list of all mistakes.

Every bound has a default that holds; what has no safe default (where the records are, where the keys lie) must be said.
Secrets are named by file and never stand here. Whatever weakens a guarantee starts with ``unsafe_``.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from proxy.document import DocumentInvalid, Mistake, Positions, read_mapping, suggest, validate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX: Final = "SHOWCAUSE_"
NOT_SETTINGS: Final = frozenset({"SHOWCAUSE_CONFIG", "SHOWCAUSE_KEY"})
"""Variables of the command line, which override nothing."""
_LINKS: Final = re.compile(r"SHOWCAUSE_(SERVICE_HOST|SERVICE_PORT\w*|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)\Z")
"""What Kubernetes puts into every pod beside a Service named showcause."""


def is_loopback(host: str) -> bool:
    """Return whether nothing sent to ``host`` can leave this machine; a name other than localhost is taken to leave it."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _number(value: object) -> object:
    # YAML's true would pass for 1, and `connections: true` is no bound.
    if isinstance(value, bool):
        msg = "must be a number, not true or false"
        raise ValueError(msg)  # noqa: TRY004 -- pydantic collects ValueError, and lets TypeError through
    return value


def _named(path: Path) -> Path:
    if not path.is_absolute() or "\0" in str(path):
        msg = "must name a file or folder"
        raise ValueError(msg)
    return path


def _host(host: str) -> str:
    if not host or any(letter.isspace() or letter in "/@?#[]" for letter in host):
        msg = "must be an address or a host name, like 127.0.0.1"
        raise ValueError(msg)
    return host


def _upstream_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or any(letter.isspace() for letter in url):
        msg = "must be a URL, like https://records.example.gov"
        raise ValueError(msg)
    if parts.username is not None or parts.password is not None:
        msg = "must not hold a user or password: put an Authorization value into a file and name it as 'credential'"
        raise ValueError(msg)
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "?" in url or "#" in url:
        msg = "must end after the host and port: paths belong into routes.yaml"
        raise ValueError(msg)
    return url.rstrip("/")


Count = Annotated[int, BeforeValidator(_number), Field(ge=1, le=1_000_000)]
Bytes = Annotated[int, BeforeValidator(_number), Field(ge=1024, le=1 << 30)]
Seconds = Annotated[float, BeforeValidator(_number), Field(gt=0, le=86_400, allow_inf_nan=False)]
Port = Annotated[int, BeforeValidator(_number), Field(ge=0, le=65_535)]
File = Annotated[Path, AfterValidator(_named)]
Host = Annotated[str, AfterValidator(_host)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Keys(_Section):
    """The secret files, mode 0600: one signs checkpoints, one makes search tokens, one seals entries, one the registry."""

    checkpoint: File
    index: File
    body: File
    registry: File


class UpstreamSettings(_Section):
    """The records server, and how long and how much we take from it. Seconds and bytes."""

    url: Annotated[str, AfterValidator(_upstream_url)]
    connect_seconds: Seconds = 2
    reply_seconds: Seconds = 10
    connections: Count = 64
    queue: Annotated[int, BeforeValidator(_number), Field(ge=0, le=1_000_000)] = 256
    max_bytes: Bytes = 8 << 20
    ca: File | None = None
    credential: File | None = None
    certificate: File | None = None
    key: File | None = None
    unsafe_plaintext: bool = False

    @field_validator("ca", "certificate", "key")
    @classmethod
    def _of_use(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and str(info.data.get("url", "https:")).startswith("http:"):
            msg = "is of use with an https URL only"
            raise ValueError(msg)
        return value

    @field_validator("key")
    @classmethod
    def _paired(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "certificate" in info.data and (info.data["certificate"] is None) != (key is None):
            msg = "'certificate' and 'key' go together"
            raise ValueError(msg)
        return key

    @field_validator("unsafe_plaintext")
    @classmethod
    def _covered(cls, plaintext: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 -- pydantic calls it
        parts = urlsplit(info.data.get("url", "https:"))
        if parts.scheme == "http" and not plaintext and not is_loopback(parts.hostname or ""):
            msg = "records would cross the network in the clear: use https, or say unsafe_plaintext: true"
            raise ValueError(msg)
        return plaintext


class Tls(_Section):
    """A door's certificate, and whose client certificates it believes. All PEM."""

    certificate: File
    key: File
    client_ca: File | None = None
    crl: File | None = None
    require_client_certificate: bool = False

    @field_validator("crl", "require_client_certificate")
    @classmethod
    def _about_somebody(cls, value: Path | bool | None, info: ValidationInfo) -> Path | bool | None:  # noqa: FBT001 -- pydantic calls it
        if value and info.data.get("client_ca", value) is None:
            msg = f"'{info.field_name}' needs 'client_ca', whose certificates it is about"
            raise ValueError(msg)
        return value

    @field_validator("crl")
    @classmethod
    def _revocable(cls, crl: Path | None, info: ValidationInfo) -> Path | None:
        # A lost laptop's certificate is good for years; without a list there is no way to say that it is not.
        if crl is None and info.data.get("client_ca") is not None:
            msg = "'client_ca' needs a revocation list 'crl', even an empty one"
            raise ValueError(msg)
        return crl


class DoorSettings(_Section):
    """Where one door listens. Port 0 takes any free one."""

    host: Host = "127.0.0.1"
    port: Port
    tls: Tls | None = None
    unsafe_plaintext: bool = False

    @field_validator("unsafe_plaintext")
    @classmethod
    def _covered(cls, plaintext: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 -- pydantic calls it
        host = info.data.get("host", "localhost")
        if info.data.get("tls", host) is None and not plaintext and not is_loopback(host):
            msg = f"{host} is not loopback, so this door needs 'tls' (or unsafe_plaintext: true, on a network that is safe)"
            raise ValueError(msg)
        return plaintext


class TerminalsDoor(DoorSettings):
    """The door of the patrol terminals."""

    port: Port = 8440


class ConsoleDoor(DoorSettings):
    """The door of supervisors, auditors and stewards."""

    port: Port = 8441


class OpsDoor(DoorSettings):
    """The door of operators; ``token`` is a file that holds the bearer token for metrics and log."""

    port: Port = 9440
    token: File | None = None

    @field_validator("token")
    @classmethod
    def _guarded(cls, token: Path | None, info: ValidationInfo) -> Path | None:
        # How often which purpose is refused is criminal-justice metadata; off this machine it takes a token to read it.
        host = info.data.get("host", "localhost")
        if token is None and not is_loopback(host):
            msg = f"{host} is not loopback, so this door needs a 'token'"
            raise ValueError(msg)
        return token


class Doors(_Section):
    """The three addresses."""

    terminals: TerminalsDoor = TerminalsDoor()
    console: ConsoleDoor = ConsoleDoor()
    ops: OpsDoor = OpsDoor()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        ports = [door.port for door in (self.terminals, self.console, self.ops) if door.port]
        if len(ports) != len(set(ports)):
            msg = "two doors have the same port"
            raise ValueError(msg)
        return self


class EscalationSettings(_Section):
    """How long an escalation waits, a grant lasts, and a query may be held for a decision. Seconds."""

    expires_seconds: Seconds = 900
    grant_seconds: Seconds = 600
    wait_seconds_max: Annotated[float, BeforeValidator(_number), Field(ge=0, le=300, allow_inf_nan=False)] = 30


class LimitSettings(_Section):
    """What a client may send to a door, and how long it may take. Bytes and seconds."""

    body_bytes: Bytes = 65_536
    header_bytes: Annotated[int, BeforeValidator(_number), Field(ge=1024, le=1 << 20)] = 16_384
    connections: Count = 1024
    keepalive_seconds: Seconds = 15
    body_seconds: Seconds = 10
    drain_seconds: Seconds = 20


class LoggingSettings(_Section):
    """The operational log on standard error, which is never the audit log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Settings(_Section):
    """Everything that a start needs to know; paths are absolute."""

    origin: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,100})(:[0-9]{1,5})?(/[A-Za-z0-9._~-]{1,60}){0,5}$")]
    data: File
    policies: File
    keys: Keys
    upstream: UpstreamSettings
    doors: Doors = Doors()
    escalations: EscalationSettings = EscalationSettings()
    limits: LimitSettings = LimitSettings()
    presence_seconds: Seconds = 60
    root_seconds: Seconds = 300
    logging: LoggingSettings = LoggingSettings()

    @property
    def store(self) -> Path:
        """Return where the store lies."""
        return self.data / "store.sqlite3"

    @property
    def log(self) -> Path:
        """Return the folder of the audit log."""
        return self.data / "log"


class _Places(Positions):
    """Positions of the file, and for overridden values the variable's name in place of a line."""

    def __init__(self, file: Positions, variables: Mapping[tuple[str | int, ...], str]) -> None:
        super().__init__(file.file, "", None)
        self._document = file
        self._variables = variables

    def at(self, *path: str | int) -> tuple[int, int]:
        return self._document.at(*path)

    def value_at(self, *path: str | int) -> tuple[int, int]:
        return self._document.value_at(*path)

    def mistake(self, path: tuple[str | int, ...], message: str, *, value: bool = True, hint: str | None = None) -> Mistake:
        for length in range(len(path), 0, -1):
            if variable := self._variables.get(path[:length]):
                return _of_environment(variable, message, hint)
        if message.startswith("String should match pattern"):
            message, hint = "must be a host and path without blanks", "like records.example.gov/audit"
        beside = [
            variable for place, variable in self._variables.items() if len(path) > 1 and place[: len(path) - 1] == path[:-1]
        ]
        if hint is None and beside:
            hint = f"the environment sets {', '.join(beside)}"
        return self._document.mistake(path, message, value=value, hint=hint)


def load_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read the configuration file and put the environment's overrides over it.

    ``SHOWCAUSE_UPSTREAM__URL`` overrides ``upstream.url``; an empty variable is a null. Relative paths, of the file and of
    variables alike, are relative to the file's folder. A variable that names no setting is a mistake, since it was meant.

    Raises:
        DocumentInvalid: with every mistake of file and environment.
    """
    data, positions = read_mapping(path)
    mistakes: list[Mistake] = []
    variables: dict[tuple[str | int, ...], str] = {}
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS and not _LINKS.match(variable):
            try:
                variables[_override(data, variable, text)] = variable
            except LookupError as error:
                mistakes.append(_of_environment(variable, "names no setting", error.args[0]))
    _complete(data, Settings, path.absolute().parent)
    try:
        settings, _ = validate(data, Settings, _Places(positions, variables))
    except DocumentInvalid as invalid:
        mistakes.extend(invalid.mistakes)
    if mistakes:
        raise DocumentInvalid(mistakes)
    return settings


def _override(data: dict[str, Any], variable: str, text: str) -> tuple[str, ...]:
    """Put one variable's value into the data and return the path it went to.

    Raises:
        LookupError: there is no such setting; its argument is a hint.
    """
    path = tuple(variable.removeprefix(PREFIX).lower().split("__"))
    known = {"__".join(each): each for each in _leaves(Settings)}
    if "__".join(path) not in known:
        near = suggest("__".join(path), known)
        if near is not None:
            near = f"did you mean {PREFIX}{near.split(chr(39))[1].upper()}?"
        raise LookupError(near or "sections and names are joined by two underscores, as in SHOWCAUSE_UPSTREAM__URL")
    section: Any = data
    for step in path[:-1]:
        if section.get(step) is None:
            section[step] = {}
        section = section[step]
        if not isinstance(section, dict):
            return path  # validation says so, at the file's line
    section[path[-1]] = text or None
    return path


def _leaves(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if section is None:
            yield (*above, name)
        else:
            yield from _leaves(section, (*above, name))


def _complete(data: object, model: type[BaseModel], base: Path) -> None:
    """Make relative paths in ``data`` absolute and a section of comments alone an empty one, in place."""
    if not isinstance(data, dict):
        return
    for name, field in model.model_fields.items():
        value = data.get(name)
        section = _section(field.annotation)
        if section is not None:
            if value is None and name in data and type(None) not in get_args(field.annotation):
                value = data[name] = {}
            _complete(value, section, base)
        elif value and isinstance(value, str) and _is_path(field.annotation):
            data[name] = str(base / value)


def _section(annotation: object) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _is_path(annotation: object) -> bool:
    return annotation is Path or any(_is_path(part) for part in get_args(annotation))


def _of_environment(variable: str, message: str, hint: str | None) -> Mistake:
    return Mistake(file=Path("environment") / variable, line=1, column=1, message=message, help=hint)
