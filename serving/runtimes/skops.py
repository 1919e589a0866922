"""scikit-learn models saved by skops, under the server's allow list of types."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Corrupt, Invalid, Refused
from serving.runtimes.port import Format, RuntimePolicy, shaped
from serving.signature import Output
from serving.store import Bundle
from serving.tensors import Array


class SkopsRuntime:
    """An estimator. Option `method` is `predict_proba` (default where there is one) or `predict`.

    Where the signature's output is one value a row, a two-class probability is the second class's.
    """

    def load(self, bundle: Bundle, policy: RuntimePolicy) -> None:
        signature, options = bundle.manifest.signature, bundle.manifest.model.options
        self._estimator = _read(bundle.model, policy.skops_types)
        self._output: Output = signature.outputs[0]
        default = "predict_proba" if hasattr(self._estimator, "predict_proba") else "predict"
        method = options.get("method", default)
        if method not in ("predict_proba", "predict", "decision_function"):
            raise Invalid(
                f"option method={method!r}", "known: predict_proba, predict, decision_function"
            )
        self._predict: Any = getattr(self._estimator, method)
        expected = getattr(self._estimator, "n_features_in_", signature.width)
        if expected != signature.width:
            raise Invalid(
                f"the model reads {expected} features", f"the signature has {signature.width}"
            )

    def predict(self, rows: NDArray[np.float64]) -> Mapping[str, Array]:
        try:
            scores = self._predict(rows)
        except ValueError as error:  # missing values, say, where the estimator takes none
            text = str(error).partition("\n")[0]
            raise Invalid("the model does not take these rows", text) from error
        if scores.ndim == 2 and scores.shape[1] == 2 and len(self._output.shape) == 1:
            scores = scores[:, 1]
        return {self._output.name: shaped(self._output, scores, len(rows))}

    def unload(self) -> None:
        self._estimator = self._predict = None


def _read(model: bytes, allowed: tuple[str, ...]) -> Any:
    from skops.io import get_untrusted_types, loads

    try:
        foreign = sorted(set(get_untrusted_types(data=model)) - set(allowed))
        if foreign:
            # A list inside the artifact would be the attacker's own (GHSA-w582-9x45-8mpx).
            raise Refused(
                "the skops model holds types that this server does not allow",
                ", ".join(foreign),
                "add them to serving.skops_types if you trust them",
            )
        return loads(model, trusted=list(allowed))
    except Refused:
        raise
    except Exception as error:  # zip, JSON and import errors of many kinds
        raise Corrupt("the model file is no skops model", str(error)[:200]) from error


FORMAT = Format((".skops",), (b"PK\x03\x04",), SkopsRuntime, "skops")
