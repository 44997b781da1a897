"""Cosignatures, second kinds of key, and the policy file that says which witnesses are enough."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.clock import utc_now
from proxy.tlog.cosign import PolicyInvalid, WitnessPolicy, cosignature_lines
from proxy.tlog.errors import NoteInvalid
from proxy.tlog.log import Log
from proxy.tlog.note import Checkpoint, Signer, Verifier, with_lines
from proxy.tlog.signing import Kind, PrivateKey, PublicKey
from proxy.tlog.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

SECRET = Ed25519PrivateKey.from_private_bytes(bytes(32))
LOG = Signer("log.example", SECRET)
CHECKPOINT = LOG.checkpoint(5, bytes(range(32)))
PQ = PrivateKey("pq.example", Kind.ML_DSA_44, MLDSA44PrivateKey.from_seed_bytes(bytes(32)))
LOG_PQ = PrivateKey("log.example", Kind.ML_DSA_44, MLDSA44PrivateKey.from_seed_bytes(bytes(32)))
P256 = PrivateKey("log.example", Kind.ECDSA, derive_private_key(7, SECP256R1()))
NOW = 1_795_000_000


def witness(name: str) -> PrivateKey:
    """Return a witness whose key follows from its name."""
    return PrivateKey(name, Kind.COSIGNATURE, Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest()))


A, B, C = witness("a.example"), witness("b.example"), witness("c.example")
POLICY = f"""# two of three
log {LOG.verifier.vkey} https://log.example/
witness A {A.public.vkey} https://a.example/
witness\tB\t{B.public.vkey}
  witness C {C.public.vkey}

group two 2 A B C
quorum two
"""


def cosigned(*witnesses: PrivateKey, checkpoint: Checkpoint = CHECKPOINT, time: int = NOW) -> str:
    """Return a checkpoint with these witnesses' lines."""
    return with_lines(checkpoint, [each.line(checkpoint.body, time) for each in witnesses]).text


def test_a_cosignature_signs_what_the_specification_says() -> None:
    """A header, the time, and the checkpoint's text, by the witness's Ed25519 key; time and key id stand before it."""
    line = A.line(CHECKPOINT.body, NOW)

    name, blob = line.removeprefix("\N{EM DASH} ").split()
    raw = base64.b64decode(blob)
    key = Ed25519PrivateKey.from_private_bytes(sha256(b"a.example").digest()).public_key()
    assert name == "a.example"
    assert raw[:4] == sha256(b"a.example\n\x04" + key.public_bytes_raw()).digest()[:4]
    assert raw[4:12] == NOW.to_bytes(8)
    key.verify(raw[12:], f"cosignature/v1\ntime {NOW}\n{CHECKPOINT.body}".encode())


def test_a_post_quantum_cosignature_signs_what_the_specification_says() -> None:
    """The subtree structure of tlog-cosignature: label, both names, times, sizes and root."""
    raw = base64.b64decode(PQ.line(CHECKPOINT.body, NOW).split()[2])

    message = b"subtree/v1\n\x00" + b"\x0apq.example" + NOW.to_bytes(8) + b"\x0blog.example"
    message += bytes(8) + (5).to_bytes(8) + bytes(range(32))
    MLDSA44PrivateKey.from_seed_bytes(bytes(32)).public_key().verify(raw[12:], message)
    assert len(raw) == 4 + 8 + 2420


def test_a_quorum_is_enough_and_one_below_it_is_not() -> None:
    """Two of three witnesses make a checkpoint good; one does not, and the refusal names who is missing."""
    policy = WitnessPolicy.parse(POLICY.encode())

    assert policy.check(cosigned(A, C)).times == {"A": NOW, "C": NOW}
    with pytest.raises(NoteInvalid, match="not by B, C"):
        policy.check(cosigned(A))


def test_one_witness_twice_is_one_witness() -> None:
    """A stolen witness key below the quorum signs as often as it likes: it counts once."""
    policy = WitnessPolicy.parse(POLICY.encode())
    text = with_lines(CHECKPOINT, [A.line(CHECKPOINT.body, NOW + each) for each in range(5)]).text

    with pytest.raises(NoteInvalid, match="not by B, C"):
        policy.check(text)


def test_a_witness_does_not_stand_in_for_the_log() -> None:
    """Cosignatures by everybody are nothing without the log's own signature."""
    other = Signer("log.example", Ed25519PrivateKey.from_private_bytes(b"x" * 32)).checkpoint(5, bytes(range(32)))

    with pytest.raises(NoteInvalid, match="not signed by this key"):
        WitnessPolicy.parse(POLICY.encode()).check(cosigned(A, B, C, checkpoint=other))


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    """A line cut from one note and put under another does not hold, and the whole note is refused."""
    other = LOG.checkpoint(6, bytes(range(32)))
    text = with_lines(other, [A.line(CHECKPOINT.body, NOW), B.line(other.body, NOW), C.line(other.body, NOW)]).text

    with pytest.raises(NoteInvalid, match=r"a signature of a\.example does not hold"):
        WitnessPolicy.parse(POLICY.encode()).check(text)


def test_a_time_cannot_be_moved() -> None:
    """The stated time is under the signature."""
    line = A.line(CHECKPOINT.body, NOW)
    raw = bytearray(base64.b64decode(line.split()[2]))
    raw[11] ^= 1
    moved = f"\N{EM DASH} a.example {base64.b64encode(raw).decode()}\n"

    with pytest.raises(NoteInvalid, match="does not hold"):
        A.public.verify(CHECKPOINT.body, bytes(raw[4:]))
    with pytest.raises(NoteInvalid, match="does not hold"):
        cosignature_lines(moved, CHECKPOINT, A.public)


def test_a_witness_that_signs_without_end_does_not_make_a_note_unreadable() -> None:
    """Two of three reply with sixteen good lines each: the newest of each is kept, and the checkpoint is cosigned."""
    replies = {each: "".join(each.line(CHECKPOINT.body, NOW + number) for number in range(16)) for each in (A, B)}
    kept = [cosignature_lines(reply, CHECKPOINT, each.public) for each, reply in replies.items()]

    note = with_lines(CHECKPOINT, [line for lines, _ in kept for line in lines])
    found = WitnessPolicy.parse(POLICY.encode()).check(note.text)

    assert found.times == {"A": NOW + 15, "B": NOW + 15}


def test_nested_groups_hold_as_written() -> None:
    """Both offices: any of the first, all of the second."""
    text = f"log {LOG.verifier.vkey}\nwitness A {A.public.vkey}\nwitness B {B.public.vkey}\nwitness C {PQ.public.vkey}\n"
    policy = WitnessPolicy.parse(f"{text}group first any A B\ngroup both all first C\nquorum both\n".encode())

    assert policy.check(cosigned(B, PQ)).times == {"B": NOW, "C": NOW}
    for too_few in ((A, B), (PQ,), ()):
        with pytest.raises(NoteInvalid):
            policy.check(cosigned(*too_few))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("quorum nobody", "no witness or group of a line above"),
        ("quorum A\nquorum A", "there is a quorum already"),
        ("group g 3 A B\nquorum g", "from 1 to 2"),
        ("group g 0 A B\nquorum g", "from 1 to 2"),
        ("group g all A A\nquorum g", "nobody counts twice"),
        ("group g all A\ngroup h all A B\nquorum h", "nobody counts twice"),
        ("group none all A\nquorum none", "is taken"),
        ("group A all B\nquorum A", "is taken"),
        ("group g any none\nquorum g", "no witness or group"),
        (f"witness D {A.public.vkey}\nquorum A", "stands here twice"),
        (f"witness D {LOG.verifier.vkey}\nquorum A", "not the verifier key of a witness"),
        (f"log {A.public.vkey}\nquorum A", "of a witness, not of a log"),
        ("witnes D x\nquorum A", "a line reads"),
        ("", "no line `quorum"),
        ("# \x07\nquorum A", "control characters"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_line(line: str, complaint: str) -> None:
    """What could mean fewer witnesses than it seems is never guessed at."""
    text = f"witness A {A.public.vkey}\nwitness B {B.public.vkey}\n{line}\n"

    with pytest.raises(PolicyInvalid, match=rf"^\d+: .*{complaint}"):
        WitnessPolicy.parse(text.encode())


def test_a_policy_file_is_named_in_the_complaint(tmp_path: Path) -> None:
    """File and line, for whoever edits it."""
    path = tmp_path / "policy"
    path.write_text("quorum all\n")

    with pytest.raises(PolicyInvalid, match=r"policy:1: 'all'"):
        WitnessPolicy.read(path)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_policy_or_refused(content: bytes) -> None:
    """Nothing but the one refusal comes of hostile bytes."""
    try:
        WitnessPolicy.parse(content)
    except PolicyInvalid:
        return
    assert b"quorum" in content


@pytest.mark.parametrize(
    "second", [P256, PrivateKey("log.example", Kind.ML_DSA_44, MLDSA44PrivateKey.from_seed_bytes(bytes(32)))]
)
def test_a_log_signs_with_a_second_kind_beside_the_first(second: PrivateKey) -> None:
    """Who knows either key verifies, who knows the first is not disturbed, and the second is not optional to its owner."""
    signer = Signer("log.example", SECRET, second)
    doubled = signer.doubled(CHECKPOINT, NOW)

    assert doubled.body == CHECKPOINT.body
    for vkey in (signer.verifier.vkey, second.public.vkey):
        assert Verifier.parse(vkey).checkpoint(doubled.text) == doubled
    with pytest.raises(NoteInvalid, match="not signed by this key"):
        Verifier.parse(second.public.vkey).checkpoint(CHECKPOINT.text)


@pytest.mark.parametrize("key", [A, PQ, P256], ids=["cosignature", "ml-dsa-44", "p-256"])
def test_every_kind_of_key_reads_as_it_is_written(key: PrivateKey) -> None:
    """A verifier key names one key: what is read is what was written, and a bit less is refused."""
    vkey = key.public.vkey

    assert PublicKey.parse(vkey).vkey == vkey
    assert key.public.verify(CHECKPOINT.body, base64.b64decode(key.line(CHECKPOINT.body, 0).split()[2])[4:]) == 0
    with pytest.raises(NoteInvalid):
        PublicKey.parse(vkey[:-4])


def test_a_note_of_endless_signatures_is_not_read() -> None:
    """Sixteen lines and more are read, a thousand are an attack on whoever verifies them."""
    policy = WitnessPolicy.parse(POLICY.encode())

    assert policy.check(cosigned(*([A] * 15), B)).times == {"A": NOW, "B": NOW}
    with pytest.raises(NoteInvalid, match="signatures is not read"):
        policy.check(cosigned(*([A] * 1000)))


async def test_what_a_log_publishes_bears_both_signatures_and_what_it_keeps_the_first(tmp_path: Path) -> None:
    """Seals stay small; the published checkpoint verifies by either key, and the log opens again with or without the second."""
    signer = Signer("log.example", SECRET, LOG_PQ)
    async with Log(tmp_path / "log", signer=signer, clock=utc_now) as log:
        await log.append(b"entry")
    published = (tmp_path / "log" / "checkpoint").read_text()

    for vkey in (signer.verifier.vkey, LOG_PQ.public.vkey):
        assert Verifier.parse(vkey).checkpoint(published).size == 1
    assert verify(tmp_path / "log", signer.verifier).ok
    async with Log(tmp_path / "log", signer=LOG, clock=utc_now) as log:
        assert log.head.size == 1
        assert len(log.head.checkpoint) < 1000
