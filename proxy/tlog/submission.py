r"""What a log submits, as c2sp.org/tlog-witness has it: ``old <size>\n``, proof lines, an empty line, the checkpoint."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.tlog.errors import NoteInvalid
from proxy.tlog.merkle import HASH_SIZE
from proxy.tlog.note import Checkpoint, parse_unverified
from proxy.tlog.signing import decode_base64

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PROOF: Final = 63
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A checkpoint, unverified, and the proof that it contains the one of ``old`` entries."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint


def encode(old: int, proof: Sequence[bytes], checkpoint: str) -> bytes:
    """Return the body of ``add-checkpoint``."""
    lines = "".join(f"{base64.b64encode(each).decode()}\n" for each in proof)
    return f"old {old}\n{lines}\n{checkpoint}".encode()


def parse(body: bytes) -> Submission:
    """Read the body of ``add-checkpoint``.

    Raises:
        NoteInvalid: it is malformed.
    """
    try:
        head, gap, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise NoteInvalid("the body is not UTF-8") from None
    first, *rest = head.split("\n")
    old = _OLD.match(first)
    if not gap or old is None:
        raise NoteInvalid("the body begins with `old <size>`, proof lines, and an empty line")
    if len(rest) > MAX_PROOF:
        msg = f"a consistency proof has at most {MAX_PROOF} hashes"
        raise NoteInvalid(msg)
    proof = tuple(decode_base64(line) for line in rest)
    if any(len(each) != HASH_SIZE for each in proof):
        raise NoteInvalid("a line of the proof is not a SHA-256 hash")
    return Submission(old=int(old[1]), proof=proof, checkpoint=parse_unverified(note))
