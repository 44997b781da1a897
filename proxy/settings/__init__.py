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
    is_loopback,
)

__all__ = [
    "CaseSettings",
    "DoorSettings",
    "EscalationSettings",
    "Keys",
    "LimitSettings",
    "LoggingSettings",
    "Settings",
    "Tls",
    "UpstreamSettings",
    "is_loopback",
    "load_settings",
]
