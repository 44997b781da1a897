from __future__ import annotations

from pathlib import Path

import pytest

from proxy.document import DocumentInvalid
from proxy.policy.model import MODEL, check_model

SHIPPED = (Path(__file__).parents[2] / "policies" / "model.conf").read_text()

OTHER: dict[str, str] = {
    "empty": "",
    "byte order mark": "\ufeff" + MODEL,
    "p without eft": MODEL.replace("priority, eft, outcome", "priority, outcome"),
    "p without priority": MODEL.replace("priority, eft", "prio, eft"),
    "deny overrides": MODEL.replace("priority(p.eft) || deny", "!some(where (p.eft == deny))"),
    "allow overrides": MODEL.replace("priority(p.eft) || deny", "some(where (p.eft == allow))"),
    "an attribute that is never compared": MODEL.replace('(p.approval == "any" || r.approval == p.approval) && ', ""),
    "a misspelt attribute": MODEL.replace("r.category == p.category", "r.category == p.categorie"),
    "a semicolon between conditions": MODEL.replace(" && ", " ; ", 1),
    "a line without its backslash": SHIPPED.replace(" && \\\n", " &&\n", 1),
    "or instead of and": MODEL.replace(" && ", " || ", 1),
    "not equal": MODEL.replace("r.role == p.role", "r.role != p.role"),
    "eval": MODEL.replace("m = ", "m = eval(p.rule) && "),
    "a second matcher": MODEL + "m2 = true\n",
    "a second effect": MODEL.replace("deny\n", "deny\ne2 = some(where (p.eft == allow))\n"),
    "a group too few": MODEL.replace("g6 = _, _\n", ""),
    "groups with domains": MODEL.replace("g6 = _, _", "g6 = _, _, _"),
    "sections in another order": "\n".join(MODEL.split("\n")[2:4] + MODEL.split("\n")[:2] + MODEL.split("\n")[4:]),
    "cut off": MODEL[:-20],
}


@pytest.mark.parametrize("name", OTHER)
def test_any_other_model_is_refused(name: str) -> None:
    """A model that differs in anything but comments and spacing stops the load."""
    assert OTHER[name] != MODEL

    with pytest.raises(DocumentInvalid):
        check_model(Path("model.conf"), OTHER[name].encode())


@pytest.mark.parametrize("text", [MODEL, SHIPPED, "# note\n\n" + MODEL.replace(" && ", "   && \\\n  ")])
def test_comments_and_spacing_are_free(text: str) -> None:
    """The shipped file is the model, and so is any layout of it."""
    check_model(Path("model.conf"), text.encode())


def test_the_message_names_the_line_and_what_belongs_there() -> None:
    """The first line that differs is told, with the expected text."""
    with pytest.raises(DocumentInvalid, match=r"(?s)model\.conf:13:1: .*expected: e = priority\(p\.eft\) \|\| deny"):
        check_model(Path("model.conf"), MODEL.replace("e = priority", "e = prioritie").encode())
