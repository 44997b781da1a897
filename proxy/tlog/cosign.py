"""Cosignatures of witnesses, and the rule which of them are enough.

The log's key lies where the log lies, so whoever holds the machine can sign another history. A witness is somebody else who
remembers the newest size and root it was shown, and signs only what contains them (c2sp.org/tlog-cosignature): of two histories
it signs one. A verifier names the witnesses it trusts and how many of them it wants in a policy file (c2sp.org/tlog-policy)::

    log records.example.gov/audit+6b7e1c2a+AW...
    witness auditor auditor.example.gov+91c0ffee+BL... https://witness.auditor.example.gov/
    witness prosecutor prosecutor.example.gov+5ca1ab1e+BK...
    group both all auditor prosecutor
    quorum both

The policy comes from elsewhere than the log: from the witnesses' offices.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from proxy.tlog.errors import NoteInvalid
from proxy.tlog.note import Checkpoint, Verifier, parse_line, parse_unverified, signatures_of
from proxy.tlog.signing import TIMED, PublicKey

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

MAX_POLICY: Final = 262_144
MAX_NAMES: Final = 256
_BLANK: Final = re.compile(r"[ \t]+")
_FORBIDDEN: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_COUNT: Final = re.compile(r"[1-9][0-9]{0,3}\Z")


class PolicyInvalid(NoteInvalid):
    """A policy file is not one; the message begins with the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CosignedCheckpoint:
    """A checkpoint that the log and enough witnesses have signed. ``times``: by the policy's names, when (POSIX seconds)."""

    checkpoint: Checkpoint
    times: Mapping[str, int]

    @property
    def text(self) -> str:
        """Return the whole note, with all its lines."""
        return self.checkpoint.text

    @property
    def size(self) -> int:
        """Return how many entries it covers."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """Return the root."""
        return self.checkpoint.root


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One witness of a policy. ``url`` is its submission prefix, if the file tells."""

    name: str
    key: PublicKey
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """So many of these, each a witness or another group."""

    wanted: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessPolicy:
    """Which logs, which witnesses, and the quorum: the name of a witness or group, or ``none``."""

    logs: tuple[Verifier, ...] = ()
    urls: Mapping[str, str] = field(default_factory=dict)
    witnesses: Mapping[str, Witness] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = "none"

    @classmethod
    def read(cls, path: Path) -> WitnessPolicy:
        """Read a policy file.

        Raises:
            PolicyInvalid: it is not one; the message names file and line.
            OSError: it cannot be read.
        """
        content = path.read_bytes()
        try:
            return cls.parse(content)
        except PolicyInvalid as error:
            msg = f"{path}:{error}"
            raise PolicyInvalid(msg) from error

    def require(self, origin: str) -> None:
        """Return if the policy is about a log: its ``log`` lines name it, or there are none.

        Raises:
            NoteInvalid: it is about others.
        """
        if self.logs and origin not in {each.name for each in self.logs}:
            msg = f"the policy of witnesses is about other logs than {origin}: put its line `log VKEY` there instead"
            raise NoteInvalid(msg)

    @classmethod
    def parse(cls, content: bytes) -> WitnessPolicy:
        """Read the content of a policy file.

        Raises:
            PolicyInvalid: it is not one; the message begins with the line.
        """
        if len(content) > MAX_POLICY or _FORBIDDEN.search(content):
            raise PolicyInvalid("1: the file is too large, or has control characters other than tab and line feed")
        reading = _Reading()
        for number, line in enumerate(content.decode("utf-8", "surrogateescape").split("\n"), 1):
            words = _BLANK.split(line.strip(" \t"))
            if words == [""] or words[0].startswith("#"):
                continue
            try:
                reading.line(words)
            except NoteInvalid as error:
                msg = f"{number}: {error}"
                raise PolicyInvalid(msg) from error
        return reading.end()

    def check(self, text: str, log: Verifier | None = None) -> CosignedCheckpoint:
        """Return the checkpoint that ``text`` is, once the log's signature holds and enough witnesses have cosigned it.

        Args:
            text: the note.
            log: the log's key, where the policy names no log.

        Raises:
            NoteInvalid: it is malformed, of a log that is not known, or not cosigned by the quorum; the message says by whom.
        """
        checkpoint = self._of_a_log(text, log)
        times = self.cosigners(checkpoint)
        if not self.satisfied(times):
            missing = ", ".join(sorted(self.witnesses.keys() - times.keys())) or "anybody"
            msg = f"the checkpoint of {checkpoint.size} entries is not cosigned as the policy wants: not by {missing}"
            raise NoteInvalid(msg)
        return CosignedCheckpoint(checkpoint=checkpoint, times=times)

    def cosigners(self, checkpoint: Checkpoint) -> dict[str, int]:
        """Return who of the policy has cosigned a checkpoint, and when; the first line of each counts.

        Raises:
            NoteInvalid: a line is malformed, or is by a key of the policy and does not hold.
        """
        times: dict[str, int] = {}
        for signature in signatures_of(checkpoint.text):
            for name, witness in self.witnesses.items():
                if witness.key.name == signature.name and witness.key.key_id == signature.key_id and name not in times:
                    times[name] = witness.key.verify(checkpoint.body, signature.signature)
        return times

    def satisfied(self, names: Collection[str]) -> bool:
        """Tell whether cosignatures by these witnesses are enough."""
        return self.quorum == "none" or self._holds(self.quorum, names)

    def _holds(self, name: str, names: Collection[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in names
        return sum(self._holds(member, names) for member in group.members) >= group.wanted

    def _of_a_log(self, text: str, log: Verifier | None) -> Checkpoint:
        if log is not None:
            return log.checkpoint(text)
        origin = parse_unverified(text).origin
        failure = NoteInvalid(f"the policy names no log {origin!r}")
        for verifier in self.logs:
            if verifier.name == origin:
                try:
                    return verifier.checkpoint(text)
                except NoteInvalid as error:
                    failure = error
        raise failure


class _Reading:
    """A policy file, line by line; a name may only be used below the line that makes it."""

    def __init__(self) -> None:
        self._logs: list[Verifier] = []
        self._urls: dict[str, str] = {}
        self._witnesses: dict[str, Witness] = {}
        self._groups: dict[str, Group] = {}
        self._members: set[str] = set()
        self._quorum: str | None = None

    def line(self, words: list[str]) -> None:
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self._log(Verifier.parse(vkey), *url)
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._witness(name, PublicKey.parse(vkey), *url)
            case ["group", name, wanted, *members] if members:
                self._group(name, wanted, members)
            case ["quorum", name]:
                self._set_quorum(name)
            case _:
                raise PolicyInvalid(
                    "a line reads: log VKEY [URL] / witness NAME VKEY [URL] / group NAME all|any|K NAME… / quorum NAME"
                )

    def end(self) -> WitnessPolicy:
        if self._quorum is None:
            raise PolicyInvalid("1: the file has no line `quorum NAME`")
        return WitnessPolicy(
            logs=tuple(self._logs), urls=self._urls, witnesses=self._witnesses, groups=self._groups, quorum=self._quorum
        )

    def _log(self, verifier: Verifier, url: str = "") -> None:
        if any(other.key.material == verifier.key.material for other in self._logs):
            raise PolicyInvalid("this log's key stands here twice")
        self._logs.append(verifier)
        self._urls[verifier.vkey] = url

    def _witness(self, name: str, key: PublicKey, url: str = "") -> None:
        if key.kind not in TIMED:
            raise PolicyInvalid("this is not the verifier key of a witness: its key begins with the byte 04 or 06")
        # One office that is listed twice under two names would be a quorum of one.
        if any(other.key.material == key.material for other in self._witnesses.values()):
            raise PolicyInvalid("this witness's key stands here twice")
        self._new(name)
        self._witnesses[name] = Witness(name=name, key=key, url=url)

    def _group(self, name: str, wanted: str, members: list[str]) -> None:
        count = {"all": len(members), "any": 1}.get(wanted, int(wanted) if _COUNT.match(wanted) else 0)
        if not 1 <= count <= len(members):
            msg = f"a group wants all, any, or a number from 1 to {len(members)} of its members, not {wanted!r}"
            raise PolicyInvalid(msg)
        for member in members:
            self._known(member)
            if member in self._members:
                msg = f"{member!r} is in a group already: nobody counts twice"
                raise PolicyInvalid(msg)
            self._members.add(member)
        self._new(name)
        self._groups[name] = Group(wanted=count, members=tuple(members))

    def _set_quorum(self, name: str) -> None:
        if self._quorum is not None:
            raise PolicyInvalid("there is a quorum already")
        if name != "none":
            self._known(name)
        self._quorum = name

    def _new(self, name: str) -> None:
        if name == "none" or name in self._witnesses or name in self._groups:
            msg = f"the name {name!r} is taken"
            raise PolicyInvalid(msg)
        if len(self._witnesses) + len(self._groups) >= MAX_NAMES:
            msg = f"more than {MAX_NAMES} witnesses and groups are not read"
            raise PolicyInvalid(msg)

    def _known(self, name: str) -> None:
        if name not in self._witnesses and name not in self._groups:
            msg = f"{name!r} is no witness or group of a line above"
            raise PolicyInvalid(msg)


def cosignature_lines(reply: str, checkpoint: Checkpoint, key: PublicKey) -> tuple[list[str], int]:
    """Return the newest line of a witness's reply that is by this key, with the time that it states.

    Lines of other keys are passed over; of many by this one a single one is kept, or a note would have more than anybody reads.

    Raises:
        NoteInvalid: no line is by this key, a line is malformed, or the signature does not hold.
    """
    found: dict[int, str] = {}
    for line in reply.removesuffix("\n").split("\n")[:16]:
        signature = parse_line(line)
        if signature.name == key.name and signature.key_id == key.key_id:
            found[key.verify(checkpoint.body, signature.signature)] = f"{line}\n"
    if not found:
        msg = f"the reply holds no cosignature by {key.name}"
        raise NoteInvalid(msg)
    newest = max(found)
    return [found[newest]], newest


def notes_of(text: str) -> list[str]:
    """Return the notes of a file that holds several, an empty line after each, as logs and witnesses keep them."""
    parts = text.rstrip("\n").split("\n\n")
    return [f"{body}\n\n{signatures}\n" for body, signatures in zip(parts[::2], parts[1::2], strict=False)]
