"""Waivers: an owner's signed word that one pickle, known by its digest, may run in a worker."""

from datetime import datetime

import msgspec

from registry.kernel.canonical import canonical_json, digest_bytes
from registry.kernel.clock import format_instant
from registry.kernel.errors import Corrupt, Forbidden, Misuse, Refused
from registry.kernel.signing import SigningKey
from registry.ports import Principal
from serving.signing import TrustedKeys, seal, verify

WAIVER = "waiver.json"
PURPOSE = "waiver"
WAIVERS = ("owner",)


class _Waiver(msgspec.Struct, frozen=True):
    sha256: str
    by: str
    reason: str
    at: str


class _Signed(msgspec.Struct, frozen=True):
    waiver: _Waiver
    seal: msgspec.Raw


def sign_waiver(model: bytes, by: Principal, reason: str, key: SigningKey, now: datetime) -> bytes:
    """A waiver for these very bytes, as the bundle's `waiver.json`.

    Raises `Forbidden` unless a person who is an owner gives it, `Misuse` without a reason.
    """
    if by.bot or not by.roles & set(WAIVERS):
        raise Forbidden(
            f"{by.subject} may not waive the rule against pickles", "it needs a person, an owner"
        )
    if not reason.strip():
        raise Misuse("a waiver needs a reason")
    waiver = _Waiver(digest_bytes(model), by.subject, reason, format_instant(now))
    signed = seal(key, PURPOSE, _payload(waiver))
    return msgspec.json.encode(_Signed(waiver, msgspec.Raw(signed)))


def check_waiver(data: bytes, model: bytes, trusted: TrustedKeys) -> str:
    """Who waived. Raises `Refused` (another file, no trusted key) or `Corrupt`."""
    try:
        found = msgspec.json.decode(data, type=_Signed)
    except msgspec.MsgspecError as error:
        raise Corrupt("the waiver cannot be read", str(error)) from error
    verify(bytes(found.seal), PURPOSE, _payload(found.waiver), trusted)
    if found.waiver.sha256 != digest_bytes(model):
        raise Refused(
            "the waiver is for another file",
            f"it is for {found.waiver.sha256}, this is {digest_bytes(model)}",
        )
    return found.waiver.by


def _payload(waiver: _Waiver) -> bytes:
    return canonical_json(msgspec.to_builtins(waiver)).encode()
