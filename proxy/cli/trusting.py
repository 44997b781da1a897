"""What ``audit verify`` trusts: the log's keys, a policy of witnesses, and checkpoints that others have kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.cli.common import Code, CommandFailed, settings_of
from proxy.tlog.cosign import CosignedCheckpoint, PolicyInvalid, WitnessPolicy, notes_of
from proxy.tlog.errors import NoteInvalid
from proxy.tlog.keys import load_signer
from proxy.tlog.note import Verifier
from proxy.tlog.rotation import parse_rotation, rotations_of, with_rotations
from proxy.tlog.store import COSIGNED, HISTORY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.tlog.rotation import Rotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """What witnesses have signed of a log: the newest that is enough, all that any has signed, and sizes with times."""

    newest: CosignedCheckpoint | None = None
    texts: tuple[str, ...] = ()
    times: tuple[tuple[int, int], ...] = ()
    rejected: tuple[str, ...] = ()


def verifier_of(keys: Sequence[str], config: Path, folder: Path, origin: str = "") -> Verifier:
    """Return what verifies a log's checkpoints: keys given, or the configured one, and what rotations lead to from there.

    Each of ``keys`` is a verifier key or a file of them, a line each, in which statements of new keys may stand too. ``origin``
    is the log's name, where it is not the configured one.

    Raises:
        CommandFailed: a key is malformed, or the keys contradict each other.
    """
    if keys:
        return given(keys, rotations_of(folder))
    settings = settings_of(config)
    return _joined([load_signer(settings.keys.checkpoint, origin or settings.origin).verifier], rotations_of(folder))


def given(keys: Sequence[str], more: Sequence[Rotation] = ()) -> Verifier:
    """Return what verifies a log's checkpoints, from keys and statements that were given, and more statements.

    Raises:
        CommandFailed: a key is malformed, or the keys contradict each other.
    """
    trusted = [verifier for key in keys for verifier in _verifiers(key)]
    return _joined(trusted, [*(parse_rotation(text) for key in keys for text in _statements(key)), *more])


def source_of(key: str) -> Path | None:
    """Return the file that a key is given by, or None where it is the key itself."""
    return None if "+" in key and "\n" not in key and not Path(key).exists() else Path(key)


def _joined(trusted: Sequence[Verifier], statements: Sequence[Rotation]) -> Verifier:
    try:
        return with_rotations(trusted, {each.text: each for each in statements}.values())
    except NoteInvalid as error:
        help_ = "find out which statement is the log's own, and give the keys in a file with that one alone"
        raise CommandFailed(str(error), help=help_, code=Code.FOUND) from error


def _text(key: str) -> str:
    source = source_of(key)
    if source is None:
        return key
    try:
        return source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise CommandFailed(f"{key}: {reason}", help="`doctor` prints the verifier key", code=Code.WRONG_USE) from error


def _statements(key: str) -> list[str]:
    return [note for note in notes_of(_text(key)) if note.startswith("showcause/rotate-key/")]


def _verifiers(key: str) -> list[Verifier]:
    text = _text(key)
    try:
        if statements := [note for note in notes_of(text) if note.startswith("showcause/rotate-key/")]:
            return [parse_rotation(statements[0]).old]
        return [Verifier.parse(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    except NoteInvalid as error:
        help_ = "copy the whole verifier key, as `doctor` prints it"
        raise CommandFailed(str(error), help=help_, code=Code.WRONG_USE) from error


def cosigned_of(folder: Path, policy: Path, more: Sequence[Path], verifier: Verifier) -> Cosigned:
    """Return what witnesses have signed, in the log's folder and in files that they or others have kept.

    Raises:
        CommandFailed: the policy is wrong, or a file cannot be read.
    """
    try:
        rules = WitnessPolicy.read(policy)
    except (OSError, PolicyInvalid) as error:
        help_ = "deploy/witness.md shows one; take it from the witnesses' offices"
        raise CommandFailed(str(error), help=help_, code=Code.WRONG_USE) from error
    good: list[CosignedCheckpoint] = []
    rejected: list[str] = []
    for path in (folder / HISTORY, folder / COSIGNED, *more):
        for text in _notes(path, required=path in more):
            try:
                good.append(rules.check(text, None if rules.logs else verifier))
            except NoteInvalid as error:
                # A witness keeps its own line alone, which is no quorum and still its word: it bounds times, and must be here.
                one = _one_witness(rules, text, verifier)
                if one is None:
                    rejected.append(f"{path}: {error}")
                else:
                    good.append(one)
    newest = max((each for each in good if rules.satisfied(each.times)), key=lambda each: each.size, default=None)
    times = tuple((each.size, time) for each in good for time in each.times.values() if time)
    texts = tuple(dict.fromkeys(each.text for each in good))
    return Cosigned(newest=newest, texts=texts, times=times, rejected=tuple(rejected))


def _one_witness(rules: WitnessPolicy, text: str, verifier: Verifier) -> CosignedCheckpoint | None:
    try:
        checkpoint = verifier.checkpoint(text)
        times = rules.cosigners(checkpoint)
    except NoteInvalid:
        return None
    return CosignedCheckpoint(checkpoint=checkpoint, times=times) if times else None


def _notes(path: Path, *, required: bool) -> list[str]:
    try:
        return notes_of(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        if not required:
            return []
        reason = error.strerror if isinstance(error, OSError) else "not a checkpoint"
        raise CommandFailed(
            f"{path}: {reason}", help="give a file of checkpoints that was kept", code=Code.WRONG_USE
        ) from error
