"""What the console's door serves of the leak trace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from proxy.oversight.leak.asking import MOST_PAGES
from proxy.oversight.leak.claim import LONGEST_WITHIN, MOST_VALUE
from proxy.oversight.leak.published import MOST_ITEMS
from proxy.oversight.leak.ranking import Verdict
from proxy.web.openapi.parts import CONSOLE, JSON, MAYBE_MOMENT, MOMENT, OF_A_QUESTION, operation, sent

_REFUSED: Final = OF_A_QUESTION | {"leak-unclear", "parameter-unknown"}
_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_SHARE: Final = {"type": "number", "minimum": 0, "maximum": 1}
_ITEMS: Final = {"type": "array", "items": {"type": "integer"}, "description": "Of what was published, counted from 1."}
_AT: Final = {**MOMENT, "description": "When it was first seen in public."}
_WITHIN: Final = {
    "type": "number",
    "minimum": 0,
    "maximum": LONGEST_WITHIN / timedelta(hours=1),
    "description": "How many hours earlier it may have been out.",
}
_ABOUT: Final = {**_TEXT, "description": "The person id of whom it is about, where that is known."}
_PUBLISHED: Final = {
    "type": "object",
    "required": ["kind", "value"],
    "additionalProperties": False,
    "properties": {
        "kind": {**_TEXT, "description": "A kind of field, photo, or a class of fields."},
        "value": {"type": "string", "minLength": 1, "maxLength": MOST_VALUE},
        "at": _AT,
        "within_hours": _WITHIN,
        "about": _ABOUT,
        "elsewhere": {**_SHARE, "description": "How likely it is that it came from elsewhere than its fellows."},
    },
}
_ASKED: Final = {
    "case": _TEXT,
    "statement": {"type": "string", "maxLength": 1000},
    "published": {"type": "array", "minItems": 1, "maxItems": MOST_ITEMS, "items": _PUBLISHED},
    "at": {**_AT, "description": "When what has no time of its own was first seen in public."},
    "within_hours": _WITHIN,
    "about": _ABOUT,
    "page": {"type": "integer", "minimum": 1, "maximum": MOST_PAGES},
}
_ITEM: Final = {
    "type": "object",
    "required": [
        "item", "kind", "published_at", "shown_to_officers", "first_shown", "last_shown", "changed", "masked_for_officers",
    ],
    "additionalProperties": False,
    "properties": {
        "item": {"type": "integer", "minimum": 1},
        "kind": _TEXT,
        "published_at": MOMENT,
        "shown_to_officers": _COUNT,
        "first_shown": MAYBE_MOMENT,
        "last_shown": MAYBE_MOMENT,
        "changed": {**MAYBE_MOMENT, "description": "When another value was first shown in its place."},
        "masked_for_officers": _COUNT,
    },
}  # fmt: skip
_ENTRY: Final = {
    "type": "object",
    "required": ["entry", "audit_entry", "at", "items", "terminal", "case", "purpose", "statement"],
    "additionalProperties": False,
    "properties": {
        **dict.fromkeys(("terminal", "case", "purpose", "statement"), _TEXT),
        "entry": {**_TEXT, "description": "The entry that showed it."},
        "audit_entry": {"type": ["string", "null"], "description": "As Audit-Entry told it; null: it is not kept."},
        "at": MOMENT,
        "items": _ITEMS,
    },
}
_LEAD: Final = {
    "type": "object",
    "description": "Somebody who was shown something of it before it was published. It is a lead, not a finding.",
    "required": ["place", "officer", "share", "items", "shown_the_same", "says", "entries"],
    "additionalProperties": False,
    "properties": {
        "place": {"type": "integer", "minimum": 1},
        "officer": _TEXT,
        "share": _SHARE,
        "items": _ITEMS,
        "shown_the_same": {**_COUNT, "description": "Other officers who were shown the same of it."},
        "says": {"type": "array", "items": _TEXT},
        "entries": {"type": "array", "items": _ENTRY},
    },
}
_PAIR: Final = {
    "type": "object",
    "required": ["officers", "share", "items"],
    "additionalProperties": False,
    "properties": {
        "officers": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2},
        "share": _SHARE,
        "items": _ITEMS,
    },
}
_TRACED: Final = {
    "type": "object",
    "required": [
        "verdict", "says", "items", "leads", "leads_in_all", "together", "outside", "shown_all", "limits", "page", "next_page",
    ],
    "additionalProperties": False,
    "properties": {
        "verdict": {"enum": [str(verdict) for verdict in Verdict]},
        "says": _TEXT,
        "items": {"type": "array", "items": _ITEM},
        "leads": {"type": "array", "items": _LEAD, "description": "Those of this page, the likeliest first."},
        "leads_in_all": _COUNT,
        "together": {"type": "array", "items": _PAIR, "description": "Two who together were shown more than any one."},
        "outside": {**_SHARE, "description": "The share of a source that is not in this log."},
        "shown_all": {**_COUNT, "description": "Officers who were shown all of it."},
        "limits": {"type": "array", "items": _TEXT, "description": "What the log cannot tell, and what was not looked at."},
        "page": {"type": "integer", "minimum": 1},
        "next_page": {"type": ["integer", "null"], "description": "Send it as page to go on; null: there is nothing more."},
    },
}  # fmt: skip


def leaks() -> dict[str, dict[str, Any]]:
    """Return the path of the leak trace, which only the console's door answers."""
    trace = operation(
        "leak-trace", "log", "Who was shown what was published, before it was: an entry of the log itself",
        {JSON: {"schema": _TRACED}}, _REFUSED,
    )  # fmt: skip
    trace["requestBody"] = sent(_ASKED, ["case", "statement", "published"])
    return {"/leaks": {"servers": CONSOLE, "post": trace}}
