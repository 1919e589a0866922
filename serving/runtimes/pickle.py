"""Pickles, in an isolated worker, and only under a waiver that a trusted key has signed.

A pickle is a program. The waiver names the digest of this very file, so it lets in no other.
"""

from registry.kernel.errors import Refused
from serving.runtimes.port import Format, RuntimePolicy
from serving.runtimes.python import WorkerRuntime
from serving.store import Bundle
from serving.waiver import WAIVER, check_waiver


class PickleRuntime(WorkerRuntime):
    """An estimator, or anything that can be called with rows. Option `method` says what to call."""

    kind = "pickle"

    def load(self, bundle: Bundle, policy: RuntimePolicy) -> None:
        waiver = bundle.files.get(WAIVER)
        if waiver is None:
            raise Refused(
                f"{bundle.manifest.model.file} is a pickle, and a pickle is a program",
                f"the bundle has no {WAIVER}",
                "save the model in its native format, or have an owner sign a waiver for this file",
            )
        check_waiver(waiver, bundle.model, policy.trusted)
        super().load(bundle, policy)


FORMAT = Format((".pkl", ".pickle", ".joblib"), (b"\x80",), PickleRuntime, "numpy", isolated=True)
