"""Model formats, one file each: the file's name is the format's name, `FORMAT` says the rest.

Nothing heavy is imported until a model of the format is loaded.
"""

import pkgutil
from importlib import import_module

from registry.kernel.errors import NotFound, Refused
from serving.runtimes.port import Format, Runtime, RuntimePolicy, check_start
from serving.store import Bundle

_NOT_FORMATS = {"port"}


def format_names() -> tuple[str, ...]:
    """The formats there are, sorted."""
    return tuple(
        sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in _NOT_FORMATS)
    )


def find_format(name: str) -> Format:
    """The format of that name; raises `NotFound` with the ones that exist."""
    if name not in format_names():
        raise NotFound(
            "model format", name, format_names(), f"there are {', '.join(format_names())}"
        )
    found: Format = import_module(f"{__name__}.{name}").FORMAT
    return found


def format_of_file(file_name: str) -> str:
    """The format that a file's name stands for; raises `Refused` when none does."""
    suffixes = {s: name for name in format_names() for s in find_format(name).suffixes}
    for suffix, name in suffixes.items():
        if file_name.endswith(suffix):
            return name
    raise Refused(
        f"{file_name} is not of a format that is served in process",
        f"known endings: {', '.join(sorted(suffixes))}",
        "save the model in its native format; pickles are programs and are not loaded",
    )


def open_runtime(bundle: Bundle, policy: RuntimePolicy) -> Runtime:
    """Load a verified bundle's model. Raises as `Runtime.load` does."""
    file = bundle.manifest.model
    known = find_format(file.format)
    check_start(file.format, known, bundle.model)
    runtime = known.runtime()
    runtime.load(bundle, policy)
    return runtime
