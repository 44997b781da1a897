"""The outer form: is every file there, is it the one that was listed, and is nothing there that was not?

With one thing altered, the file is named. Where a listed hash and a file differ, the manifest's own hash in the tag manifest
tells which of the two is the altered one. Only between the tag manifest and a file beside it nobody can tell: both are named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from proxy.audit.bundle.finding import Finding
from proxy.audit.bundle.layout import (
    BAGIT,
    BAGIT_CONTENT,
    CHECKPOINT,
    DATA,
    MANIFEST,
    QUESTION,
    STAMP,
    TAG_FILES,
    TAG_MANIFEST,
)
from proxy.audit.bundle.manifest import ManifestInvalid, decode_manifest
from proxy.audit.bundle.opening import BundleUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.audit.bundle.opening import Files


@dataclass(slots=True)
class Paper:
    """What the outer form says. ``sound`` are the files that are what was listed; ``manifest`` is the manifest's SHA-256."""

    manifest: str = ""
    sound: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)


def check_paper(files: Files, progress: Callable[[int], None]) -> Paper:
    """Hold every file against the manifests; ``progress`` is told of each file."""
    return _Check(files, progress).run()


class _Check:
    def __init__(self, files: Files, progress: Callable[[int], None]) -> None:
        self._files = files
        self._progress = progress
        self._paper = Paper(findings=list(files.strange))
        self._blamed = {finding.path for finding in files.strange}

    def run(self) -> Paper:
        hashes = {name: self._hash(name) for name in sorted(self._files.sizes)}
        tags, payload = self._listed(TAG_MANIFEST), self._listed(MANIFEST)
        self._paper.manifest = hashes.get(MANIFEST, "")
        if tags is not None and (tags.keys() - {STAMP}) != TAG_FILES:
            self._find("altered", TAG_MANIFEST, f"{TAG_MANIFEST} does not list what lies beside the evidence")
            tags = None
        if payload is not None:
            payload = self._payload(hashes, payload, tags)
        if tags is not None:
            self._beside(hashes, tags)
        self._unlisted(hashes, tags, payload)
        self._paper.sound = {name for name in hashes if name not in self._blamed}
        return self._paper

    def _find(self, kind: str, path: str, message: str) -> None:
        if path not in self._blamed:
            self._paper.findings.append(Finding(kind=kind, path=path, message=message))  # type: ignore[arg-type]
        self._blamed.add(path)

    def _hash(self, name: str) -> str:
        self._progress(1)
        try:
            return sha256(self._files.read(name)).hexdigest()
        except (BundleUnreadable, OSError) as error:
            self._find("altered", name, f"{name} cannot be read: {error}")
            return ""

    def _listed(self, name: str) -> dict[str, str] | None:
        if name not in self._files.sizes:
            self._find("missing", name, f"{name} is missing")
        if name in self._blamed:
            return None
        try:
            return decode_manifest(self._files.read(name))
        except ManifestInvalid as error:
            self._find("altered", name, f"{name} is altered: {error}")
            return None

    def _payload(
        self, hashes: Mapping[str, str], payload: dict[str, str], tags: Mapping[str, str] | None
    ) -> dict[str, str] | None:
        """Hold the evidence against its manifest; return the manifest if it can be trusted for more."""
        differing = [name for name in payload if hashes.get(name) != payload[name]]
        stray = [name for name in hashes if name.startswith(DATA) and name not in payload]
        if tags is not None and tags[MANIFEST] != hashes[MANIFEST]:
            if differing or stray or not {QUESTION, CHECKPOINT} <= payload.keys():
                self._find("altered", MANIFEST, f"{MANIFEST} is altered: it is not the one that {TAG_MANIFEST} lists")
                return None
            self._find("altered", TAG_MANIFEST, f"{TAG_MANIFEST} is altered: its hash of {MANIFEST} is not that file's")
            return payload
        for name in differing:
            self._differs(name, hashes, MANIFEST)
        return payload

    def _differs(self, name: str, hashes: Mapping[str, str], listed_in: str) -> None:
        if name in hashes:
            self._find("altered", name, f"{name} is altered: it is not what {listed_in} lists")
        else:
            self._find("missing", name, f"{name} is missing, which {listed_in} lists")

    def _beside(self, hashes: Mapping[str, str], tags: Mapping[str, str]) -> None:
        for name, digest in tags.items():
            if name == MANIFEST or hashes.get(name) == digest:
                continue
            if name == BAGIT and hashes.get(name) == sha256(BAGIT_CONTENT).hexdigest():
                self._find("altered", TAG_MANIFEST, f"{TAG_MANIFEST} is altered: its hash of {BAGIT} is not that file's")
                continue
            self._differs(name, hashes, TAG_MANIFEST)
            if name in hashes and name != BAGIT:
                self._find("altered", TAG_MANIFEST, f"or {TAG_MANIFEST} is, in its hash of {name}")

    def _unlisted(self, hashes: Mapping[str, str], tags: Mapping[str, str] | None, payload: Mapping[str, str] | None) -> None:
        known = {TAG_MANIFEST, *(tags or TAG_FILES | {STAMP})}
        for name in hashes:
            listed = payload if name.startswith(DATA) else known
            if listed is not None and name not in listed:
                self._find("extra", name, f"{name} is in no list of this bundle: it was put in")
        if tags is None:
            for name in sorted(TAG_FILES - hashes.keys()):
                self._find("missing", name, f"{name} is missing")
