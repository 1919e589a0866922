"""Packaging: from a model file to a signed, stored, registered bundle, or to nothing at all."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.canonical import digest_bytes
from registry.kernel.clock import Clock
from registry.kernel.errors import FieldhouseError, Invalid, Misuse, NotFound
from registry.kernel.signing import SigningKey
from registry.ports import ModelBook, ModelRecord
from serving import bundle as bundles
from serving.bundle import FileEntry, Golden, Manifest, ModelFile, TrainedOn
from serving.history import evidence_of
from serving.profile import Profile, encode_profile, profile_columns, profile_keys
from serving.runtimes import find_format, format_of_file, open_runtime
from serving.runtimes.port import RuntimePolicy
from serving.signature import Output, Signature, check_signature
from serving.signing import seal
from serving.store import Bundle, Stores, bundle_folder, copy_bundle, read_bundle
from serving.tensors import Array

_ANSWERED_ROWS = 20_000


@dataclass(frozen=True)
class Parts:
    """What a bundle is made of.

    `golden_rows` float64 [g, width] and `golden_outputs` (by output name, the training framework's
    own answers to them); without the latter the packaged model's answers are taken, which then
    proves only that they don't change. `reference` float64 [n, width] are training rows for the
    drift profile, `reference_keys` the entity keys of those rows by name. `code` are the training
    code's files and `lock` the lock they ran under. `assets` are further files that the model
    needs: weights, or the waiver of a pickle.
    """

    name: str
    model_file: Path
    signature: Signature
    golden_rows: NDArray[np.float64]
    golden_outputs: Mapping[str, Array] | None = None
    reference: NDArray[np.float64] | None = None
    service: str | None = None
    trained_on: TrainedOn | None = None
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    task: str = "binary"
    requirements: Sequence[str] = ()
    code: Sequence[Path] = ()
    lock: Path | None = None
    assets: Sequence[Path] = ()
    reference_keys: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def make_bundle(parts: Parts, policy: RuntimePolicy) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the files of a bundle, the model loaded once to see that it answers.

    Raises `Invalid` (signature, golden rows), `Misuse` (a file that is not there), `Refused` or
    `Corrupt` (the model file).
    """
    bundles.check_name(parts.name)
    bundles.check_task(parts.task)
    check_signature(parts.signature)
    _check_golden(parts)
    format_name = parts.format or format_of_file(parts.model_file.name)
    find_format(format_name)
    files = _read_files(parts)
    model = ModelFile(parts.model_file.name, format_name, dict(parts.options))
    outputs = _answers(parts, model, files, policy, parts.golden_rows)
    files[bundles.GOLDEN] = Golden(parts.golden_rows, parts.golden_outputs or outputs).encode()
    if parts.reference is not None:
        files[bundles.PROFILE] = encode_profile(_reference(parts, model, files, policy))
    return _manifest(parts, model, files), files


def _check_golden(parts: Parts) -> None:
    rows = parts.golden_rows
    if rows.ndim != 2 or len(rows) == 0 or rows.shape[1] != parts.signature.width:
        raise Invalid(
            f"golden rows have shape {list(rows.shape)}",
            f"the signature's rows are [g, {parts.signature.width}], g at least 1",
        )
    for output in parts.signature.outputs if parts.golden_outputs is not None else ():
        given = (parts.golden_outputs or {}).get(output.name)
        if given is None or len(given) != len(rows):
            raise Invalid(f"golden outputs need {len(rows)} values of {output.name!r}")


def _read_files(parts: Parts) -> dict[str, bytes]:
    paths = [parts.model_file, *parts.code, *parts.assets, *([parts.lock] if parts.lock else [])]
    files: dict[str, bytes] = {}
    for path in paths:
        name = bundles.check_name(path.name, "file")
        if name in files or name in (
            bundles.MANIFEST,
            bundles.SEAL,
            bundles.GOLDEN,
            bundles.PROFILE,
        ):
            raise Invalid(f"two files of the bundle would be called {name}")
        try:
            files[name] = path.read_bytes()
        except OSError as error:
            raise Misuse(f"cannot read {path}", str(error)) from error
    return files


def _reference(
    parts: Parts, model: ModelFile, files: Mapping[str, bytes], policy: RuntimePolicy
) -> Profile:
    """The profile of the reference rows, of their keys, and of the model's answers to them."""
    assert parts.reference is not None
    rows = np.ascontiguousarray(parts.reference, np.float64)
    step = max(1, len(rows) // _ANSWERED_ROWS)
    answers: dict[str, Array] = {}
    # A model that takes no missing values cannot answer rows that have some: no profile then.
    with suppress(FieldhouseError):
        answers = _answers(parts, model, files, policy, rows[::step]) if len(rows) else {}
    outputs = [
        column
        for output in parts.signature.outputs
        if output.name in answers
        for column in profile_columns(*flat_output(output, answers[output.name]))
    ]
    columns = profile_columns(rows, _column_names(parts.signature))
    return Profile(columns, profile_keys(parts.reference_keys), tuple(outputs))


def flat_output(output: Output, values: Array) -> tuple[NDArray[np.float64], list[str]]:
    """An output as float64 [n, w], and a name for each of its columns."""
    table = np.asarray(values, np.float64).reshape(len(values), -1)
    if table.shape[1] == 1:
        return table, [output.name]
    return table, [f"{output.name}[{place}]" for place in range(table.shape[1])]


def _answers(
    parts: Parts,
    model: ModelFile,
    files: Mapping[str, bytes],
    policy: RuntimePolicy,
    rows: NDArray[np.float64],
) -> dict[str, Array]:
    draft = Manifest(bundles.LAYOUT, parts.name, parts.task, model, parts.signature, ())
    runtime = open_runtime(Bundle(draft, "", "", files), policy)
    try:
        return dict(runtime.predict(np.ascontiguousarray(rows, np.float64)))
    except FieldhouseError:
        raise
    except Exception as error:  # whatever a model's library says of rows that it does not like
        raise Invalid(
            f"model {parts.name} does not answer {len(rows)} of its own rows", str(error)[:300]
        ) from error
    finally:
        runtime.unload()


def _column_names(signature: Signature) -> list[str]:
    return [
        tensor.name if tensor.width == 1 else f"{tensor.name}[{place}]"
        for tensor in signature.columns
        for place in range(tensor.width)
    ]


def _manifest(parts: Parts, model: ModelFile, files: Mapping[str, bytes]) -> Manifest:
    entries = tuple(
        FileEntry(name, digest_bytes(data), len(data)) for name, data in sorted(files.items())
    )
    return Manifest(
        layout=bundles.LAYOUT,
        name=parts.name,
        task=parts.task,
        model=model,
        signature=parts.signature,
        files=entries,
        service=parts.service,
        trained_on=parts.trained_on,
        requirements=tuple(parts.requirements),
        code=tuple(path.name for path in parts.code),
        lock=parts.lock.name if parts.lock else None,
    )


def package_model(
    parts: Parts,
    *,
    actor: str,
    stores: Stores,
    models: ModelBook,
    key: SigningKey,
    policy: RuntimePolicy,
    clock: Clock,
) -> ModelRecord:
    """Make, sign, store (both copies, read back) and register a bundle as `packaged`.

    The same parts give the same bundle, whose record is returned as it stands. Raises as
    `make_bundle` does, or `Unavailable` when a store cannot take it: nothing is registered then.
    """
    manifest, files = make_bundle(parts, policy)
    raw = manifest.encode()
    folder = bundle_folder(parts.name, manifest.version)
    sealed = {bundles.MANIFEST: raw, bundles.SEAL: seal(key, "bundle", raw)}
    stores.write(folder, {**files, **sealed})
    own = frozenset({key.public})
    bundle = read_bundle(stores.primary, parts.name, manifest.version, own)
    if stores.backup is not None:
        # A copy that was there before may have been damaged since.
        copy_bundle(stores.primary, stores.backup, parts.name, manifest.version, own)
    known = known_record(models, parts.name, manifest.version)
    if known is not None:
        return known
    record = record_of(bundle, stores, clock(), actor)
    models.save(record, actor, "model:packaged", "", evidence_of(record))
    return record


def record_of(bundle: Bundle, stores: Stores, at: datetime, actor: str) -> ModelRecord:
    """What the model book says of a bundle that was just packaged, or restored."""
    manifest = bundle.manifest
    folder = bundle_folder(manifest.name, manifest.version)
    return ModelRecord(
        name=manifest.name,
        version=manifest.version,
        bundle_digest=bundle.digest,
        state="packaged",
        created_at=at,
        created_by=actor,
        features=manifest.signature.refs,
        facts={
            "location": f"{stores.primary.url}/{folder}",
            "backup": f"{stores.backup.url}/{folder}" if stores.backup else None,
            "signed_by": bundle.signed_by,
            "service": manifest.service,
            "training_set": manifest.trained_on.name if manifest.trained_on else None,
        },
    )


def known_record(models: ModelBook, name: str, version: str) -> ModelRecord | None:
    """The record of a version, None when the model book has none."""
    try:
        return models.get(name, version)
    except NotFound:
        return None
