"""The section ``step_up``: what an approval is confirmed with."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from proxy.settings.parts import Section, is_loopback, number

_DOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}(?:\.[a-z0-9-]{1,63}){0,9})?\Z")
_PORT: Final = re.compile(r"[0-9]{0,5}\Z")


def _domain(name: str) -> str:
    if not _DOMAIN.match(name):
        msg = "must be a domain in small letters, like showcause.example.gov"
        raise ValueError(msg)
    return name


def _origin(origin: str) -> str:
    scheme, _, rest = origin.partition("://")
    if scheme not in {"https", "http"} or not _DOMAIN.match(rest.partition(":")[0]) or not _PORT.match(rest.partition(":")[2]):
        msg = "must be where browsers find the console, without a path, like https://showcause.example.gov"
        raise ValueError(msg)
    return origin


class StepUpSettings(Section):
    """How an approval is confirmed: with a passkey of ``rp_id``, or for those who have none, by their key alone. Seconds.

    ``origins`` are the pages that may ask a passkey; without any, the console's own address.
    """

    mode: Literal["webauthn", "key"] = "webauthn"
    rp_id: Annotated[str, AfterValidator(_domain)] = "localhost"
    origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    challenge_seconds: Annotated[float, BeforeValidator(number), Field(ge=10, le=600, allow_inf_nan=False)] = 120
    fresh_seconds: Annotated[float, BeforeValidator(number), Field(ge=10, le=3600, allow_inf_nan=False)] = 300

    @field_validator("origins")
    @classmethod
    def _ours(cls, origins: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        rp_id = info.data.get("rp_id")
        for origin in origins if rp_id is not None else ():
            parts = urlsplit(origin)
            if parts.hostname != rp_id and not str(parts.hostname).endswith(f".{rp_id}"):
                msg = f"{origin} is not on {rp_id}, so no browser would use its passkeys there"
                raise ValueError(msg)
            if parts.scheme != "https" and not is_loopback(str(parts.hostname)):
                msg = f"{origin} must be https: passkeys work nowhere else"
                raise ValueError(msg)
        return origins
