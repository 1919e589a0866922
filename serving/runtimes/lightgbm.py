"""LightGBM models saved by `save_model` (text)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Corrupt, Invalid
from serving.bundle import ModelFile
from serving.runtimes.port import Format, RuntimePolicy, import_library, shaped
from serving.signature import Output, Signature
from serving.tensors import Array


class LightGBMRuntime:
    """A booster that predicts on `policy.threads` threads."""

    def load(
        self, model: bytes, file: ModelFile, signature: Signature, policy: RuntimePolicy
    ) -> None:
        lightgbm = import_library("lightgbm", policy)
        _check_whole(model)
        try:
            booster = lightgbm.Booster(model_str=model.decode())
        except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
            raise Corrupt("the model file is no LightGBM model", str(error)[:200]) from error
        if booster.num_feature() != signature.width:
            raise Invalid(
                f"the model reads {booster.num_feature()} features",
                f"the signature has {signature.width}",
            )
        self._booster: Any = booster
        self._threads = policy.threads
        self._output: Output = signature.outputs[0]

    def predict(self, rows: NDArray[np.float64]) -> Mapping[str, Array]:
        scores = self._booster.predict(rows, num_threads=self._threads)
        return {self._output.name: shaped(self._output, scores, len(rows))}

    def unload(self) -> None:
        self._booster = None


def _check_whole(model: bytes) -> None:
    # LightGBM's own parser aborts the process on some texts that were cut short.
    if b"end of trees" not in model:
        raise Corrupt("the model file is cut short", "the line 'end of trees' is missing")


FORMAT = Format((".lgb.txt", ".lgb"), (b"tree",), LightGBMRuntime, "lightgbm")
