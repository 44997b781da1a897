"""BagIt manifests: one spelling only, so that no byte of one can change unnoticed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.audit.bundle.layout import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE: Final = re.compile(r"([0-9a-f]{64})  (\S+)\Z")


class ManifestInvalid(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """A manifest is not one; the message names the line."""


def encode_manifest(hashes: Mapping[str, str]) -> bytes:
    """Return the manifest of files by name, sorted."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items())).encode()


def decode_manifest(content: bytes) -> dict[str, str]:
    """Return hashes by name.

    Raises:
        ManifestInvalid: a line is malformed, a name is no file's of a bundle, or the lines are not sorted.
    """
    try:
        lines = content.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ManifestInvalid("it is not ASCII") from None
    if lines.pop():
        raise ManifestInvalid("its last line has no end")
    hashes: dict[str, str] = {}
    before = ""
    for number, line in enumerate(lines, 1):
        match = _LINE.match(line)
        if match is None or not is_name(match[2]):
            msg = f"line {number} is not `<sha-256>  <name>`"
            raise ManifestInvalid(msg)
        if match[2] <= before:
            msg = f"line {number} is out of order"
            raise ManifestInvalid(msg)
        before = match[2]
        hashes[before] = match[1]
    return hashes
