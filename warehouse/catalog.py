"""Tables by logical name: which Parquet files each one is. Looks at folders, reads no data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from registry.kernel.errors import Invalid, NotFound, Unavailable
from registry.kernel.settings import Settings
from warehouse.settings import ROOT, TABLES_KEY

_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Catalog:
    """Where tables lie: `named` ones by path or glob, others under `root`.

    A table `t` under the root is `<root>/t.parquet`, or the folder `<root>/t` of Parquet files.
    """

    root: Path
    named: Mapping[str, Path]

    def names(self) -> tuple[str, ...]:
        """Every table that has a name here, sorted; a named one may have no file yet."""
        return tuple(sorted({*self.named, *self._under_root()}))

    def files(self, name: str) -> tuple[str, ...]:
        """The files of a table, sorted. Raises `NotFound` with the nearest names, or `Unavailable`
        when the table is named in the settings and none of its files is there."""
        if name in self.named:
            return self._named_files(name)
        files = self._files_under_root(name)
        if not files:
            hint = f"put {name}.parquet in {self.root}, or name it in [warehouse.tables]"
            raise NotFound("warehouse table", name, self.names(), hint)
        return files

    def folders(self) -> tuple[str, ...]:
        """The folders in which tables lie: all that a query may read."""
        named = (_fixed_folder(pattern) for pattern in self.named.values())
        return tuple(sorted({str(self.root), *map(str, named)}))

    def _named_files(self, name: str) -> tuple[str, ...]:
        pattern = self.named[name]
        found = (
            sorted(map(str, pattern.rglob("*.parquet"))) if pattern.is_dir() else _matching(pattern)
        )
        if not found:
            raise Unavailable(
                f"table {name!r} has no file",
                f"nothing matches {pattern}",
                f"mend [warehouse.tables] {name}, or bring the files back",
            )
        return tuple(found)

    def _files_under_root(self, name: str) -> tuple[str, ...]:
        single = self.root / f"{name}.parquet"
        if single.is_file():
            return (str(single),)
        return tuple(sorted(map(str, (self.root / name).glob("*.parquet"))))

    def _under_root(self) -> set[str]:
        singles = {path.stem for path in self.root.glob("*.parquet")}
        folders = {path.parent.name for path in self.root.glob("*/*.parquet")}
        return singles | folders


def read_catalog(settings: Settings) -> Catalog:
    """The catalogue that the settings describe; relative paths start at the project's root."""
    tables = settings.section("warehouse").get(TABLES_KEY, {})
    if not isinstance(tables, Mapping) or not all(isinstance(p, str) for p in tables.values()):
        raise Invalid(
            "[warehouse.tables] must map table names to paths",
            f"found {tables!r}",
            'write flights = "data/flights/*.parquet"',
        )
    named = {name: settings.root / path for name, path in tables.items()}
    return Catalog(settings.path(ROOT), named)


def _matching(pattern: Path) -> list[str]:
    if pattern.is_file():
        return [str(pattern)]
    folder = _fixed_folder(pattern)
    return sorted(map(str, folder.glob(str(pattern.relative_to(folder)))))


def _fixed_folder(pattern: Path) -> Path:
    """The deepest folder that holds all that a pattern matches."""
    for place, part in enumerate(pattern.parts):
        if _WILDCARDS & set(part):
            return Path(*pattern.parts[:place])
    return pattern if pattern.is_dir() else pattern.parent
