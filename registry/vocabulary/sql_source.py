"""`SqlSource`: a Feast data source that is a query over warehouse tables. It runs nothing itself.

Stored in Feast's registry as a custom source that names this class, so Feast reads it back where
Fieldhouse is installed.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from feast.data_source import DataSource
from feast.protos.feast.core.DataSource_pb2 import DataSource as DataSourceProto
from feast.repo_config import RepoConfig
from feast.type_map import pa_to_feast_value_type
from feast.value_type import ValueType

from registry.kernel.errors import Invalid

TIE_BREAKER = "fieldhouse.tie_breaker"
CLASS_PATH = "registry.vocabulary.sql_source.SqlSource"


class SqlSource(DataSource):  # type: ignore[misc]
    """A SELECT over warehouse tables by their logical names.

    Its output holds the join keys, the features, `timestamp_field` (the event time) and, where
    given, `created_timestamp_column` (when the row became known). Of rows that share key and both
    times, the one greatest in column `tie_breaker` counts. Raises `Invalid` without a name,
    a query or an event time.
    """

    def __init__(
        self,
        *,
        name: str,
        query: str,
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        field_mapping: dict[str, str] | None = None,
        description: str = "",
        tags: dict[str, str] | None = None,
        owner: str = "",
        tie_breaker: str | None = None,
    ) -> None:
        for what, value in (("name", name), ("query", query), ("timestamp_field", timestamp_field)):
            if not value or not value.strip():
                raise Invalid(f"SqlSource {name!r} needs a {what}")
        if tie_breaker:
            tags = {**(tags or {}), TIE_BREAKER: tie_breaker}
        self.query = query
        super().__init__(
            name=name,
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            field_mapping=field_mapping,
            description=description,
            tags=tags,
            owner=owner,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SqlSource) and super().__eq__(other) and self.query == other.query

    def __hash__(self) -> int:
        return int(super().__hash__())

    def source_type(self) -> Any:
        """Feast's word for a source that Feast did not make."""
        return DataSourceProto.CUSTOM_SOURCE

    @staticmethod
    def from_proto(data_source: Any) -> "SqlSource":
        """Read back what `to_proto` wrote."""
        configuration = json.loads(data_source.custom_options.configuration)
        return SqlSource(
            name=data_source.name,
            query=configuration["query"],
            timestamp_field=data_source.timestamp_field,
            created_timestamp_column=data_source.created_timestamp_column,
            field_mapping=dict(data_source.field_mapping),
            description=data_source.description,
            tags=dict(data_source.tags),
            owner=data_source.owner,
        )

    def _to_proto_impl(self) -> Any:
        options = DataSourceProto.CustomSourceOptions(
            configuration=json.dumps({"query": self.query}).encode()
        )
        return DataSourceProto(
            name=self.name,
            type=DataSourceProto.CUSTOM_SOURCE,
            data_source_class_type=CLASS_PATH,
            field_mapping=self.field_mapping,
            timestamp_field=self.timestamp_field,
            created_timestamp_column=self.created_timestamp_column,
            custom_options=options,
            description=self.description,
            tags=self.tags,
            owner=self.owner,
        )

    def validate(self, config: RepoConfig) -> None:
        """Nothing to ask of Feast: the query is checked by `fieldhouse check`."""

    def get_table_query_string(self) -> str:
        """The query as a table expression."""
        return f"({self.query})"

    def get_table_column_names_and_types(self, config: RepoConfig) -> Iterable[tuple[str, str]]:
        """Feast asks this to infer a schema; ours is always written down."""
        raise Invalid(
            f"the schema of SqlSource {self.name!r} cannot be inferred",
            hint="list every field and join key in the view's schema",
        )

    @staticmethod
    def source_datatype_to_feast_value_type() -> Callable[[str], ValueType]:
        """How Feast reads the types of this source: as Arrow's."""
        return pa_to_feast_value_type  # type: ignore[no-any-return]
