"""What a browser hands back: read strictly, within bounds, and verified against one challenge.

``webauthn`` verifies signature, origin, relying party, presence and verification; what it passes over is refused here:
an assertion that was made in a frame (``crossOrigin``, ``topOrigin``), and algorithms that nobody registers.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import decode_credential_public_key
from webauthn.helpers.cose import COSECRV, COSEKTY, COSEAlgorithmIdentifier
from webauthn.helpers.decode_credential_public_key import DecodedEC2PublicKey, DecodedOKPPublicKey, DecodedRSAPublicKey
from webauthn.helpers.structs import AttestationFormat, CredentialDeviceType

from proxy.identity.passkeys import StepUpFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.audit.event import Json

MOST_CHARACTERS: Final = 8192
ALGORITHMS: Final = (
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)
_FORMATS: Final = frozenset({AttestationFormat.NONE, AttestationFormat.PACKED})
_MIN_RSA_BYTES: Final = 256
_MOST_CREDENTIAL_BYTES: Final = 1023
"""WebAuthn Level 3 section 4, credential id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """Who we are to a browser: the domain that passkeys belong to, and the origins on it that may use them."""

    id: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """A ``PublicKeyCredential`` as JSON, with the parts that are looked at before anything is verified."""

    credential: bytes
    challenge: bytes
    user_handle: bytes | None
    document: Mapping[str, Any]

    @property
    def evidence(self) -> dict[str, Json]:
        """Return what was signed, and the signature."""
        response = self.document["response"]
        signed = {name: response[name] for name in ("clientDataJSON", "authenticatorData", "signature")}
        return {"id": padded(self.credential), **signed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a verified assertion says of the authenticator."""

    sign_count: int
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What a verified registration yields."""

    credential: bytes
    public_key: bytes
    sign_count: int
    aaguid: str
    backup_eligible: bool
    backed_up: bool


def read(text: str) -> Assertion:
    """Return the credential in the header ``Step-Up``: base64url of JSON.

    Raises:
        StepUpFailed: it is not of that form.
    """
    if len(text) > MOST_CHARACTERS:
        raise StepUpFailed(f"Step-Up is longer than {MOST_CHARACTERS} characters; no passkey's answer is.")
    return read_document(_loaded(unpadded(text)))


def read_document(document: Mapping[str, Any]) -> Assertion:
    """Return the credential that a JSON object holds.

    Raises:
        StepUpFailed: it is not of that form, or was not made in a page of its own.
    """
    response = document.get("response")
    if not isinstance(response, dict):
        raise StepUpFailed("Step-Up is not a passkey's answer: it has no response.")
    credential = unpadded(document.get("rawId"))
    if not 0 < len(credential) <= _MOST_CREDENTIAL_BYTES:
        raise StepUpFailed("Step-Up names no credential.")
    said = _loaded(unpadded(response.get("clientDataJSON")))
    # Level 3 section 5.8.1: a browser says when the page was inside another one, which might show anything around it.
    if said.get("crossOrigin", False) is not False or "topOrigin" in said:
        raise StepUpFailed("The passkey was asked from within another page. Open the console itself.")
    handle = response.get("userHandle")
    return Assertion(
        credential=credential,
        challenge=unpadded(said.get("challenge")),
        user_handle=None if handle is None else unpadded(handle),
        document=document,
    )


def verify(assertion: Assertion, party: RelyingParty, challenge: bytes, public_key: bytes) -> Proof:
    """Return what a signature over this challenge proves: this key, in our page, its holder present and verified.

    Raises:
        StepUpFailed: it does not.
    """
    try:
        require_algorithm(public_key)
        found = verify_authentication_response(
            credential=dict(assertion.document),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            credential_public_key=public_key,
            credential_current_sign_count=0,  # the caller compares: a count that went back is to be told from a wrong signature
            require_user_verification=True,
        )
        count = int.from_bytes(unpadded(assertion.document["response"]["authenticatorData"])[33:37])
    except Exception as error:  # whatever a hostile answer makes a parser raise, it proves nothing
        raise StepUpFailed("The passkey's answer does not hold for this. Confirm it again on the console.") from error
    return Proof(
        sign_count=count,
        backup_eligible=found.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        backed_up=found.credential_backed_up,
    )


def verify_new(document: Mapping[str, Any], party: RelyingParty, challenge: bytes) -> NewKey:
    """Return the key that a browser's ``create()`` made for this challenge.

    Raises:
        StepUpFailed: it did not, or the key is of a kind that is not taken.
    """
    try:
        found = verify_registration_response(
            credential=dict(document),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            require_user_verification=True,
            supported_pub_key_algs=list(ALGORITHMS),
        )
        require_algorithm(found.credential_public_key)
    except Exception as error:  # as above
        raise StepUpFailed("The passkey could not be registered: its answer does not hold. Begin again.") from error
    if found.fmt not in _FORMATS or len(found.credential_id) > _MOST_CREDENTIAL_BYTES:
        raise StepUpFailed("The passkey came with a statement that nobody asked for. Begin again.")
    return NewKey(
        credential=found.credential_id,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        aaguid=found.aaguid,
        backup_eligible=found.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        backed_up=found.credential_backed_up,
    )


def require_algorithm(public_key: bytes) -> None:
    """Return when the key's kind is that of its algorithm, and one of ours.

    Raises:
        ValueError: it is not; a key that says of itself how it is to be verified must not choose a weaker way.
    """
    match decode_credential_public_key(public_key):
        case DecodedOKPPublicKey(kty=COSEKTY.OKP, alg=COSEAlgorithmIdentifier.EDDSA, crv=COSECRV.ED25519):
            return
        case DecodedEC2PublicKey(kty=COSEKTY.EC2, alg=COSEAlgorithmIdentifier.ECDSA_SHA_256, crv=COSECRV.P256):
            return
        case DecodedRSAPublicKey(alg=COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256, n=n, e=b"\x01\x00\x01") if (
            len(n.lstrip(b"\x00")) >= _MIN_RSA_BYTES
        ):
            return
    msg = "a key of another kind than its algorithm, or of one that is not taken"
    raise ValueError(msg)


def padded(content: bytes) -> str:
    """Return base64url without padding, as WebAuthn's JSON has it."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unpadded(text: object) -> bytes:
    """Return the bytes of base64url without padding.

    Raises:
        StepUpFailed: it is not.
    """
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS or not text.isascii() or "=" in text:
        raise StepUpFailed("Step-Up is not of its form: base64url of the passkey's answer, as JSON.")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise StepUpFailed("Step-Up is not of its form: base64url of the passkey's answer, as JSON.") from None


def _loaded(content: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise StepUpFailed("Step-Up is not of its form: base64url of the passkey's answer, as JSON.")
    return found


def descriptors(credentials: Sequence[bytes]) -> list[dict[str, str]]:
    """Return credentials as a browser's options list them."""
    return [{"type": "public-key", "id": padded(each)} for each in credentials]
