"""Ed25519 signatures, and the key files that they are made with: made once, mode 0600."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from registry.kernel.errors import Corrupt


class Signature(NamedTuple):
    """A signature and the public key that checks it, both as hex."""

    signature: str
    key: str


class SigningKey:
    """A private key. Hands out signatures and its public half, never itself."""

    def __init__(self, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._private = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public(self) -> str:
        """The public key, 64 hex digits."""
        return self._private.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> Signature:
        return Signature(self._private.sign(message).hex(), self.public)


def ensure_key(file: Path) -> SigningKey:
    """The key kept in `file` (its seed in hex), made when there is none.

    Two processes that make it at once end with the same key. Raises `Corrupt` when the file holds
    something else.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        _make_key(file)
    return _read_key(file)


def _make_key(file: Path) -> None:
    """Written aside and linked into place, so that nobody ever reads half a key."""
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w") as opened:
            opened.write(os.urandom(32).hex())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        Path(draft).unlink()


def _read_key(file: Path) -> SigningKey:
    try:
        return SigningKey(bytes.fromhex(file.read_text().strip()))
    except ValueError as error:
        raise Corrupt(f"{file} is not a signing key", hint="restore it from a backup") from error


def verified(message: bytes, signature: str, key: str) -> bool:
    """Whether the signature over `message` was made with the private half of `key`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
