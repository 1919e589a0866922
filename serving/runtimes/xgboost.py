"""XGBoost models saved by `save_model` (UBJSON or JSON), through the library's C interface.

`Booster.inplace_predict` spends five times the trees' own time on preparing one row, so the call
that it ends in is made here directly.
"""

import ctypes
import json
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Corrupt, Invalid
from serving.runtimes.port import Format, RuntimePolicy, import_library, shaped
from serving.signature import Output
from serving.store import Bundle
from serving.tensors import Array

_ROWS = b'{"data":[%d,true],"strides":null,"typestr":"<f8","shape":[%d,%d],"version":3}'


class XGBoostRuntime:
    """A booster. Option `trees` limits prediction to the first trees (early stopping)."""

    def load(self, bundle: Bundle, policy: RuntimePolicy) -> None:
        xgboost = import_library("xgboost", policy)
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(bundle.model))
        except (xgboost.core.XGBoostError, ValueError) as error:
            raise Corrupt("the model file is no XGBoost model", str(error)[:200]) from error
        booster.set_param({"nthread": policy.threads})
        signature = bundle.manifest.signature
        if booster.num_features() != signature.width:
            raise Invalid(
                f"the model reads {booster.num_features()} features",
                f"the signature has {signature.width}",
            )
        self._booster: Any = booster
        self._output: Output = signature.outputs[0]
        trees = int(bundle.manifest.model.options.get("trees", 0))
        library = xgboost.libpath.find_lib_path()[0]
        self._predict: DirectPredict | None = DirectPredict(library, booster, trees)

    def predict(self, rows: NDArray[np.float64]) -> Mapping[str, Array]:
        assert self._predict is not None
        return {self._output.name: shaped(self._output, self._predict(rows), len(rows))}

    def unload(self) -> None:
        self._booster = self._predict = None


class DirectPredict:
    """`XGBoosterPredictFromDense` over one booster, with what can be prepared prepared.

    Each thread has its own proxy matrix, which holds the rows of one call, and its own place for
    the answer; the library keeps the answer's memory by thread too. All of it goes when the last
    call that uses it is over.
    """

    def __init__(self, library: str, booster: Any, trees: int) -> None:
        self._library = ctypes.CDLL(library)
        # Taken by item: the attribute is one object that XGBoost's own Python shares.
        self._call = self._library["XGBoosterPredictFromDense"]
        self._create = self._library["XGProxyDMatrixCreate"]
        self._booster = booster
        self._handle = booster.handle
        settings = {
            "type": 0, "training": False, "iteration_begin": 0, "iteration_end": trees,
            "missing": float("nan"), "strict_shape": False, "cache_id": 0,
        }  # fmt: skip
        self._settings = json.dumps(settings).encode()
        self._here = threading.local()
        self._proxies: list[ctypes.c_void_p] = []
        weakref.finalize(self, _free_all, self._proxies, self._library["XGDMatrixFree"])

    def __call__(self, rows: NDArray[np.float64]) -> Array:
        """The scores of `rows`, float64 [n, width] in C order: float32 [n * outputs], copied."""
        here = self._here
        try:
            proxy, shape, sizes, scores, to_scores, to_shape, to_sizes = here.parts
        except AttributeError:
            here.parts = self._prepare()
            proxy, shape, sizes, scores, to_scores, to_shape, to_sizes = here.parts
        described = _ROWS % (rows.__array_interface__["data"][0], *rows.shape)
        failed = self._call(
            self._handle, described, self._settings, proxy, to_shape, to_sizes, to_scores
        )
        if failed:
            get_error = self._library["XGBGetLastError"]
            get_error.restype = ctypes.c_char_p
            raise Invalid("XGBoost cannot predict these rows", str(get_error())[:200])
        count = 1
        for place in range(sizes.value):
            count *= shape[place]
        return np.array(scores[:count], np.float32)

    def _prepare(self) -> tuple[Any, ...]:
        proxy = ctypes.c_void_p()
        if self._create(ctypes.byref(proxy)):
            raise Invalid("XGBoost cannot make a matrix")
        self._proxies.append(proxy)
        shape = ctypes.POINTER(ctypes.c_uint64)()
        sizes = ctypes.c_uint64()
        scores = ctypes.POINTER(ctypes.c_float)()
        pointers = (ctypes.byref(scores), ctypes.byref(shape), ctypes.byref(sizes))
        return (proxy, shape, sizes, scores, *pointers)


def _free_all(proxies: list[ctypes.c_void_p], free: Callable[[ctypes.c_void_p], int]) -> None:
    for proxy in proxies:
        free(proxy)


FORMAT = Format((".ubj", ".xgb.json"), (b"{",), XGBoostRuntime, "xgboost")
