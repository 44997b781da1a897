from __future__ import annotations

from pathlib import Path

import pytest

from proxy.document import DocumentInvalid
from proxy.policy.model import MODEL, check_model

SHIPPED = (Path(__file__).parents[2] / "policies" / "model.conf").read_text()


@pytest.mark.parametrize("text", [MODEL, SHIPPED, "# note\n\n" + MODEL.replace(" && ", "   && \\\n  ")])
def test_comments_and_spacing_are_free(text: str) -> None:
    """The shipped file is the model, and so is any layout of it."""
    check_model(Path("model.conf"), text.encode())


def test_the_message_names_the_line_and_what_belongs_there() -> None:
    """The first line that differs is told, with the expected text."""
    with pytest.raises(DocumentInvalid, match=r"(?s)model\.conf:13:1: .*expected: e = priority\(p\.eft\) \|\| deny"):
        check_model(Path("model.conf"), MODEL.replace("e = priority", "e = prioritie").encode())
