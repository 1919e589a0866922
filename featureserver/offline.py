"""What the feature server asks of a warehouse engine: a part of `warehouse.engines.port.Engine`."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from registry.core.definitions import Source
from registry.core.published import PublishedView


class Offline(Protocol):
    """Newest rows, values as of an instant, and sources as they are."""

    def latest(
        self, view: PublishedView, *, since: datetime | None, until: datetime
    ) -> pa.RecordBatchReader: ...

    def as_of(
        self, spine: pa.Table, time_column: str, view: PublishedView, features: Sequence[str]
    ) -> pa.Table: ...

    def read(self, source: Source) -> AbstractContextManager[pa.RecordBatchReader]: ...

    def mark(self, source: Source) -> str | None:
        """What stands for a source's content, the same as long as it is; None: nobody can tell."""
        ...

    def pinned(self, files: Mapping[Source, Path]) -> "Offline": ...
