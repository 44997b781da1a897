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
        tags = self._listed(TAG_MANIFEST)
        if tags is not None and not _lists_tags(tags):
            self._find("altered", TAG_MANIFEST, f"{TAG_MANIFEST} does not list what lies beside the evidence")
            tags = None
        tags = tags or self._tags_elsewhere(hashes)
        payload = self._payload(hashes, tags)
        self._paper.manifest = hashes.get(MANIFEST, "")
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
        return None if name in self._blamed else self._decoded(name)

    def _decoded(self, name: str) -> dict[str, str] | None:
        try:
            return decode_manifest(self._files.read(name))
        except ManifestInvalid as error:
            self._find("altered", name, f"{name} is altered: {error}")
            return None

    def _tags_elsewhere(self, hashes: Mapping[str, str]) -> dict[str, str] | None:
        """Return the tag manifest if it lies under another name, which is then named."""
        for name in hashes:
            try:
                listed = decode_manifest(self._files.read(name)) if name not in self._blamed else {}
            except ManifestInvalid:
                continue
            if _lists_tags(listed):
                self._find("altered", name, f"{name} is {TAG_MANIFEST}, in another file's place")
                return listed
        return None

    def _payload(self, hashes: Mapping[str, str], tags: Mapping[str, str] | None) -> dict[str, str] | None:
        """Hold the evidence against its manifest; return the manifest if it can be trusted."""
        payload = self._listed(MANIFEST)
        moved = [name for name, digest in hashes.items() if tags is not None and digest == tags[MANIFEST] and name != MANIFEST]
        if hashes.get(MANIFEST) != (tags or {}).get(MANIFEST) and moved:
            self._find("altered", MANIFEST, f"{MANIFEST} is altered: it is not the one that {TAG_MANIFEST} lists")
            self._find("altered", moved[0], f"{moved[0]} is {MANIFEST}, in another file's place")
            payload = self._decoded(moved[0])
        elif payload is not None and tags is not None and hashes[MANIFEST] != tags[MANIFEST]:
            if not _agrees(payload, hashes):
                self._find("altered", MANIFEST, f"{MANIFEST} is altered: it is not the one that {TAG_MANIFEST} lists")
                return None
            self._find("altered", TAG_MANIFEST, f"{TAG_MANIFEST} is altered: its hash of {MANIFEST} is not that file's")
        for name in payload or ():
            if payload is not None and hashes.get(name) != payload[name]:
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


def _lists_tags(listed: Mapping[str, str]) -> bool:
    return listed.keys() - {STAMP} == TAG_FILES


def _agrees(payload: Mapping[str, str], hashes: Mapping[str, str]) -> bool:
    """Tell whether a manifest lists the evidence that is there, and all of it."""
    there = {name: digest for name, digest in hashes.items() if name.startswith(DATA)}
    return there == payload and {QUESTION, CHECKPOINT} <= payload.keys()
