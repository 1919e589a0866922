"""ONNX graphs through onnxruntime, on the CPU. No custom operators, no data outside the file."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Corrupt, Invalid, Refused
from serving.runtimes.port import Format, RuntimePolicy, shaped
from serving.store import Bundle
from serving.tensors import Array

_ELEMENT_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}
# An external tensor names its file under the key "location" (onnx.proto, StringStringEntryProto).
_EXTERNAL_DATA = b"\x0a\x08location"


class OnnxRuntime:
    """A session with one matrix input. The graph's outputs are found by the signature's names."""

    def load(self, bundle: Bundle, policy: RuntimePolicy) -> None:
        model, signature = bundle.model, bundle.manifest.signature
        if _EXTERNAL_DATA in model:
            raise Refused("the ONNX file keeps tensors in other files", hint="save it as one file")
        self._session = _open_session(model, policy.threads)
        self._input, self._type = _matrix_input(self._session, signature.width)
        self._outputs = signature.outputs
        self._names = [output.name for output in signature.outputs]
        known = [output.name for output in self._session.get_outputs()]
        if missing := [name for name in self._names if name not in known]:
            raise Invalid(f"the graph has no output {missing[0]!r}", f"it has {', '.join(known)}")

    def predict(self, rows: NDArray[np.float64]) -> Mapping[str, Array]:
        found = self._session.run(self._names, {self._input: rows.astype(self._type)})
        return {
            output.name: shaped(output, values, len(rows))
            for output, values in zip(self._outputs, found, strict=True)
        }

    def unload(self) -> None:
        self._session = None


def _open_session(model: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise Corrupt("the model file is no ONNX graph that runs here", str(error)[:200]) from error


def _matrix_input(session: Any, width: int) -> tuple[str, Any]:
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _ELEMENT_TYPES or len(inputs[0].shape) != 2:
        raise Invalid(
            "the graph must have one input, a float or double matrix [rows, columns]",
            f"it has {[(tensor.name, tensor.type, tensor.shape) for tensor in inputs]}",
        )
    columns = inputs[0].shape[1]
    if isinstance(columns, int) and columns != width:
        raise Invalid(f"the graph reads {columns} features", f"the signature has {width}")
    return inputs[0].name, _ELEMENT_TYPES[inputs[0].type]


FORMAT = Format((".onnx",), (b"\x08",), OnnxRuntime, "onnxruntime")
