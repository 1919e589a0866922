"""Any Python callable, in an isolated worker: the way of PyTorch, TensorFlow and what comes next.

The model file is a module with `predict(model, rows)` and, where there is something to load,
`load(folder)`; the folder holds the bundle's files, weights for example. Option `environment` names
one of the interpreters that the server has for workers.
"""

import sys
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from registry.kernel.errors import Invalid, NotFound
from serving.runtimes.port import Format, RuntimePolicy, shaped
from serving.store import Bundle
from serving.tensors import Array
from serving.worker.process import Worker, WorkerSpec


class WorkerRuntime:
    """A model that answers from a worker process. `kind` is what the worker does with the file."""

    kind = "python"

    def load(self, bundle: Bundle, policy: RuntimePolicy) -> None:
        manifest = bundle.manifest
        self._outputs = manifest.signature.outputs
        options = manifest.model.options
        outputs = tuple((o.name, o.shape[1] if len(o.shape) == 2 else 1) for o in self._outputs)
        spec = WorkerSpec(
            name=manifest.name,
            kind=self.kind,
            file=manifest.model.file,
            files=bundle.files,
            outputs=outputs,
            method=str(options.get("method", "")),
            python=_interpreter(options, policy),
        )
        self.worker = Worker(spec, policy.workers)

    def predict(self, rows: NDArray[np.float64]) -> Mapping[str, Array]:
        found = self.worker.ask(rows)
        answers = {}
        for output in self._outputs:
            if output.name not in found:
                raise Invalid(f"the model gave no {output.name!r}", f"it gave {', '.join(found)}")
            try:
                answers[output.name] = shaped(output, found[output.name], len(rows))
            except ValueError as error:
                raise Invalid(f"the model's {output.name!r} does not fit", str(error)) from error
        return answers

    def unload(self) -> None:
        self.worker.close()


def _interpreter(options: Mapping[str, str], policy: RuntimePolicy) -> str:
    name = options.get("environment")
    if name is None:
        return sys.executable
    known = policy.workers.environments
    if name not in known:
        raise NotFound("worker environment", name, known, "name it in serving.worker_environments")
    return known[name]


FORMAT = Format((".model.py",), (b"",), WorkerRuntime, "numpy", isolated=True)
