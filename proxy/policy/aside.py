"""Judging a policy in a process of its own, ``python -m proxy.policy.aside``: a question on its input, an answer on its output.

The gates ask thousands of questions of Casbin, some seconds of computing. In a thread of the server they would take every other
turn of the interpreter from the queries; here they take none, and a policy that broke the engine would break nothing else.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from proxy.document import DocumentInvalid, Mistake
from proxy.policy.activating import load_files
from proxy.policy.edits import Edit, edits
from proxy.policy.gate import load_gated

if TYPE_CHECKING:
    from collections.abc import Mapping


class Judged(NamedTuple):
    """What came of it: the digest that was judged and every edit, or the mistakes and the gates that it fails."""

    digest: str
    edits: tuple[Edit, ...] = ()
    mistakes: tuple[Mistake, ...] = ()


def judged(folder: Path, files: Mapping[str, bytes]) -> Judged:
    """Pass a folder's policy through every gate, and hold it against the policy of ``files``."""
    try:
        loaded = load_gated(folder)
    except DocumentInvalid as invalid:
        return Judged("", mistakes=invalid.mistakes)
    return Judged(loaded.digest, edits=edits(load_files(files, folder), loaded))


def asked(folder: Path, files: Mapping[str, bytes]) -> bytes:
    """Return the question."""
    return orjson.dumps(
        {"folder": str(folder), "files": {name: base64.b64encode(text).decode() for name, text in files.items()}}
    )


def answered(answer: bytes) -> Judged:
    """Return the judgement that an answer holds.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    said = orjson.loads(answer)
    mistakes = (Mistake(**{**each, "file": Path(each["file"])}) for each in said["mistakes"])
    return Judged(said["digest"], tuple(Edit(*each) for each in said["edits"]), tuple(mistakes))


def encoded(found: Judged) -> bytes:
    """Return the answer that holds a judgement."""
    said = {"digest": found.digest, "edits": [[*edit] for edit in found.edits], "mistakes": found.mistakes}
    return orjson.dumps(said, default=str)


def main() -> None:
    """Answer the one question on standard input."""
    question = orjson.loads(sys.stdin.buffer.read())
    files = {name: base64.b64decode(text) for name, text in question["files"].items()}
    sys.stdout.buffer.write(encoded(judged(Path(question["folder"]), files)))


if __name__ == "__main__":
    main()
