"""Rows carried over from one generation of a view to another, in the newest row schema.

What was pushed is in no warehouse, perhaps: a rebuild of such a view takes it along. Columns that
the newest schema no longer has stay behind. No engine is asked here.
"""

from contextlib import suppress

from featureserver.keys import key_suffix, moved
from featureserver.ports import OnlineStore
from featureserver.rows import pack, unpack
from registry.core.published import PublishedView
from registry.kernel.errors import Corrupt


def carry_over(
    store: OnlineStore, view: PublishedView, old: int, new: int, expire_seconds: float | None
) -> int:
    """Write the rows of generation `old` to `new`, newest wins; how many were newer there.

    A row that cannot be read, or its key, stays behind: nobody could have read it. Columns added
    since a row was written get the feature's default, as readers gave them.
    """
    suffix = key_suffix(view.namespace, view.key, new)
    shorten = view.at(new).key_format > 1
    written = 0
    for keys in store.keys_of(view.namespace, view.key, old):
        there, rows = [], []
        for key, raw in zip(keys, store.read(keys), strict=True):
            with suppress(Corrupt):
                if raw is not None:
                    row = _renewed(view, raw)
                    there.append(moved(key, suffix, shorten))
                    rows.append(row)
        written += store.write(there, rows, expire_seconds=expire_seconds)
    return written


def _renewed(view: PublishedView, raw: bytes) -> bytes:
    row = unpack({schema.version: schema for schema in view.row_schemas}, raw)
    schema = next(s for s in view.row_schemas if s.version == row.schema_version)
    values = row.values(schema) | {
        f.name: f.default for f in view.features if f.name not in row.wire
    }
    return pack(view.row_schema, values, row.event, row.created)


def pushed(view: PublishedView) -> bool:
    """Whether callers write rows of the view, so that the warehouse may not have them all."""
    return view.source.kind in ("push", "stream")


def has_history(view: PublishedView) -> bool:
    """Whether the warehouse has past values of the view at all."""
    return view.source.history.kind not in ("push", "request", "stream")
