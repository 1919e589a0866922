"""Online keys: bytes that name one entity in one generation of one view. Pure.

    { entity } namespace / view key . generation

The entity part is the Redis Cluster hash tag, so that all views of one entity share a slot. It is
escaped (`~` to `~0`, `}` to `~1`), so whatever bytes an entity has, the tag ends where it should.
`docs/online-format.md` describes every byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from featureserver.key_encoders import BULK, Encoder, encoder_of, shortened
from registry.core.published import PublishedView
from registry.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class KeySpace:
    """The keys of one generation of one view. `names` are its join keys, sorted."""

    names: tuple[str, ...]
    encoders: tuple[Encoder, ...]
    suffix: bytes

    @property
    def entity(self) -> tuple[tuple[str, ...], tuple[Encoder, ...]]:
        """Equal for views whose keys start alike for the same entities."""
        return self.names, self.encoders

    def keys(self, columns: Mapping[str, Sequence[Any]]) -> list[bytes | None]:
        """One key per row of `columns` (join key to values); None where a part of the key is null.

        Raises `Invalid` naming the join key when a value is not of its type.
        """
        suffix = self.suffix
        return [None if one is None else one + suffix for one in self.entities(columns)]

    def entities(self, columns: Mapping[str, Sequence[Any]]) -> list[bytes | None]:
        """What the keys of all views of these entities start with: `{` and the escaped entity."""
        if len(self.names) == 1:
            parts = self._encoded(0, columns[self.names[0]])
        else:
            each = [self._encoded(i, columns[name]) for i, name in enumerate(self.names)]
            parts = [None if None in row else b"".join(row) for row in zip(*each, strict=True)]
        if None not in parts:
            whole = b"".join(parts)  # type: ignore[arg-type]
            if b"}" not in whole and b"~" not in whole:
                return [b"{" + part for part in parts]  # type: ignore[operator]
        return [None if part is None else b"{" + escape(part) for part in parts]

    def _encoded(self, index: int, values: Sequence[Any]) -> list[bytes | None]:
        encode = self.encoders[index]
        try:
            if encode in BULK and set(map(type, values)) == {int}:
                return BULK[encode](values)
            return [None if value is None else encode(value) for value in values]
        except Invalid as error:
            name = self.names[index]
            raise Invalid(f"join key {name!r}: {error.asked}", error.found, error.hint) from error


def key_space(view: PublishedView) -> KeySpace:
    """The keys of a view's generation. A borrowed view is called `namespace/view`; its rows are
    where its own namespace writes them. Raises `Invalid` for types that cannot be keys."""
    ordered = sorted(view.join_keys, key=lambda key: key.name)
    return KeySpace(
        tuple(key.name for key in ordered),
        tuple(encoder_of(key, view.key_format) for key in ordered),
        key_suffix(view.namespace, view.key.removeprefix(f"{view.namespace}/"), view.generation),
    )


def key_suffix(namespace: str, view_key: str, generation: int) -> bytes:
    """What follows the entity in every key of a generation, its closing brace included."""
    return f"}}{namespace}/{view_key}.{generation}".encode()


def belongs(key: bytes, suffix: bytes) -> bool:
    """Whether `key` is of the generation that has `suffix`: the first `}` ends the entity."""
    end = key.find(b"}")
    return end > 0 and key[end:] == suffix


def parse_key(key: bytes, namespace: str) -> tuple[str, int] | None:
    """The view key and generation of an online key; None when it is not one of `namespace`.

    A view key has no `/`: what has one is of a namespace that begins alike.
    """
    end = key.find(b"}")
    prefix = f"}}{namespace}/".encode()
    if not key.startswith(b"{") or end < 0 or not key.startswith(prefix, end):
        return None
    view_key, dot, generation = key[end + len(prefix) :].rpartition(b".")
    if not dot or not generation.isdigit() or b"/" in view_key:
        return None
    return view_key.decode(), int(generation)


def escape(entity: bytes) -> bytes:
    """`entity` without any `}`; two different inputs never give the same output."""
    if b"}" in entity or b"~" in entity:
        return entity.replace(b"~", b"~0").replace(b"}", b"~1")
    return entity


def moved(key: bytes, suffix: bytes, shorten: bool) -> bytes:
    """The key of the same entity with another suffix; `shorten` makes it one of format 2.

    Raises `Corrupt` when the entity cannot be read.
    """
    if not shorten:
        return key[: key.index(b"}")] + suffix
    entity = key[1 : key.index(b"}")].replace(b"~1", b"}").replace(b"~0", b"~")
    return b"{" + escape(shortened(entity)) + suffix
