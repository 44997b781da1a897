"""The export as a whole: gather, write, verify as the reader will, record, and only then let the bundle appear."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.audit.bundle.events import Exported
from proxy.audit.bundle.gathering import ExportRefused
from proxy.audit.bundle.layout import (
    BAGIT,
    BAGIT_CONTENT,
    DATA,
    MANIFEST,
    MAX_FILES,
    MAX_TOTAL,
    MAX_ZIP_FILES,
    MAX_ZIP_TOTAL,
    STAMP,
    TAG_MANIFEST,
    VIEWER,
)
from proxy.audit.bundle.manifest import encode_manifest
from proxy.audit.bundle.opening import open_bundle
from proxy.audit.bundle.page import viewer
from proxy.audit.bundle.papers import Facts, papers
from proxy.audit.bundle.stamps import stamped_at
from proxy.audit.bundle.trust import Trust
from proxy.audit.bundle.verifying import verify_bundle
from proxy.audit.bundle.writing import Evidence, Sheaf
from proxy.clock import stamp
from proxy.tlog.errors import LogDamaged
from proxy.tlog.files import sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cryptography.x509 import Certificate

    from proxy.audit.bundle.gathering import Gathered, Gathering
    from proxy.audit.bundle.question import Asked
    from proxy.audit.bundle.writing import Order
    from proxy.audit.sealing import Sealer
    from proxy.tlog.note import Verifier

ZIP: Final = ".zip"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notary:
    """A time-stamping authority: ``ask`` sends it the hash of these bytes, and ``roots`` is whose answer is believed."""

    ask: Callable[[bytes], bytes]
    roots: Sequence[Certificate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was exported; ``locked`` are entries whose body stays closed, since its key is not here any more.

    ``newer`` is as in ``Gathered``.
    """

    asked: Asked
    manifest: str
    size: int
    stamped: str
    files: int
    locked: Sequence[int]
    newer: int = 0


class Exporting:
    """Writes one bundle."""

    def __init__(
        self, directory: Path, verifier: Verifier, sealer: Sealer, *, program: str, notary: Notary | None, about: str
    ) -> None:
        """Take the log, its public key and the keys of its entries; ``about`` joins the log's entries of this export."""
        self._directory = directory
        self._verifier = verifier
        self._sealer = sealer
        self._program = program
        self._notary = notary
        self._about = about

    def write(
        self,
        target: Path,
        order: Order,
        gathering: Gathering,
        gathered: Gathered,
        *,
        numbers: Iterable[int] = (),
        record: Callable[[Exported], None],
    ) -> Written:
        """Write the bundle to ``target``, a folder or a ``.zip``, that appears whole or not at all.

        Raises:
            ExportRefused: ``target`` exists, or the bundle would be too large.
            AuditUnavailable: it could not be recorded; nothing appears.
            LogDamaged, EntryUnreadable, SealBroken: the log is not what was signed.
            StampInvalid: the authority's answer is none.
            OSError: something could not be written.
        """
        if target.exists() or target.is_symlink():
            msg = f"{target} exists already: name another"
            raise ExportRefused(msg)
        with _partial(target) as root:
            sheaf = Sheaf(root)
            evidence = Evidence(sheaf, gathering, gathered, self._sealer, self._directory)
            asked = evidence.write(order, numbers)
            sheaf.put(VIEWER, viewer())
            written = self._close(sheaf, asked, gathered)
            self._verified(root, written.manifest)
            whole = _zipped(root, target) if target.suffix == ZIP else root
            record(
                Exported(
                    about=self._about,
                    operator=order.exporter,
                    case=order.case,
                    manifest=written.manifest,
                    size=written.size,
                    entries=asked.entries,
                    disclosed=asked.disclosed,
                    stamped=bool(written.stamped),
                )
            )
            os.sync()
            whole.rename(target)
            sync_directory(target.absolute().parent)
        return Written(
            asked=asked,
            manifest=written.manifest,
            size=written.size,
            stamped=written.stamped,
            files=len(sheaf.hashes),
            locked=tuple(evidence.locked),
            newer=gathered.newer,
        )

    def _close(self, sheaf: Sheaf, asked: Asked, gathered: Gathered) -> Written:
        """Write what lies beside the evidence."""
        payload = {name: digest for name, digest in sheaf.hashes.items() if name.startswith(DATA)}
        if len(payload) > MAX_FILES or sheaf.bytes > MAX_TOTAL:
            msg = "the bundle would be larger than a verifier reads: ask for less, by --since and --until"
            raise ExportRefused(msg)
        size = sheaf.bytes
        manifest = encode_manifest(payload)
        digest = sha256(manifest).hexdigest()
        sheaf.put(MANIFEST, manifest)
        stamped = self._stamp(sheaf, manifest)
        facts = Facts(
            asked=asked,
            checkpoint=gathered.checkpoint,
            program=self._program,
            manifest=digest,
            stamped=stamped,
            files=len(payload),
            size=size,
            newer=gathered.newer,
        )
        sheaf.put(BAGIT, BAGIT_CONTENT)
        for name, content in papers(facts).items():
            sheaf.put(name, content)
        tags = {name: digest for name, digest in sheaf.hashes.items() if not name.startswith(DATA)}
        sheaf.put(TAG_MANIFEST, encode_manifest(tags))
        return Written(asked=asked, manifest=digest, size=gathered.checkpoint.size, stamped=stamped, files=0, locked=())

    def _stamp(self, sheaf: Sheaf, manifest: bytes) -> str:
        if self._notary is None:
            return ""
        answer = self._notary.ask(manifest)
        moment = stamped_at(answer, manifest, self._notary.roots)
        sheaf.put(STAMP, answer)
        return stamp(moment)

    def _verified(self, root: Path, manifest: str) -> None:
        """Let nothing appear that its reader would refuse."""
        roots = self._notary.roots if self._notary is not None else ()
        report = verify_bundle(open_bundle(root), Trust(logs=(self._verifier,), authorities=roots), manifest=manifest)
        if report.findings:
            msg = f"the bundle does not verify, so it was not kept: {report.findings[0].message}. Run `showcause audit verify`"
            raise LogDamaged(msg, report.findings[0].index)


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Yield a folder beside the target, for this user alone, and take away what is left of it."""
    parent = target.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=parent))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)
        root.with_suffix(ZIP).unlink(missing_ok=True)


def _zipped(root: Path, target: Path) -> Path:
    """Return the archive of a folder: the same bytes for the same files."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    total = sum((root / name).stat().st_size for name in names)
    if len(names) > MAX_ZIP_FILES or total > MAX_ZIP_TOTAL:
        msg = f"{len(names)} files of {total >> 20} MiB are more than one archive holds: name a folder instead"
        raise ExportRefused(msg)
    path = root.with_suffix(ZIP)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        path.chmod(0o600)
        for name in names:
            member = zipfile.ZipInfo(f"{target.stem}/{name}", _EPOCH)
            member.external_attr = 0o100600 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, (root / name).read_bytes())
    return path
