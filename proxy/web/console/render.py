"""From facts to pages: Jinja2, everything escaped, what is undefined an error, times as people and programs read them."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from proxy.identity.session import form_token
from proxy.web.console.notes import NOTES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from proxy.identity.principal import Principal
    from proxy.web.console.files import Files
    from proxy.web.console.visit import Tab

TEMPLATES: Final = Path(__file__).parent / "templates"
_HIDDEN: Final = Markup('<input type="hidden" name="form_token" value="{}">')
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Pages:
    """The templates, ready. ``tabs`` is the menu."""

    def __init__(self, files: Files, tabs: Sequence[Tab]) -> None:
        """Load from ``templates/``; nothing is made at run time from what somebody sent."""
        self._tabs = tabs
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {"when": when, "clock": clock, "length": len}
        self._environment.globals |= {"static": files.path, "span": span}

    def tabs(self, role: str) -> Sequence[Tab]:
        """Return the menu of a role."""
        return [tab for tab in self._tabs if tab.for_role(role)]

    def render(
        self,
        template: str,
        *,
        principal: Principal | None = None,
        cookie: str = "",
        here: str = "",
        said: str = "",
        **facts: Any,
    ) -> str:
        """Return a page, or a part of one, as text. ``said`` is a word of ``notes.py``; others say nothing."""
        facts |= {
            "me": principal,
            "tabs": self.tabs(principal.role) if principal is not None else (),
            "here": here,
            "note": NOTES.get(said, ""),
            "form_token": lambda: _HIDDEN.format(form_token(cookie)),
        }
        return self._environment.get_template(template).render(facts)


def span(time: timedelta) -> str:
    """Return a span of time in its two largest units, ``4 min`` or ``1 h 12 min``; nothing is negative."""
    left = max(int(time.total_seconds()), 0)
    if left < 60:
        return f"{left} s"
    said: list[str] = []
    for size, unit in _UNITS[:3]:
        count, left = divmod(left, size)
        if count or said:
            said.append(f"{count} {unit}" if count else "")
    return " ".join([each for each in said[:2] if each])


def when(moment: datetime) -> Markup:
    """Return a moment as ``<time>``: in UTC, to which a script adds the reader's own."""
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}" data-moment>{}</time>').format(
        utc.isoformat(timespec="seconds").replace("+00:00", "Z"), f"{utc:%b} {utc.day}, {utc:%H:%M} UTC"
    )


def clock(moment: datetime) -> str:
    """Return a moment as a program reads it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
