"""Bodies of the routes that write, as Feast's clients send them. Read by pydantic."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Frame = dict[str, list[Any]]


class Push(BaseModel):
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


class WriteToOnlineStore(BaseModel):
    """Rows for one view, column by column."""

    feature_view_name: str
    df: Frame
    allow_registry_cache: bool = True
    transform_on_write: bool = True


class Materialize(BaseModel):
    """A span of time to materialize; instants are ISO 8601, without a zone they are UTC."""

    start_ts: str | None = None
    end_ts: str | None = None
    feature_views: list[str] | None = None
    disable_event_timestamp: bool = False
    full_feature_names: bool = False
    version: str | None = None


class MaterializeIncremental(BaseModel):
    """An end until which to materialize, from where the last run ended."""

    end_ts: str
    feature_views: list[str] | None = None
    full_feature_names: bool = False
    version: str | None = None
