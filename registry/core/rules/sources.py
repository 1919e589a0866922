"""Rules about sources: where values come from, when they are known, are queries sound."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from registry.core.definitions import FeatureView, Source
from registry.core.readers import Reader
from registry.core.rules.base import Evidence, Hit, rule

UNSTABLE_FUNCTIONS = frozenset(
    {
        "current_date",
        "current_time",
        "current_timestamp",
        "gen_random_uuid",
        "get_current_timestamp",
        "localtime",
        "localtimestamp",
        "nextval",
        "now",
        "rand",
        "random",
        "setseed",
        "today",
        "txid_current",
        "uuid",
    }
)
ORDER_DEPENDENT = (exp.First, exp.Last, exp.AnyValue, exp.ArrayAgg, exp.GroupConcat)
RANKING = (exp.RowNumber, exp.FirstValue, exp.LastValue, exp.NthValue, exp.Lag, exp.Lead)


@lru_cache(maxsize=4096)
def parsed(query: str) -> exp.Expr | None:
    """The query as a tree; None when it does not parse."""
    try:
        return sqlglot.parse_one(query, read="duckdb")
    except SqlglotError:
        return None


def _queries(evidence: Evidence) -> Iterator[tuple[FeatureView, Source, exp.Expr]]:
    for view in evidence.compiled.views.values():
        source = view.source.history
        tree = parsed(source.query) if source.query else None
        if tree is not None:
            yield view, source, tree


@rule(
    "source-file-changed",
    "meaning",
    "warning",
    "Tables are read by name, wherever they lie: another file under an old name may be other data.",
)
def source_file_changed(evidence: Evidence) -> Iterable[Hit]:
    for change in evidence.plan.changes:
        found = [d for d in change.differences if d.facet == "file" and d.before and d.after]
        if change.object == "view" and found:
            source = evidence.compiled.views[change.name].source.history
            yield Hit(
                change.name,
                f"the file of {change.name} was {found[0].before}, it is {found[0].after}; "
                f"Fieldhouse reads the table {source.table} as before",
                "if these are other data, name the source after their table and acknowledge "
                "the new version",
                source.location,
                _readers_of_view(change.name, evidence),
            )


def _readers_of_view(view: str, evidence: Evidence) -> tuple[Reader, ...]:
    refs = [r.ref for r in evidence.state.features.values() if r.view == view and r.live]
    return tuple(sorted({reader for ref in refs for reader in evidence.readers.get(ref, ())}))


@rule("timestamp-missing", "training", "error", "Without an event time no join is point-in-time.")
def timestamp_missing(evidence: Evidence) -> Iterable[Hit]:
    for view in evidence.compiled.views.values():
        if not view.source.history.timestamp_field:
            yield Hit(
                view.name,
                f"the source of {view.name} names no timestamp column",
                "set timestamp_field to the column that says when a row became true",
                view.location,
            )


@rule("entity-missing", "serving", "error", "A view without an entity cannot be looked up.")
def entity_missing(evidence: Evidence) -> Iterable[Hit]:
    for view in evidence.compiled.views.values():
        if not view.join_keys:
            yield Hit(
                view.name,
                f"{view.name} has no entity",
                "give it entities=[...]",
                view.location,
            )


@rule("history-missing", "training", "error", "Values that are only pushed cannot be trained on.")
def history_missing(evidence: Evidence) -> Iterable[Hit]:
    for view in evidence.compiled.views.values():
        source = view.source.history
        if not source.table and not source.query:
            yield Hit(
                view.name,
                f"the source {source.name} of {view.name} has no table and no query behind it",
                "give the push or stream source a batch_source",
                view.location,
            )


@rule(
    "table-unregistered",
    "training",
    "error",
    "A query can only read what the warehouse has under a name.",
)
def table_unregistered(evidence: Evidence) -> Iterable[Hit]:
    if evidence.tables is None:
        return
    for view in evidence.compiled.views.values():
        for table in sorted(_tables(view.source.history) - set(evidence.tables)):
            yield Hit(
                view.name,
                f"{view.name} reads table {table!r}, which the warehouse does not have",
                f"known: {', '.join(sorted(evidence.tables)) or 'none'}; "
                "name it under [warehouse.tables] in fieldhouse.toml",
                view.location,
            )


def _tables(source: Source) -> set[str]:
    if source.table:
        return {source.table}
    tree = parsed(source.query) if source.query else None
    if tree is None:
        return set()
    local = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    return {t.name for t in tree.find_all(exp.Table) if t.name and t.name not in local}


@rule("column-missing", "training", "error", "A feature needs a column of its name.")
def column_missing(evidence: Evidence) -> Iterable[Hit]:
    for view in evidence.compiled.views.values():
        columns = _columns(view.source.history, evidence)
        if columns is None:
            continue
        mapped = {feature: column for column, feature in view.source.history.field_mapping}
        wanted = [*(f.name for f in view.features), *(k.name for k in view.join_keys)]
        for name in wanted:
            if mapped.get(name, name) not in columns:
                yield Hit(
                    f"{view.name}:{name}",
                    f"the source of {view.name} gives no column {mapped.get(name, name)!r}",
                    f"it gives: {', '.join(sorted(columns))}",
                    view.location,
                )


def _columns(source: Source, evidence: Evidence) -> frozenset[str] | None:
    if source.table and evidence.tables is not None:
        return evidence.tables.get(source.table)
    tree = parsed(source.query) if source.query else None
    if tree is None or not isinstance(tree, exp.Query) or tree.is_star:
        return None
    return frozenset(tree.named_selects)


@rule("query-unparsable", "training", "warning", "What cannot be parsed cannot be compared.")
def query_unparsable(evidence: Evidence) -> Iterable[Hit]:
    for view in evidence.compiled.views.values():
        query = view.source.history.query
        if query and parsed(query) is None:
            yield Hit(
                view.name,
                f"the query of {view.name} does not parse as DuckDB SQL",
                "changes to it are seen as a whole, not by column; simplify it if you can",
                view.location,
            )


@rule(
    "query-looks-ahead",
    "training",
    "error",
    "A value made from later rows is not known at the row's time.",
)
def query_looks_ahead(evidence: Evidence) -> Iterable[Hit]:
    for view, _, tree in _queries(evidence):
        ahead = [w.sql(dialect="duckdb") for w in tree.find_all(exp.WindowSpec) if _ahead(w)]
        ahead += [node.sql(dialect="duckdb") for node in tree.find_all(exp.Lead)]
        if ahead:
            yield Hit(
                view.name,
                f"the query of {view.name} looks ahead of the row's time: {ahead[0]}",
                "end the frame at CURRENT ROW, and use lag instead of lead",
                view.location,
            )


def _ahead(window: exp.WindowSpec) -> bool:
    sides = {window.args.get("start_side"), window.args.get("end_side")}
    return "FOLLOWING" in {str(side).upper() for side in sides if side}


@rule(
    "query-unstable",
    "training",
    "error",
    "A query that gives another answer each time cannot be rebuilt.",
)
def query_unstable(evidence: Evidence) -> Iterable[Hit]:
    for view, _, tree in _queries(evidence):
        found = sorted({name for name in map(_function_name, tree.walk()) if name})
        unstable = [name for name in found if name in UNSTABLE_FUNCTIONS]
        if unstable:
            yield Hit(
                view.name,
                f"the query of {view.name} calls {unstable[0]}(), which differs from run to run",
                "use the row's own times; the as-of instant is the join's business",
                view.location,
            )


def _function_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower()
    return str(node.sql_name()).lower() if isinstance(node, exp.Func) else ""


@rule(
    "query-order-dependent",
    "training",
    "error",
    "An aggregate that depends on order gives what the engine happens to read first.",
)
def query_order_dependent(evidence: Evidence) -> Iterable[Hit]:
    for view, _, tree in _queries(evidence):
        loose = [n for n in tree.find_all(*ORDER_DEPENDENT, *RANKING) if not _ordered(n)]
        if loose:
            yield Hit(
                view.name,
                f"the query of {view.name} depends on an order that it does not state: "
                f"{loose[0].sql(dialect='duckdb')}",
                "add ORDER BY inside the aggregate or its window",
                view.location,
            )


def _ordered(node: exp.Expr) -> bool:
    """An aggregate with its own ORDER BY, or inside a window that has one."""
    if node.find(exp.Order):
        return True
    parent = node.parent
    while isinstance(parent, exp.IgnoreNulls | exp.RespectNulls | exp.Filter | exp.Order):
        if isinstance(parent, exp.Order):
            return True
        parent = parent.parent
    return isinstance(parent, exp.Window) and parent.args.get("order") is not None


@rule(
    "ttl-below-interval",
    "serving",
    "error",
    "Values grow stale before the next materialization can replace them.",
)
def ttl_below_interval(evidence: Evidence) -> Iterable[Hit]:
    for view in evidence.compiled.views.values():
        ttl = view.ttl_seconds
        if view.online and ttl is not None and ttl < evidence.interval_seconds:
            yield Hit(
                view.name,
                f"{view.name} has a ttl of {ttl:g} s and is materialized every "
                f"{evidence.interval_seconds:g} s",
                "lengthen the ttl, or materialize more often ([materialize] interval_seconds)",
                view.location,
            )
