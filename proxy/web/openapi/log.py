"""What the console's door serves of the log."""

from __future__ import annotations

from typing import Any, Final

from proxy.oversight.questions import BY, COUNTS, MOST_VALUE, OLDEST
from proxy.web.openapi.parts import CONSOLE, JSON, OF_A_QUESTION, operation, sent

_REFUSED: Final = OF_A_QUESTION | {"sought-unknown"}
_TEXT: Final = {"type": "string", "maxLength": MOST_VALUE}
_DAY: Final = {"type": "string", "format": "date"}
_NUMBERS: Final = {"type": "array", "items": {"type": "integer"}}
_NAMES: Final = {"type": "array", "items": {"type": "string"}}
_OLDER: Final = {"type": "string", "description": "The older log that this one goes on from, which was not asked; or empty."}
_ASKED: Final = {
    "case": _TEXT,
    "statement": {"type": "string", "maxLength": 1000},
    "by": {"type": "string", "enum": list(BY)},
    "value": _TEXT,
    "first": _DAY,
    "last": _DAY,
}
_LINE: Final = {
    "type": "object",
    "required": [
        "entry",
        "index",
        "at",
        "kind",
        "officer",
        "case",
        "purpose",
        "statement",
        "outcome",
        "seen",
        "withheld",
        "released",
    ],
    "properties": {
        "entry": {"type": "string", "description": "As Audit-Entry told it."},
        "at": {"type": "string", "format": "date-time"},
        "roads": {**_NAMES, "description": "By what whoever is sought was named."},
        "seen": {**_NAMES, "description": "Fields that were shown of whoever is sought, or of all where nobody is."},
        "masked": _NAMES,
        "shown": {"type": "integer"},
        "withheld": {"type": "integer"},
        "about": {"type": "boolean", "description": "What another did, or the program found, about the officer who is sought."},
        "released": {"type": "boolean", "description": "False: the answer never left, as no witness had signed for it."},
    },
}
_DEAD: Final = {**_NAMES, "description": "Epochs whose index key was destroyed: nobody can search them."}
_FOUND: Final = {
    "type": "object",
    "required": ["queries", "entries", "indexed", "behind", "before", "dead_epochs", "goes_on_from"],
    "properties": {
        "queries": {"type": "array", "items": _LINE},
        "entries": {**_NUMBERS, "description": "All entries of this page, newest first, or in the order that was asked for."},
        "indexed": {"type": "integer", "description": "The size of the log that was asked."},
        "behind": {"type": "integer", "description": "Entries that were not indexed yet."},
        "before": {"type": ["integer", "null"], "description": "Send it as text to go on; null: there is nothing more."},
        "dead_epochs": _DEAD,
        "goes_on_from": _OLDER,
    },
}
_COUNTED: Final = {
    "type": "object",
    "required": ["by", "counts", "dead_epochs", "goes_on_from"],
    "properties": {
        "by": {"enum": list(COUNTS)},
        "counts": {"type": "array", "items": {"type": "object"}},
        "dead_epochs": _DEAD,
        "goes_on_from": _OLDER,
    },
}


def log() -> dict[str, dict[str, Any]]:
    """Return the paths of questions to the log, which only the console's door answers."""
    search = operation(
        "log-search", "log", "Who looked at whom, what somebody did, what was asked under a case: an entry of the log itself",
        {JSON: {"schema": _FOUND}}, _REFUSED,
    )  # fmt: skip
    order = {"type": "string", "enum": ["", OLDEST], "description": "oldest: a timeline, all of it in one answer."}
    before = {"type": "string", "pattern": "^[0-9]{0,15}$"}
    search["requestBody"] = sent({**_ASKED, "dob": _TEXT, "before": before, "order": order}, _ASKED)
    count = operation("log-count", "log", "How many queries there were", {JSON: {"schema": _COUNTED}}, _REFUSED)
    count["requestBody"] = sent({**_ASKED, "counts": {"type": "string", "enum": list(COUNTS)}}, [*_ASKED, "counts"])
    return {"/log/search": {"servers": CONSOLE, "post": search}, "/log/count": {"servers": CONSOLE, "post": count}}
