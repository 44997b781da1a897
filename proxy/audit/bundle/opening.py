"""Reading a bundle that somebody else made: a folder or a ZIP archive, neither of them trusted.

Nothing is unpacked to disk, so no name can lead anywhere. Only plain files count; links, devices and names outside the layout's
alphabet are findings. Sizes are bounded before anything is read, and an archive is read up to the size that it declares.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from proxy.audit.bundle.finding import Finding
from proxy.audit.bundle.layout import MAX_FILE, MAX_FILES, MAX_TOTAL, MAX_ZIP_FILES, MAX_ZIP_TOTAL, is_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LEADING: Final = re.compile(r"\.{0,2}\Z|[A-Za-z]:|.*\\", re.DOTALL)
"""What an archive's one folder must not be called: whoever unpacks it would write elsewhere."""
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_HEADER_BYTES: Final = 30
_LENGTHS_AT: Final = 26
_NO_DESCRIPTOR: Final = frozenset({0})
_DESCRIPTORS: Final = frozenset({0, 12, 16, 20, 24})
"""How long what follows a member may be, which says its lengths once more."""
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class BundleUnreadable(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """This is no bundle, or one that nobody should try to read."""


class Files(Protocol):
    """A bundle's plain files."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Return the size of each file by name."""
        ...

    @property
    def strange(self) -> Sequence[Finding]:
        """Return what else was found: links, devices, names that are none."""
        ...

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            BundleUnreadable: it cannot be read as it was declared.
        """
        ...


def open_bundle(path: Path) -> Files:
    """Return the files of a bundle in a folder or a ZIP archive.

    Raises:
        BundleUnreadable: it is neither, it is damaged, or it is too large.
        OSError: it cannot be read.
    """
    return _Folder(path) if path.is_dir() else _Archive(path)


def _too_large(what: str) -> BundleUnreadable:
    return BundleUnreadable(f"{what} is larger than any bundle: it is not read")


@dataclass(slots=True)
class _Folder:
    root: Path
    sizes: dict[str, int] = field(default_factory=dict)
    strange: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        waiting = [""]
        total = 0
        while waiting:
            below = waiting.pop()
            with os.scandir(self.root / below) as items:
                for item in items:
                    name = below + item.name
                    total += self._take(item, name, waiting)
                    if len(self.sizes) + len(self.strange) + len(waiting) > MAX_FILES or total > MAX_TOTAL:
                        raise _too_large(str(self.root))

    def _take(self, item: os.DirEntry[str], name: str, waiting: list[str]) -> int:
        if not is_name(name):
            self.strange.append(Finding(kind="extra", path=name, message=f"{name!r} is no name of a bundle's file"))
        elif item.is_dir(follow_symlinks=False):
            waiting.append(name + "/")
        elif item.is_file(follow_symlinks=False):
            self.sizes[name] = item.stat(follow_symlinks=False).st_size
            return self.sizes[name]
        else:
            self.strange.append(Finding(kind="extra", path=name, message=f"{name} is no plain file"))
        return 0

    def read(self, name: str) -> bytes:
        descriptor = os.open(self.root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                msg = f"{name} is no plain file"
                raise BundleUnreadable(msg)
            content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise _too_large(name)
        return content


@dataclass(slots=True)
class _Archive:
    path: Path
    sizes: dict[str, int] = field(default_factory=dict)
    strange: list[Finding] = field(default_factory=list)
    _members: dict[str, zipfile.ZipInfo] = field(default_factory=dict)
    _zip: zipfile.ZipFile = field(init=False)

    def __post_init__(self) -> None:
        _bounded(self.path)
        try:
            self._zip = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            msg = f"{self.path.name} cannot be read as a ZIP archive: {error}"
            raise BundleUnreadable(msg) from error
        members = self._zip.infolist()
        if len(members) > MAX_ZIP_FILES or sum(member.file_size for member in members) > MAX_ZIP_TOTAL:
            raise _too_large(self.path.name)
        if not _is_tiled(self.path, members, self._zip.start_dir):
            self.strange.append(
                Finding(kind="extra", path=self.path.name, message="the archive holds more than its directory lists")
            )
        top = members[0].orig_filename.partition("/")[0] if members else "bundle"
        if _LEADING.match(top) or not top.isprintable():
            msg = f"{top!r} is no name of a bundle's folder"
            raise BundleUnreadable(msg)
        for member in members:
            self._take(member, top)

    def _take(self, member: zipfile.ZipInfo, top: str) -> None:
        said = member.orig_filename  # `filename` is what the library made of it
        head, _, name = said.partition("/")
        if head != top or not is_name(name):
            self.strange.append(Finding(kind="extra", path=said, message=f"{said!r} is no name of a bundle's file"))
        elif name in self._members:
            self.strange.append(Finding(kind="extra", path=name, message=f"{name} is in the archive twice"))
        elif not _is_plain(member):
            self.strange.append(Finding(kind="extra", path=name, message=f"{name} is no plain file"))
        else:
            self._members[name] = member
            self.sizes[name] = member.file_size

    def read(self, name: str) -> bytes:
        if self.sizes[name] > MAX_FILE:
            raise _too_large(name)
        try:
            with self._zip.open(self._members[name]) as file:
                content = file.read(self.sizes[name] + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
            msg = f"{name} cannot be read from the archive: {error}"
            raise BundleUnreadable(msg) from error
        if len(content) != self.sizes[name]:
            msg = f"{name} is not as long as the archive declares"
            raise BundleUnreadable(msg)
        return content


def _is_plain(member: zipfile.ZipInfo) -> bool:
    mode = member.external_attr >> 16
    encrypted = member.flag_bits & 0x1
    return not encrypted and member.compress_type in _METHODS and (not mode or stat.S_ISREG(mode) or not stat.S_IFMT(mode))


def _is_tiled(path: Path, members: Sequence[zipfile.ZipInfo], end: int) -> bool:
    """Tell whether the members lie one behind the other from the beginning: other programs read what lies between, too."""
    at, descriptors = 0, _NO_DESCRIPTOR
    with path.open("rb") as file:
        for member in sorted(members, key=lambda each: each.header_offset):
            if member.header_offset - at not in descriptors:
                return False
            file.seek(member.header_offset + _LENGTHS_AT)
            lengths = file.read(4)
            name, extra = int.from_bytes(lengths[:2], "little"), int.from_bytes(lengths[2:], "little")
            at = member.header_offset + _HEADER_BYTES + name + extra + member.compress_size
            descriptors = _DESCRIPTORS if member.flag_bits & 0x8 else _NO_DESCRIPTOR
    return end - at in descriptors


def _bounded(path: Path) -> None:
    """Look at the archive's last 22 bytes before the library reads the directory that they announce into memory."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _END_BYTES, 0))
        end = file.read(_END_BYTES)
    if size > MAX_ZIP_TOTAL + (64 << 20):
        raise _too_large(path.name)
    count, length = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if len(end) < _END_BYTES or not end.startswith(_END) or count > MAX_ZIP_FILES or length > size:
        msg = f"{path.name} is neither a folder nor a ZIP archive of a bundle"
        raise BundleUnreadable(msg)
