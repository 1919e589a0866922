"""Bodies of the routes that write, as Feast's clients send them. Read by pydantic."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

# No format: text without a zone is taken too, as Feast's clients send it.
Instant = Annotated[str, Field(description="ISO 8601; without a zone it is UTC")]
Frame = dict[str, list[Any]]


class _Body(BaseModel):
    """Types are taken as they are: no 0 for false."""

    model_config = ConfigDict(strict=True)


class Push(_Body):
    """Rows for a push source, column by column."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "push_source_name": "driver_stats_push",
                    "df": {
                        "driver_id": [1001],
                        "conv_rate": [0.53],
                        "event_timestamp": ["2013-10-01T11:00:00Z"],
                    },
                    "to": "online",
                }
            ]
        }
    )
    push_source_name: str
    df: Frame
    allow_registry_cache: bool = True
    to: Literal["online", "offline", "online_and_offline"] = "online"
    transform_on_write: bool = True


class WriteToOnlineStore(_Body):
    """Rows for one view, column by column."""

    feature_view_name: str
    df: Frame
    allow_registry_cache: bool = True
    transform_on_write: bool = True


class Materialize(_Body):
    """A span of time to materialize; instants are ISO 8601, without a zone they are UTC."""

    start_ts: Instant | None = None
    end_ts: Instant | None = None
    feature_views: list[str] | None = None
    disable_event_timestamp: bool = False
    full_feature_names: bool = False
    version: str | None = None


class MaterializeIncremental(_Body):
    """An end until which to materialize, from where the last run ended."""

    end_ts: Instant
    feature_views: list[str] | None = None
    full_feature_names: bool = False
    version: str | None = None
