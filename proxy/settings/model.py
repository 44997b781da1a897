"""The settings: frozen, bounded, and coherent from birth.

Every bound has a default that holds; what has no safe default (where the records are, where the keys lie) must be said.
Secrets are named by file and never stand here. Whatever weakens a guarantee starts with ``unsafe_``.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- pydantic reads the annotations at run time
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from proxy.settings.audit import AuditSettings
from proxy.settings.oidc import OidcSettings  # noqa: TC001 -- pydantic reads the annotations at run time
from proxy.settings.parts import Bytes, Count, File, Host, Port, Seconds, Section, is_loopback, number
from proxy.settings.retention import RetentionSettings
from proxy.settings.step_up import StepUpSettings
from proxy.upstream.options import UpstreamOptions


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


class Keys(Section):
    """The secret files, mode 0600: one signs checkpoints, one makes search tokens, one seals entries, one the registry.

    ``index`` and ``body`` may be folders of ``<id>.key`` files, whose newest is used; ``store`` seals what the store keeps,
    and is the oldest body key where it is not set. ``unsafe_same_disk`` has `doctor` accept keys on the log's file system.
    """

    checkpoint: File
    index: File
    body: File
    registry: File
    store: File | None = None
    unsafe_same_disk: bool = False


class UpstreamSettings(Section):
    """The records server, and how long and how much we take from it. Seconds and bytes."""

    url: Annotated[str, AfterValidator(_upstream_url)]
    connect_seconds: Seconds = 2
    reply_seconds: Seconds = 10
    connections: Count = 64
    queue: Annotated[int, BeforeValidator(number), Field(ge=0, le=1_000_000)] = 256
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

    def options(self) -> UpstreamOptions:
        """Return the settings as the records server's client takes them."""
        return UpstreamOptions(
            url=self.url,
            ca=self.ca,
            certificate=self.certificate,
            key=self.key,
            credential=self.credential,
            connections=self.connections,
            queue=self.queue,
            connect_seconds=self.connect_seconds,
            first_byte_seconds=self.reply_seconds,
            total_seconds=self.reply_seconds * 2,
            reply_bytes=self.max_bytes,
        )


class Tls(Section):
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


class DoorSettings(Section):
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


class Doors(Section):
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


class CaseSettings(Section):
    """Where a reference is looked up: in the case system that a mapping file describes, or without one in the store."""

    system: File | None = None


class EscalationSettings(Section):
    """How long an escalation waits, a grant lasts, and a query may be held for a decision. Seconds."""

    expires_seconds: Seconds = 900
    grant_seconds: Seconds = 600
    wait_seconds_max: Annotated[float, BeforeValidator(number), Field(ge=0, le=300, allow_inf_nan=False)] = 30


class LimitSettings(Section):
    """What a client may send to a door, and how long it may take. Bytes and seconds."""

    body_bytes: Bytes = 65_536
    header_bytes: Annotated[int, BeforeValidator(number), Field(ge=1024, le=1 << 20)] = 16_384
    connections: Count = 1024
    keepalive_seconds: Seconds = 15
    body_seconds: Seconds = 10
    send_seconds: Seconds = 30
    drain_seconds: Seconds = 20


class LoggingSettings(Section):
    """The operational log on standard error, which is never the audit log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Settings(Section):
    """Everything that a start needs to know; paths are absolute."""

    origin: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,100})(:[0-9]{1,5})?(/[A-Za-z0-9._~-]{1,60}){0,5}$")]
    data: File
    policies: File
    shadow: File | None = None
    keys: Keys
    upstream: UpstreamSettings
    audit: AuditSettings = AuditSettings()
    cases: CaseSettings = CaseSettings()
    doors: Doors = Doors()
    escalations: EscalationSettings = EscalationSettings()
    notifications: File | None = None
    retention: RetentionSettings = RetentionSettings()
    step_up: StepUpSettings = StepUpSettings()
    limits: LimitSettings = LimitSettings()
    oidc: OidcSettings | None = None
    presence_seconds: Seconds = 60
    root_seconds: Seconds = 300
    logging: LoggingSettings = LoggingSettings()

    @field_validator("step_up")
    @classmethod
    def _reachable(cls, step_up: StepUpSettings, info: ValidationInfo) -> StepUpSettings:
        doors = info.data.get("doors")
        if doors and step_up.mode == "webauthn" and step_up.rp_id == "localhost" and not is_loopback(doors.console.host):
            msg = "'rp_id' must be the domain of the console, or no browser offers a passkey there (mode: key does without)"
            raise ValueError(msg)
        return step_up

    @field_validator("shadow")
    @classmethod
    def _another(cls, shadow: Path | None, info: ValidationInfo) -> Path | None:
        if shadow is not None and shadow == info.data.get("policies"):
            msg = "must be another folder than 'policies': a candidate is held against it"
            raise ValueError(msg)
        return shadow

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the pages that may ask a passkey."""
        door, rp_id = self.doors.console, self.step_up.rp_id
        return self.step_up.origins or (f"http{'s' if door.tls else ''}://{rp_id}:{door.port}",)

    @property
    def store(self) -> Path:
        """Return where the store lies."""
        return self.data / "store.sqlite3"

    @property
    def log(self) -> Path:
        """Return the folder of the audit log."""
        return self.data / "log"
