"""Rows carried over from one generation of a view to another, in the newest row schema.

What was pushed is in no warehouse, perhaps: a rebuild of such a view takes it along. Columns that
the newest schema no longer has stay behind. No engine is asked here.
"""

from featureserver.keys import key_suffix
from featureserver.ports import OnlineStore
from featureserver.rows import pack, unpack
from registry.core.published import PublishedView
from registry.kernel.errors import Corrupt


def carry_over(
    store: OnlineStore, view: PublishedView, old: int, new: int, expire_seconds: float | None
) -> int:
    """Write the rows of generation `old` to `new`, newest wins; how many were newer there.

    A row that cannot be read stays behind: nobody could have read it. Columns added since a row was
    written get the feature's default, as readers gave them.
    """
    ending = key_suffix(view.namespace, view.key, old)
    suffix = key_suffix(view.namespace, view.key, new)
    written = 0
    for keys in store.keys_of(view.namespace, view.key, old):
        moved, rows = [], []
        for key, raw in zip(keys, store.read(keys), strict=True):
            row = None if raw is None else _renewed(view, raw)
            if row is not None:
                moved.append(key[: -len(ending)] + suffix)
                rows.append(row)
        written += store.write(moved, rows, expire_seconds=expire_seconds)
    return written


def _renewed(view: PublishedView, raw: bytes) -> bytes | None:
    try:
        row = unpack({schema.version: schema for schema in view.row_schemas}, raw)
    except Corrupt:
        return None
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
