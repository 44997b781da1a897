"""What holds for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A fresh clone builds its table of characters in the first example, and a machine may be busy: neither says anything of us.
settings.register_profile("showcause", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("showcause")
