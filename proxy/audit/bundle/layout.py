"""What lies where in a bundle, and how much of it a verifier takes in.

The outer form is BagIt (RFC 8493): ``data/`` is the evidence, ``manifest-sha256.txt`` lists its files by hash, and what lies
beside it says what this is and lists itself in ``tagmanifest-sha256.txt``.

=================================  ================================================================================
``README.txt``                     for the court, in plain words
``certification.txt``              FRE 902(13)/(14), filled in as far as a program can
``bagit.txt``, ``bag-info.txt``    BagIt's own
``manifest-sha256.txt``            ``<hash>  data/…``, one line a file, sorted
``manifest-sha256.txt.tsr``        RFC 3161 time-stamp of the manifest, when an authority is configured
``tagmanifest-sha256.txt``         the same for the files above
``data/viewer.html``               shows and verifies the bundle in a browser, offline
``data/question.json``             what was asked, by whom, which entries answer it (``question``)
``data/checkpoint``                the log's signed state, with the lines of its witnesses
``data/entries/<index>.json``      the exact bytes of an entry's leaf
``data/proofs/<index>.tlog-proof`` that it is in the log (c2sp.org/tlog-proof)
``data/bodies/<index>.body``       its encrypted body, of which the leaf holds the hash
``data/keys/<index>.key``          the key of that body alone, in hexadecimal, if it is disclosed
``data/range/<first>.entries``     *every* leaf of the stretch that the question spans (form: C2SP entry bundle)
``data/range/proof``               that these are all (``proxy.tlog.span``), a base64 hash a line
``data/earlier/<size>.checkpoint`` a checkpoint that somebody kept, and
``data/earlier/<size>.proof``      that the log has only grown since (RFC 6962), a base64 hash a line
``data/policies/…``                the policy's files, where the version that ruled is still the one that is there
=================================  ================================================================================
"""

from __future__ import annotations

import re
from typing import Final

BAGIT: Final = "bagit.txt"
BAG_INFO: Final = "bag-info.txt"
README: Final = "README.txt"
CERTIFICATION: Final = "certification.txt"
MANIFEST: Final = "manifest-sha256.txt"
STAMP: Final = "manifest-sha256.txt.tsr"
TAG_MANIFEST: Final = "tagmanifest-sha256.txt"
TAG_FILES: Final = frozenset({BAGIT, BAG_INFO, README, CERTIFICATION, MANIFEST})
DATA: Final = "data/"

VIEWER: Final = "data/viewer.html"
QUESTION: Final = "data/question.json"
CHECKPOINT: Final = "data/checkpoint"
RANGE_PROOF: Final = "data/range/proof"
POLICIES: Final = "data/policies/"

BAGIT_CONTENT: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

MAX_FILES: Final = 400_000
MAX_FILE: Final = 64 << 20
MAX_TOTAL: Final = 16 << 30
MAX_ZIP_FILES: Final = 60_000
MAX_ZIP_TOTAL: Final = 2 << 30
RANGE_FILE: Final = 4 << 20
"""Bytes after which a file of the range ends and the next begins."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,4}\Z")
_RANGE: Final = re.compile(r"data/range/([0-9]{12})\.entries\Z")
_KEY: Final = re.compile(r"([0-9a-f]{64})\n\Z")
_EARLIER: Final = re.compile(r"data/earlier/(0|[1-9][0-9]{0,18})\.checkpoint\Z")


def entry_at(index: int) -> str:
    """Return where an entry's leaf lies."""
    return f"data/entries/{index:012d}.json"


def proof_at(index: int) -> str:
    """Return where its proof lies."""
    return f"data/proofs/{index:012d}.tlog-proof"


def body_at(index: int) -> str:
    """Return where its encrypted body lies."""
    return f"data/bodies/{index:012d}.body"


def key_at(index: int) -> str:
    """Return where the key of its body lies."""
    return f"data/keys/{index:012d}.key"


def range_at(first: int) -> str:
    """Return where the leaves of the range from ``first`` on lie."""
    return f"data/range/{first:012d}.entries"


def earlier_at(size: int) -> tuple[str, str]:
    """Return where an earlier checkpoint and its consistency proof lie."""
    return f"data/earlier/{size}.checkpoint", f"data/earlier/{size}.proof"


def is_name(path: str) -> bool:
    """Tell whether a bundle may hold a file of this name: nothing that could lead out of it or be read in two ways."""
    return _NAME.match(path) is not None


def first_of_range(path: str) -> int | None:
    """Return the index that a file of the range begins with, or None when it is another file."""
    match = _RANGE.match(path)
    return int(match[1]) if match else None


def size_of_earlier(path: str) -> int | None:
    """Return the size that an earlier checkpoint's name states, or None when it is another file."""
    match = _EARLIER.match(path)
    return int(match[1]) if match else None


def encode_key(key: bytes) -> bytes:
    """Return the file of a body's key."""
    return f"{key.hex()}\n".encode()


def decode_key(content: bytes) -> bytes:
    """Return the key that a file holds.

    Raises:
        ValueError: it holds none.
    """
    match = _KEY.match(content.decode("ascii", "replace"))
    if match is None:
        raise ValueError("it is no key of 64 hexadecimal digits")
    return bytes.fromhex(match[1])
