"""From a specification in TOML, or the command's options, to the parts of a bundle."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from registry.kernel.errors import Invalid, Misuse
from serving.bundle import TrainedOn
from serving.golden import ask_framework
from serving.offline import column_names, matrix_of
from serving.package import Parts
from serving.room import Room
from serving.signature import Input, Output, Signature, signature_of_service
from serving.tensors import Array


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The limits of one input or output; None is no limit."""

    low: float | None = None
    high: float | None = None


class OutputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One output tensor, as `serving.signature.Output`."""

    name: str
    datatype: str = "FP32"
    shape: tuple[int, ...] = (-1,)
    low: float | None = None
    high: float | None = None


class PackageSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bundle's specification. Files are relative to the specification's own folder.

    `columns` are the features that the model reads, in its order; empty: every numeric feature of
    the service. `code` begins with the file that `model rebuild` runs. `golden_rows` is how many
    rows of the training set become golden ones. `ranges` are limits of inputs by column.
    `golden_code` is a Python file whose `predict(model_file, rows)` asks the training framework
    itself for the golden outputs, see `serving.golden`.
    """

    name: str
    file: str
    service: str
    training_set: str
    columns: tuple[str, ...] = ()
    outputs: tuple[OutputSpec, ...] = (OutputSpec("probability", low=0.0, high=1.0),)
    ranges: Mapping[str, Range] = {}
    format: str | None = None
    options: Mapping[str, str] = {}
    task: str = "binary"
    requirements: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    lock: str | None = None
    assets: tuple[str, ...] = ()
    golden_rows: int = 32
    golden_code: str | None = None


def read_spec(file: Path) -> PackageSpec:
    """Read a specification; raises `Misuse` (no file) or `Invalid` (not a specification)."""
    try:
        document = tomllib.loads(file.read_text())
    except OSError as error:
        raise Misuse(f"cannot read {file}", str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} is no TOML file", str(error)) from error
    try:
        return msgspec.convert(document, PackageSpec)
    except msgspec.ValidationError as error:
        raise Invalid(f"{file} does not specify a bundle", str(error)) from error


def parts_of(room: Room, spec: PackageSpec, folder: Path) -> Parts:
    """The parts that a specification in `folder` names, golden rows from the training set.

    Raises `NotFound` (service, training set, feature) or `Invalid` (a range of no input).
    """
    from training.bootstrap import open_training

    outputs = [Output(**msgspec.structs.asdict(output)) for output in spec.outputs]
    plain = signature_of_service(
        room.registry.published(), spec.service, outputs, list(spec.columns) or None
    )
    signature = _with_ranges(plain, spec.ranges)
    trained = open_training(room.settings, registry=room.registry).load(spec.training_set)
    record = room.registry.datasets.get(spec.training_set)
    table = trained.to_arrow()
    rows = matrix_of(table, column_names(trained, signature))
    step = max(1, len(rows) // max(1, spec.golden_rows))
    golden = np.ascontiguousarray(rows[::step][: spec.golden_rows])
    return Parts(
        name=spec.name,
        model_file=folder / spec.file,
        signature=signature,
        golden_rows=golden,
        golden_outputs=_golden_outputs(spec, folder, golden),
        reference=rows,
        reference_keys=_key_values(table, signature),
        service=spec.service,
        trained_on=TrainedOn(record.name, record.manifest_digest, tuple(record.features)),
        format=spec.format,
        options=spec.options,
        task=spec.task,
        requirements=spec.requirements,
        code=[folder / name for name in spec.code],
        lock=folder / spec.lock if spec.lock else None,
        assets=[folder / name for name in spec.assets],
    )


def _golden_outputs(
    spec: PackageSpec, folder: Path, rows: NDArray[np.float64]
) -> dict[str, Array] | None:
    if spec.golden_code is None:
        return None
    wanted = {output.name: output.datatype for output in spec.outputs}
    return ask_framework(folder / spec.golden_code, folder / spec.file, rows, wanted)


def _key_values(table: pa.Table, signature: Signature) -> dict[str, list[Any]]:
    """The entity keys of the reference rows, for the drift profile; not the sensitive ones."""
    names = [tensor.name for tensor in signature.keys if not tensor.sensitive]
    return {name: table.column(name).to_pylist() for name in names if name in table.column_names}


def _with_ranges(signature: Signature, ranges: Mapping[str, Range]) -> Signature:
    strange = sorted(set(ranges) - {tensor.name for tensor in signature.columns})
    if strange:
        raise Invalid(
            f"ranges are given for {', '.join(strange)}",
            f"the model reads {', '.join(tensor.name for tensor in signature.columns)}",
        )
    return replace(signature, inputs=tuple(_ranged(one, ranges) for one in signature.inputs))


def _ranged(tensor: Input, ranges: Mapping[str, Any]) -> Input:
    limits = ranges.get(tensor.name)
    return tensor if limits is None else replace(tensor, low=limits.low, high=limits.high)
