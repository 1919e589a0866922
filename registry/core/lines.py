"""Which lines of a view are still needed, and which columns their rows still hold. Pure.

A line is kept while it alone holds a live feature version, while it is the newest of its view, and
while somebody's pin names it. Columns of features that are gone leave its row schema, and its rows
are due to be written anew.
"""

from collections.abc import Mapping
from dataclasses import replace

from registry.core.published import RowSchema
from registry.core.state import FeatureRecord, ServiceRecord, ViewLine

Lines = dict[str, ViewLine]
Records = dict[str, FeatureRecord]


def settle_lines(
    lines: Mapping[str, ViewLine],
    features: Mapping[str, FeatureRecord],
    services: Mapping[str, ServiceRecord],
    lent: frozenset[str] = frozenset(),
) -> tuple[Lines, Records]:
    """The lines with those that nobody needs retired, and the records without those lines.

    `lent` are the keys of lines that services of other namespaces are pinned to.
    """
    ready = {(line.name, line.line) for line in lines.values() if line.ready and not line.retired}
    pinned = {pin.view for record in services.values() for pin in record.pinned} | lent
    needed = {
        place for record in features.values() if record.live for place in _needed(record, ready)
    }
    kept: Lines = {}
    for key, line in lines.items():
        place = (line.name, line.line)
        held = any(_holds(record, line) for record in features.values())
        wanted = held and (place in needed or key in pinned)
        kept[key] = replace(line, retired=not wanted)
    records = {ref: _without(record, kept) for ref, record in features.items()}
    return {key: _trimmed(line, records) for key, line in kept.items()}, records


def _needed(record: FeatureRecord, ready: set[tuple[str, int]]) -> list[tuple[str, int]]:
    """The newest ready line of a record and those after it, which are being filled."""
    places = sorted((record.view, line) for line in record.lines)
    served = [place for place in places if place in ready]
    return [place for place in places if not served or place >= served[-1]]


def _holds(record: FeatureRecord, line: ViewLine) -> bool:
    return record.live and record.view == line.name and line.line in record.lines


def _without(record: FeatureRecord, lines: Mapping[str, ViewLine]) -> FeatureRecord:
    if not record.live or record.on_demand:
        return record
    gone = {line.line for line in lines.values() if line.name == record.view and line.retired}
    left = tuple(line for line in record.lines if line not in gone)
    return record if left == record.lines else replace(record, lines=left)


def _trimmed(line: ViewLine, records: Mapping[str, FeatureRecord]) -> ViewLine:
    """The line without columns of features that are gone; its rows are then due anew."""
    newest = line.row_schemas[-1]
    names = {record.name for record in records.values() if _holds(record, line)}
    columns = tuple(column for column in newest.columns if column[0] in names)
    if line.retired or columns == newest.columns:
        return line
    schemas = (*line.row_schemas, RowSchema(newest.version + 1, columns))
    return replace(line, row_schemas=schemas, rebuild=True)
