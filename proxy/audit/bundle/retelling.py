"""The papers and the viewer, written anew from the evidence: what lies beside it must say what it says.

They are in no list that a key has signed: whoever makes the lists agree can put other words into them. Every word of theirs
follows from the evidence but for the program's version, which is taken from the certification.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.audit.bundle.finding import Finding
from proxy.audit.bundle.layout import CERTIFICATION, DATA, STAMP, VIEWER
from proxy.audit.bundle.page import viewer
from proxy.audit.bundle.papers import Facts, papers
from proxy.audit.bundle.stamps import StampInvalid, stated_at
from proxy.clock import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.audit.bundle.opening import Files
    from proxy.audit.bundle.question import Asked
    from proxy.tlog.note import Checkpoint

_PROGRAM: Final = re.compile(rb"^2\. The system\. (Showcause [0-9A-Za-z.+-]{1,40}) stands before ", re.MULTILINE)


def check_retold(files: Files, asked: Asked, checkpoint: Checkpoint, manifest: str) -> Iterator[Finding]:
    """Yield what is not as an export writes it of this evidence; every file of the outer form has to be sound."""
    stated = _PROGRAM.search(files.read(CERTIFICATION))
    payload = [size for name, size in files.sizes.items() if name.startswith(DATA)]
    facts = Facts(
        asked=asked,
        checkpoint=checkpoint,
        program=stated[1].decode() if stated else "Showcause",
        manifest=manifest,
        stamped=_stamped(files),
        files=len(payload),
        size=sum(payload),
    )
    for name, content in {**papers(facts), VIEWER: viewer()}.items():
        if name in files.sizes and files.read(name) != content:
            message = f"{name} is not what this program writes of the evidence: it was altered, or another version wrote it"
            yield Finding(kind="altered", path=name, message=message)


def _stamped(files: Files) -> str:
    try:
        return stamp(stated_at(files.read(STAMP))) if STAMP in files.sizes else ""
    except StampInvalid:
        return ""  # then the papers state no time, or one that nobody has said
