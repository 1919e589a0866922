"""XGBoost models saved by `save_model` (UBJSON or JSON), through `inplace_predict`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Corrupt, Invalid
from serving.bundle import ModelFile
from serving.runtimes.port import Format, RuntimePolicy, import_library, shaped
from serving.signature import Output, Signature
from serving.tensors import Array


class XGBoostRuntime:
    """A booster. Option `trees` limits prediction to the first trees (early stopping)."""

    def load(
        self, model: bytes, file: ModelFile, signature: Signature, policy: RuntimePolicy
    ) -> None:
        xgboost = import_library("xgboost", policy)
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(model))
        except (xgboost.core.XGBoostError, ValueError) as error:
            raise Corrupt("the model file is no XGBoost model", str(error)[:200]) from error
        booster.set_param({"nthread": policy.threads})
        if booster.num_features() != signature.width:
            raise Invalid(
                f"the model reads {booster.num_features()} features",
                f"the signature has {signature.width}",
            )
        self._booster: Any = booster
        self._range = (0, int(file.options.get("trees", 0)))
        self._output: Output = signature.outputs[0]

    def predict(self, rows: NDArray[np.float64]) -> Mapping[str, Array]:
        scores = self._booster.inplace_predict(
            rows, iteration_range=self._range, validate_features=False
        )
        return {self._output.name: shaped(self._output, scores, len(rows))}

    def unload(self) -> None:
        self._booster = None


FORMAT = Format((".ubj", ".xgb.json"), (b"{",), XGBoostRuntime, "xgboost")
