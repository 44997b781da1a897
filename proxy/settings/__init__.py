"""What a start needs to know: one YAML file and the environment become frozen settings, or every mistake at once."""

from proxy.settings.load import load_settings
from proxy.settings.model import (
    CaseSettings,
    DoorSettings,
    EscalationSettings,
    Keys,
    LimitSettings,
    LoggingSettings,
    Settings,
    Tls,
    UpstreamSettings,
)
from proxy.settings.oidc import ClaimSettings, OidcSettings
from proxy.settings.parts import is_loopback

__all__ = [
    "CaseSettings",
    "ClaimSettings",
    "DoorSettings",
    "EscalationSettings",
    "Keys",
    "LimitSettings",
    "LoggingSettings",
    "OidcSettings",
    "Settings",
    "Tls",
    "UpstreamSettings",
    "is_loopback",
    "load_settings",
]
