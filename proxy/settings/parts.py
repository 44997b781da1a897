"""What sections are made of: numbers with bounds, files, hosts, URLs."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def is_loopback(host: str) -> bool:
    """Return whether nothing sent to ``host`` can leave this machine; a name other than localhost is taken to leave it."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def number(value: object) -> object:
    """Return a value that may be a number.

    Raises:
        ValueError: it is true or false.
    """
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


Count = Annotated[int, BeforeValidator(number), Field(ge=1, le=1_000_000)]
Bytes = Annotated[int, BeforeValidator(number), Field(ge=1024, le=1 << 30)]
Seconds = Annotated[float, BeforeValidator(number), Field(gt=0, le=86_400, allow_inf_nan=False)]
Port = Annotated[int, BeforeValidator(number), Field(ge=0, le=65_535)]
File = Annotated[Path, AfterValidator(_named)]
Host = Annotated[str, AfterValidator(_host)]


class Section(BaseModel):
    """A part of the settings: frozen, without keys that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
