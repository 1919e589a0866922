"""Seals over bundles, reports and approvals, and the keys that a server trusts.

A key never travels with what it seals: trusted keys are a folder that the server's operator keeps,
one `*.pub` file with a public key in hex for each signer.
"""

from pathlib import Path

import msgspec

from registry.kernel.errors import Corrupt, Refused
from registry.kernel.signing import SigningKey, ensure_key, verified

KEY_FILE = "serving.key"
TRUSTED = "trusted"
TrustedKeys = frozenset[str]


class Seal(msgspec.Struct, frozen=True):
    """A detached signature. `purpose` is signed too, so a seal of one thing fits no other."""

    purpose: str
    key: str
    signature: str


def ensure_signing_key(folder: Path) -> SigningKey:
    """The signing key in `folder`, made (mode 0600) on first use and put among the trusted ones."""
    key = ensure_key(folder / KEY_FILE)
    trusted = folder / TRUSTED / f"{key.public[:16]}.pub"
    if not trusted.exists():
        trusted.parent.mkdir(parents=True, exist_ok=True)
        trusted.write_text(key.public + "\n")
    return key


def read_trusted_keys(folder: Path) -> TrustedKeys:
    """Every `*.pub` of a folder; none when there is no such folder."""
    return frozenset(file.read_text().strip() for file in folder.glob("*.pub"))


def _message(purpose: str, payload: bytes) -> bytes:
    return f"fieldhouse {purpose} 1\n".encode() + payload


def seal(key: SigningKey, purpose: str, payload: bytes) -> bytes:
    """The seal of `payload` as JSON bytes."""
    signed = key.sign(_message(purpose, payload))
    return msgspec.json.encode(Seal(purpose, signed.key, signed.signature))


def verify(seal_bytes: bytes, purpose: str, payload: bytes, trusted: TrustedKeys) -> str:
    """The trusted key that sealed `payload`.

    Raises `Refused` when nobody we trust signed it, `Corrupt` when the signature does not fit.
    """
    try:
        found = msgspec.json.decode(seal_bytes, type=Seal)
    except msgspec.MsgspecError as error:
        raise Corrupt(f"the seal of this {purpose} cannot be read", str(error)) from error
    if found.key not in trusted or found.purpose != purpose:
        known = ", ".join(sorted(key[:16] for key in trusted)) or "none"
        raise Refused(
            f"this {purpose} is not signed by a key that is trusted here",
            f"key {found.key[:16]}, purpose {found.purpose}; trusted: {known}",
            "add its public key to the trusted folder if you know where it is from",
        )
    if not verified(_message(purpose, payload), found.signature, found.key):
        raise Corrupt(f"the signature does not fit this {purpose}", "it was changed or forged")
    return found.key
