"""Looking at a policy folder: has it changed, and has it stood still since?

An editor, an rsync or a git pull writes file by file, and a policy of which half is yesterday's can be a good one by every
check. So contents are only taken once two looks in a row have found the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Status = tuple[tuple[str, tuple[int, ...]], ...]


class Watch:
    """One folder, looked at again and again; ``told`` is the digest of its policy that was returned last.

    Reads files: not for an event loop's own thread.
    """

    def __init__(self, folder: Path, files: Callable[[Path], Iterable[str]], beside: Iterable[str]) -> None:
        """Take the folder, what names its policy's files, and patterns of everything that a judgement of them rests on."""
        self.folder = folder
        self._files = files
        self._beside = tuple(beside)
        self._judged = ""
        self._status: Status | None = None
        self._moving: str | None = None
        self.told = ""

    def begin(self) -> str:
        """Take what is there now as told, and return its digest; of a file that is not there, nothing is in it."""
        self._status, self._moving = self._stat(), None
        self._judged, self.told = self._digests()
        return self.told

    def forget(self) -> None:
        """Tell of what is there at the next stable look, whether or not it was told of before."""
        self._judged, self._status = "", None

    def look(self) -> str | None:
        """Return the digest of a policy when anything is new and was the same at the look before; else None."""
        status = self._stat()
        if status == self._status and self._moving is None:
            return None
        everything, policy = self._digests()
        still = status == self._status and everything == self._moving
        self._status, self._moving = status, everything
        if everything == self._judged:
            self._moving = None
            return None
        if not still:
            return None
        self._moving, self._judged, self.told = None, everything, policy
        return policy

    def _stat(self) -> Status:
        found: list[tuple[str, tuple[int, ...]]] = []
        for name in self._names():
            try:
                status = (self.folder / name).stat()
            except OSError:
                found.append((name, ()))
            else:
                # The time of a file can be set to what it was; that of its inode cannot.
                found.append((name, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)))
        return tuple(found)

    def _names(self) -> list[str]:
        found = {str(path.relative_to(self.folder)) for pattern in self._beside for path in self.folder.glob(pattern)}
        return sorted(found)

    def _digests(self) -> tuple[str, str]:
        """Return the digest of everything, and that of the policy alone."""
        contents = {}
        for name in self._names():
            try:
                contents[name] = (self.folder / name).read_bytes()
            except OSError:
                continue
        policy = {name: contents[name] for name in self._files(self.folder) if name in contents}
        return digest_of(contents), digest_of(policy)
