"""What a join asks DuckDB about a history: keys and times that need casts or lookups, the winner of
a tie, values that need casts. All of it by the texts of `duckdb_sql`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from registry.kernel.types import arrow_type
from warehouse.asof import AsOfPlan
from warehouse.engines import duckdb_sql as sql
from warehouse.engines.arrays import int64s, numpy_of
from warehouse.engines.parts import Bounds, Int64s, Part
from warehouse.history import HistoryColumn

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class DuckDBHistory:
    """A cursor that nobody else uses, the plan, and where the history lies."""

    cursor: Connection
    plan: AsOfPlan
    relation: sql.Relation

    def know_codes(self, table: pa.Table) -> None:
        """Take in the code of each key, for what needs it afterwards."""
        self.cursor.register(sql.CODES, table)

    def first_event(self) -> int:
        """The ticks of the oldest event; zero for none."""
        text = sql.first_event(self.plan, self.relation)
        ((first,),) = self.cursor.execute(text).fetchall()
        return int(first) if first is not None else 0

    def parts(self, bounds: Bounds, rows: int) -> Iterator[Part]:
        """The rows within bounds, about so many at a time."""
        text = sql.scan(self.plan, self.relation, bounds)
        for batch in self.cursor.sql(text).to_arrow_reader(rows):
            if not batch.num_rows:
                continue
            columns = {name: numpy_of(batch.column(name)) for name in batch.schema.names}
            event, created = columns["event"], columns.get("created")
            seen = None
            if created is not None and self.plan.late_rows:
                seen = np.maximum(event, created)
            yield Part(columns["code"], event, columns["pos"], created, seen)

    def winners(self, same: pa.Table, bounds: Bounds) -> tuple[Int64s, Int64s]:
        """Of each slot of `same` (slot, code, event, created), the position of the row that its
        ties leave: slots and positions."""
        self.cursor.register(sql.SAME, same)
        self.cursor.execute(sql.make_tied_history(self.plan, self.relation, bounds))
        self.cursor.execute(sql.keep_tied(self.plan, self.relation))
        self.cursor.execute(sql.drop_losers())
        won = self.cursor.sql(sql.winners_of_ties(self.plan, bounds)).to_arrow_table()
        return numpy_of(won.column("slot")), numpy_of(won.column("pos"))

    def values(self, positions: Int64s, columns: Sequence[HistoryColumn]) -> list[pa.ChunkedArray]:
        """The columns at positions, of which none comes twice, in the order of those."""
        slots = np.arange(len(positions), dtype=np.int64)
        self.cursor.register(
            sql.WANTED, pa.table({"pos": int64s(positions), "slot": int64s(slots)})
        )
        payload = self.cursor.sql(sql.fetch(self.relation, columns)).to_arrow_table()
        order = pc.sort_indices(payload.column("slot"))
        return [
            payload.column(f"v{place}").cast(arrow_type(column.dtype)).take(order)
            for place, column in enumerate(columns)
        ]
