"""What authors of feature repositories write with. Feast is imported with `SqlSource` only."""

from typing import TYPE_CHECKING, Any

from registry.vocabulary import expect
from registry.vocabulary.governed import governed

if TYPE_CHECKING:
    from registry.vocabulary.sql_source import SqlSource

__all__ = ["SqlSource", "expect", "governed"]


def __getattr__(name: str) -> Any:
    if name == "SqlSource":
        from registry.vocabulary.sql_source import SqlSource

        return SqlSource
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
