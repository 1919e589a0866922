"""LightGBM models saved by `save_model` (text). One row goes by the library's single-row call."""

import ctypes
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Corrupt, Invalid
from serving.runtimes.port import Format, RuntimePolicy, import_library, shaped
from serving.signature import Output
from serving.store import Bundle
from serving.tensors import Array

_FLOAT64 = 1
_NORMAL = 0


class LightGBMRuntime:
    """A booster that predicts on `policy.threads` threads."""

    def load(self, bundle: Bundle, policy: RuntimePolicy) -> None:
        lightgbm = import_library("lightgbm", policy)
        _check_whole(bundle.model)
        try:
            booster = lightgbm.Booster(model_str=bundle.model.decode())
        except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
            raise Corrupt("the model file is no LightGBM model", str(error)[:200]) from error
        signature = bundle.manifest.signature
        if booster.num_feature() != signature.width:
            raise Invalid(
                f"the model reads {booster.num_feature()} features",
                f"the signature has {signature.width}",
            )
        self._booster: Any = booster
        self._threads = policy.threads
        self._output: Output = signature.outputs[0]
        self._one: SingleRow | None = SingleRow(lightgbm, booster, signature.width, policy.threads)

    def predict(self, rows: NDArray[np.float64]) -> Mapping[str, Array]:
        one = self._one
        if len(rows) == 1 and one is not None:
            scores = one(rows)
        else:
            scores = self._booster.predict(rows, num_threads=self._threads)
        return {self._output.name: shaped(self._output, scores, len(rows))}

    def unload(self) -> None:
        self._booster = self._one = None


class SingleRow:
    """`LGBM_BoosterPredictForMatSingleRowFast`: settings are parsed once instead of per row.

    The library writes all answers of one setting into the caller's memory, so calls take turns.
    """

    def __init__(self, lightgbm: Any, booster: Any, width: int, threads: int) -> None:
        library = ctypes.CDLL(lightgbm.basic._LIB._name)
        self._call = library["LGBM_BoosterPredictForMatSingleRowFast"]
        self._turn = threading.Lock()
        self._settings = ctypes.c_void_p()
        failed = library["LGBM_BoosterPredictForMatSingleRowFastInit"](
            booster._handle, _NORMAL, 0, -1, _FLOAT64, ctypes.c_int32(width),
            f"num_threads={threads}".encode(), ctypes.byref(self._settings),
        )  # fmt: skip
        if failed:
            raise Corrupt("LightGBM cannot prepare this model for single rows")
        weakref.finalize(self, library["LGBM_FastConfigFree"], self._settings)
        self._booster = booster
        self._scores = (ctypes.c_double * max(1, booster.num_model_per_iteration()))()
        self._length = ctypes.c_int64()
        self._to_length = ctypes.byref(self._length)

    def __call__(self, row: NDArray[np.float64]) -> Array:
        """The scores of one row, float64 [1, width] in C order."""
        with self._turn:
            at = ctypes.c_void_p(row.__array_interface__["data"][0])
            if self._call(self._settings, at, self._to_length, self._scores):
                raise Invalid("LightGBM cannot predict this row")
            return np.array(self._scores[: self._length.value])


def _check_whole(model: bytes) -> None:
    # LightGBM's own parser aborts the process on some texts that were cut short.
    if b"end of trees" not in model:
        raise Corrupt("the model file is cut short", "the line 'end of trees' is missing")


FORMAT = Format((".lgb.txt", ".lgb"), (b"tree",), LightGBMRuntime, "lightgbm")
