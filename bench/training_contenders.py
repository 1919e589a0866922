"""One join in a process of its own: `python -m bench.training_contenders WHO SHAPE FOLDER`.

SHAPE is a `training_data.Shape` as JSON, its data made already. The result is an Arrow table in
memory, or a Parquet file; its time, the peak of resident memory and a sum over the answer are
printed as JSON.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # ours chooses how Arrow takes memory before it is loaded
    import pyarrow as pa

    from bench.training_data import Shape

Result: TypeAlias = "pa.Table | Path"
Join: TypeAlias = "Callable[[Shape, Path], Callable[[], Result]]"


def ours(shape: "Shape", folder: Path) -> "Callable[[], pa.Table]":
    """What a training set is made of, before it is described and written."""
    from registry.kernel.settings import read_settings
    from training.assemble import assemble
    from training.recipe import make_recipe
    from training.spec import TrainingSpec
    from training.spine import read_spine
    from warehouse.bootstrap import open_engine

    (folder / "fieldhouse.toml").write_text('[warehouse]\nroot = "."\n')
    engine = open_engine(read_settings(folder, {}))
    state = _published(shape)
    refs = tuple(state.names())

    def run() -> "pa.Table":
        spine = read_spine(folder / "spine.parquet", engine)
        recipe = make_recipe(TrainingSpec("bench", refs), state, spine.column_names)
        return assemble(spine, recipe, engine).table

    return run


def stream(shape: "Shape", folder: Path) -> Callable[[], Path]:
    """Ours in batches of the spine into a file, with `warehouse.memory_limit` at a gigabyte."""
    from registry.kernel.settings import read_settings
    from training.bootstrap import default_batch_bytes
    from training.recipe import make_recipe
    from training.spec import TrainingSpec
    from training.spine import open_spine
    from training.stream import rows_at_once, stream_joined
    from warehouse.bootstrap import open_engine

    text = '[warehouse]\nroot = "."\nmemory_limit = "1GB"\n'
    (folder / "fieldhouse.toml").write_text(text)
    settings = read_settings(folder, {})
    engine, most = open_engine(settings), default_batch_bytes(settings)
    state = _published(shape)
    out = folder / "streamed" / "joined.parquet"
    out.unlink(missing_ok=True)

    def run() -> Path:
        with open_spine(folder / "spine.parquet", engine) as reader:
            spec = TrainingSpec("bench", tuple(state.names()))
            recipe = make_recipe(spec, state, reader.schema.names)
            rows = rows_at_once(recipe, reader.schema, most)
            stream_joined(reader, recipe, engine, out, rows)
        return out

    return run


def _enter() -> None:
    """Load the room as the door does for whoever asks it for a training set."""
    from fieldhouse.rooms import load

    load("training.assemble")


def _published(shape: "Shape") -> Any:
    from registry.core.definitions import Source
    from registry.testing import feature, published, view

    def source(name: str) -> Source:
        created = "created" if shape.created else None
        return Source(
            name, "table", table=name, timestamp_field="event_timestamp", created_field=created
        )

    return published(
        *(
            view(
                shape.view(number),
                [feature(name) for name in shape.feature_names(number)],
                {f"key{number}": "int64"},
                source(shape.view(number)),
            )
            for number in range(shape.views)
        )
    )


def duckdb(shape: "Shape", folder: Path) -> "Callable[[], pa.Table]":
    """One query with an ASOF join for each view, as DuckDB's documentation writes them."""
    import duckdb

    joins = "".join(
        f" ASOF LEFT JOIN '{folder}/view{n}.parquet' v{n} ON s.key{n} = v{n}.key{n} "
        f"AND s.event_timestamp >= v{n}.event_timestamp"
        for n in range(shape.views)
    )
    values = ", ".join(
        f"v{n}.{name}" for n in range(shape.views) for name in shape.feature_names(n)
    )
    text = f"SELECT s.*, {values} FROM '{folder}/spine.parquet' s{joins}"
    return lambda: duckdb.connect().sql(text).to_arrow_table()


def polars(shape: "Shape", folder: Path) -> "Callable[[], pa.Table]":
    """`join_asof` by key, frame by frame, each side sorted by time as Polars asks."""
    import polars as pl

    def run() -> "pa.Table":
        frame = pl.scan_parquet(folder / "spine.parquet").sort("event_timestamp")
        for number in range(shape.views):
            history = pl.scan_parquet(folder / f"view{number}.parquet").sort("event_timestamp")
            frame = frame.join_asof(history, on="event_timestamp", by=f"key{number}")
        return frame.collect().to_arrow()

    return run


def feast(shape: "Shape", folder: Path) -> "Callable[[], pa.Table]":
    """`get_historical_features` over Feast's DuckDB store."""
    import pyarrow.parquet as pq

    from bench.training_feast import open_store

    store, refs = open_store(shape, folder)
    spine = pq.read_table(folder / "spine.parquet").to_pandas()
    return lambda: store.get_historical_features(spine, refs).to_arrow()


CONTENDERS: dict[str, Join] = {
    "ours": ours,
    "stream": stream,
    "duckdb": duckdb,
    "polars": polars,
    "feast": feast,
}


def peak_bytes() -> int:
    """The most resident memory that this process has had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the system does not say how much memory a process had")


def checksum(result: Result, shape: "Shape") -> tuple[int, int, float]:
    """How many rows and values there are, and what these sum to, to three digits after the point,
    whatever the order."""
    import pyarrow.compute as pc

    names = [name for n in range(shape.views) for name in shape.feature_names(n)]
    rows, found, total = 0, 0, 0.0
    for part in _parts(result, names):
        rows += part.num_rows
        for name in names:
            found += part.num_rows - part.column(name).null_count
            total += pc.sum(part.column(name)).as_py() or 0.0
    return rows, found, round(total, 3)


def _parts(result: Result, names: list[str]) -> "Iterator[pa.Table | pa.RecordBatch]":
    import pyarrow.parquet as pq

    if isinstance(result, Path):
        with pq.ParquetFile(result) as file:
            yield from file.iter_batches(columns=names)
    else:
        yield result


def main(who: str, text: str, folder: str) -> None:
    """Run one contender and print what it took."""
    if who in ("ours", "stream"):
        _enter()
    from bench.training_data import Shape

    shape = Shape(**json.loads(text))
    run = CONTENDERS[who](shape, Path(folder))
    start, processor = time.perf_counter(), time.process_time()
    result = run()
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    peak = peak_bytes()
    rows, found, total = checksum(result, shape)
    facts = {
        "seconds": seconds,
        "processor": processor,
        "peak": peak,
        "rows": rows,
        "found": found,
    }
    print(json.dumps({**facts, "sum": total}))


if __name__ == "__main__":
    main(*sys.argv[1:])
