"""The section ``audit``: who witnesses the log, what waits for them, and how often the log says that it is alive."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from proxy.audit.gate import Gate
from proxy.settings.parts import File, Seconds, Section, number

NO_COPY: Final = (
    "local+pg wants a second copy of the log in PostgreSQL, which this version does not keep: use local or local+witness"
)


def _gate(gate: str) -> Gate:
    if gate == "local+pg":
        raise ValueError(NO_COPY)
    try:
        return Gate(gate)
    except ValueError:
        msg = "must be local or local+witness"
        raise ValueError(msg) from None


def _authority(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    # What crosses is a hash, and the answer is signed: plain HTTP, which most authorities speak, takes nothing away.
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None or parts.fragment:
        msg = "must be the URL of a time-stamping authority (RFC 3161), like http://timestamp.example.gov/"
        raise ValueError(msg)
    return url


class TimestampSettings(Section):
    """A time-stamping authority that says when evidence existed, and the root certificate that its answers are believed by."""

    url: Annotated[str, AfterValidator(_authority)]
    ca: File


class AuditSettings(Section):
    """Release gates and witnesses. Seconds.

    ``witnesses`` is a policy file (c2sp.org/tlog-policy) with the URLs of those that are asked. ``gate`` holds for routes that
    name none. An answer waits ``wait_seconds`` for a quorum; without one it does not leave, or, by ``unwitnessed: release``,
    leaves and is recorded as unwitnessed. ``second_key`` signs, beside the first, what the log publishes. ``timestamps`` is
    whom ``audit export`` asks for the time.
    """

    witnesses: File | None = None
    ca: File | None = None
    gate: Annotated[str, AfterValidator(_gate)] = Gate.LOCAL
    wait_seconds: Seconds = 2
    reply_seconds: Seconds = 2
    interval_seconds: Seconds = 5
    unwitnessed: Literal["refuse", "release"] = "refuse"
    heartbeat_seconds: Annotated[float, BeforeValidator(number), Field(ge=1, le=86_400, allow_inf_nan=False)] = 60
    second_key: File | None = None
    timestamps: TimestampSettings | None = None

    @field_validator("gate")
    @classmethod
    def _somebody(cls, gate: str, info: ValidationInfo) -> str:
        if gate == Gate.WITNESS and info.data.get("witnesses") is None:
            msg = "local+witness needs 'witnesses': the policy file that names them"
            raise ValueError(msg)
        return gate
