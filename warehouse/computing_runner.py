"""The program that runs on-demand functions over samples: `python -m warehouse.computing_runner`.

Started by `warehouse.computing` with a folder, and never imported by anything else. It answers by
files, never by printing, since functions may print.
"""

import os
import resource
import signal
import sys
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import msgspec
import pyarrow as pa
from pyarrow import feather

from registry.core.on_demand import allowed_modules
from registry.core.published import PublishedOnDemand
from registry.kernel.errors import FieldhouseError
from registry.kernel.refs import parse_ref
from registry.kernel.types import arrow_type
from warehouse.computing import JOBS, Order, answer_file, given_file, reason_file
from warehouse.transforms import compile_transform

Lists = dict[str, list[Any]]


class OutOfTime(BaseException):
    """Raised in a function that takes longer than it may."""


def main(folder: Path) -> None:
    """Do every job; leave without waiting for anybody's threads."""
    order = msgspec.json.decode((folder / JOBS).read_bytes(), type=Order)
    size = order.limits.memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    signal.signal(signal.SIGPROF, _out_of_time)
    for module in {name for v in chain(*order.jobs) for name in allowed_modules(v.mode)}:
        __import__(module)  # so that no function's time goes for that
    for number, views in enumerate(order.jobs):
        given = feather.read_table(str(given_file(folder, number)))
        answer = _done(views, given, order.limits.seconds)
        if isinstance(answer, str):
            _write(reason_file(folder, number), answer)
        else:
            feather.write_feather(answer, str(answer_file(folder, number)), "uncompressed")
    os._exit(0)


def _done(views: tuple[PublishedOnDemand, ...], given: pa.Table, seconds: float) -> pa.Table | str:
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        return computed(views, given)
    except OutOfTime:
        return f"its code takes more than {seconds:g} seconds of processor time"
    except FieldhouseError as error:
        return str(error)
    except MemoryError:
        return "its code takes more memory than it may"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def computed(views: tuple[PublishedOnDemand, ...], given: pa.Table) -> pa.Table:
    """The features of the last view, each view given what those before it made."""
    columns: Lists = {name: given.column(name).to_pylist() for name in given.column_names}
    made: dict[str, pa.Array] = {}
    for view in views:
        wanted = {f"{ref.view}__{ref.feature}" for ref in map(parse_ref, view.inputs)}
        wanted |= {field.name for field in view.request_fields}
        answer = _outputs(view, {name: columns[name] for name in sorted(wanted)}, given.num_rows)
        made = {
            f.name: pa.array(answer[f.name], arrow_type(f.dtype), from_pandas=True)
            for f in view.features
        }
        columns |= {f"{view.name}__{name}": array.to_pylist() for name, array in made.items()}
    return pa.table(made)


def _outputs(view: PublishedOnDemand, given: Lists, rows: int) -> Lists:
    """Of every row; where the function does not take nulls, of those that have all inputs."""
    transform = compile_transform(view)
    try:
        return transform(given)
    except FieldhouseError:
        whole = [n for n in range(rows) if all(v[n] is not None for v in given.values())]
        if len(whole) in (0, rows):
            raise
    few = transform({name: [values[n] for n in whole] for name, values in given.items()})
    spread: Lists = {name: [None] * rows for name in few}
    for name, values in few.items():
        for place, value in zip(whole, values, strict=True):
            spread[name][place] = value
    return spread


def _write(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    part.write_text(text)
    part.rename(file)


def _out_of_time(number: int, frame: FrameType | None) -> NoReturn:
    raise OutOfTime


if __name__ == "__main__":
    main(Path(sys.argv[1]))
