"""A model's signature: what goes in, what comes out, and which features fill the gaps. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from registry.core.published import PinnedFeature, Published, PublishedView
from registry.kernel.errors import Invalid, NotFound
from registry.kernel.types import NUMERIC
from serving.tensors import DTYPES

InputKind = Literal["feature", "entity", "request"]

_KEY_DATATYPES = {
    "int32": "INT32",
    "int64": "INT64",
    "float32": "FP32",
    "float64": "FP64",
    "bool": "BOOL",
}


@dataclass(frozen=True, slots=True)
class Input:
    """One input tensor.

    `shape` is [-1] (one value a row) or [-1, w] (w columns of the model's row). An "entity" or
    "request" input is a key of the lookup, not a column. `ref` names the feature,
    `view:feature@version`, that fills the column when a client does not send it.
    """

    name: str
    datatype: str = "FP64"
    shape: tuple[int, ...] = (-1,)
    kind: InputKind = "feature"
    ref: str | None = None
    low: float | None = None
    high: float | None = None
    sensitive: bool = False

    @property
    def width(self) -> int:
        return self.shape[1] if len(self.shape) == 2 else 1


@dataclass(frozen=True, slots=True)
class Output:
    """One output tensor, shape [-1] or [-1, w]; every value must lie in [low, high]."""

    name: str
    datatype: str = "FP32"
    shape: tuple[int, ...] = (-1,)
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs in order. The model's row is its "feature" inputs side by side."""

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]

    @cached_property
    def columns(self) -> tuple[Input, ...]:
        return tuple(tensor for tensor in self.inputs if tensor.kind == "feature")

    @cached_property
    def keys(self) -> tuple[Input, ...]:
        """What a lookup needs: entity keys, then request fields."""
        return tuple(tensor for tensor in self.inputs if tensor.kind != "feature")

    @cached_property
    def width(self) -> int:
        """How many numbers one row of the model has."""
        return sum(tensor.width for tensor in self.columns)

    @cached_property
    def refs(self) -> tuple[str, ...]:
        """The features that a lookup fills, in column order."""
        return tuple(tensor.ref for tensor in self.columns if tensor.ref is not None)

    @cached_property
    def by_name(self) -> Mapping[str, Input]:
        return {tensor.name: tensor for tensor in self.inputs}


def check_signature(signature: Signature) -> None:
    """Raises `Invalid` with every reason why this is no signature of a servable model."""
    wrong = [*_wrong_tensors(signature), *_wrong_columns(signature)]
    if not signature.columns or not signature.outputs:
        wrong.append("a model needs at least one feature input and one output")
    if signature.refs and not signature.keys:
        wrong.append("features are looked up, but no entity key is an input")
    if wrong:
        raise Invalid("the signature cannot be served", "; ".join(wrong))


def _wrong_tensors(signature: Signature) -> list[str]:
    tensors: list[Input | Output] = [*signature.inputs, *signature.outputs]
    names = [tensor.name for tensor in tensors]
    wrong = [f"{name!r} is named twice" for name in sorted(set(names)) if names.count(name) > 1]
    for tensor in tensors:
        if tensor.datatype not in DTYPES:
            wrong.append(f"{tensor.name!r} has unknown datatype {tensor.datatype!r}")
        sizes = tensor.shape[1:]
        if tensor.shape[:1] != (-1,) or len(sizes) > 1 or min(sizes, default=1) < 1:
            wrong.append(f"{tensor.name!r} has shape {list(tensor.shape)}, not [-1] or [-1, w]")
    return wrong


def _wrong_columns(signature: Signature) -> list[str]:
    columns = signature.columns
    texts = [f"column {t.name!r} cannot be BYTES" for t in columns if t.datatype == "BYTES"]
    wide = [f"{t.name!r} is looked up and wider than 1" for t in columns if t.ref and t.width > 1]
    refs = list(signature.refs)
    twice = [f"{ref} fills two columns" for ref in sorted(set(refs)) if refs.count(ref) > 1]
    return texts + wide + twice


def signature_of_service(
    published: Published,
    service: str,
    outputs: Sequence[Output],
    columns: Sequence[str] | None = None,
) -> Signature:
    """The signature of a model that reads a feature service, pinned to its present versions.

    `columns` are the service's features that the model reads, in the model's order (default: all
    numbers, in the service's order); each becomes an FP64 column. The keys are those that the
    lookup of these columns needs. Raises `NotFound`, or `Invalid` for a feature that is no number.
    """
    pins = published.service(service).features
    names = [pin.feature for pin in pins]
    available: dict[str, PinnedFeature] = {}
    for pin in pins:
        view = pin.view.partition("@")[0].replace("/", "__")
        alone = names.count(pin.feature) == 1
        available[pin.feature if alone else f"{view}__{pin.feature}"] = pin
    wanted = _numeric(published, available) if columns is None else list(columns)
    for name in wanted:
        if name not in available:
            raise NotFound(f"feature of service {service}", name, available)
        _check_number(published, name, available[name])
    keys = _keys_of(published, {available[name].view for name in wanted})
    inputs = (_column(published, name, available[name]) for name in wanted)
    return Signature((*keys, *inputs), tuple(outputs))


def _numeric(published: Published, available: Mapping[str, PinnedFeature]) -> list[str]:
    return [n for n, pin in available.items() if published.feature(pin).dtype in NUMERIC]


def _check_number(published: Published, name: str, pin: PinnedFeature) -> None:
    dtype = published.feature(pin).dtype
    if dtype not in NUMERIC:
        raise Invalid(f"feature {name!r} is of type {dtype}", "a model's row holds numbers only")


def _column(published: Published, name: str, pin: PinnedFeature) -> Input:
    sensitive = published.feature(pin).sensitivity not in ("public", "internal")
    ref = f"{pin.view.partition('@')[0]}:{pin.feature}@{pin.version}"
    return Input(name, ref=ref, sensitive=sensitive)


def _keys_of(published: Published, holders: set[str]) -> tuple[Input, ...]:
    found: dict[str, Input] = {}
    views, fields = _holders(published, holders)
    for view in views:
        for key in view.join_keys:
            found[key.name] = Input(key.name, _KEY_DATATYPES.get(key.dtype, "BYTES"), kind="entity")
    for name, dtype in fields:
        found.setdefault(name, Input(name, _KEY_DATATYPES.get(dtype, "BYTES"), kind="request"))
    return tuple(found.values())


def _holders(
    published: Published, names: set[str]
) -> tuple[list[PublishedView], list[tuple[str, str]]]:
    """The views behind these holders and behind on-demand inputs, and the request fields."""
    views: list[PublishedView] = []
    fields: list[tuple[str, str]] = []
    waiting, seen = sorted(names), set()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if name in published.views or name in published.borrowed:
            views.append(published.view(name))
        else:
            on_demand = published.computed(name)
            fields += [(field.name, field.dtype) for field in on_demand.request_fields]
            waiting += [published.resolve(ref).view for ref in on_demand.inputs]
    return views, fields
