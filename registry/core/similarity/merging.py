"""Putting sketches of parts of one feature together, as if all had been sketched at once. Pure."""

import numpy as np

from registry.core.similarity.encoding import Kind
from registry.core.similarity.values import ValueSketch
from registry.kernel.errors import Invalid


def merged(left: ValueSketch, right: ValueSketch, most_keys: int) -> ValueSketch:
    """The sketch of both parts' keys, the `most_keys` of the smallest hashes.

    Parts are of one feature, made as of the same anchors, each over some of the keys: a partition,
    a shard. Of a key of both the left's values count, and the right's where it has none. Raises
    `Invalid` for sketches of different features or anchors.
    """
    if (left.ref, left.entity, left.anchors) != (right.ref, right.entity, right.anchors):
        raise Invalid(
            "these are not sketches of parts of one feature",
            f"{left.ref} as of {len(left.anchors)} times and {right.ref} as of "
            f"{len(right.anchors)}",
            "sketch both as of the same instant",
        )
    keys = tuple(sorted({*left.keys, *right.keys})[:most_keys])
    values = np.full((len(left.anchors), len(keys)), np.nan)
    for part in (right, left):
        places = {key: place for place, key in enumerate(part.keys)}
        for column, key in enumerate(keys):
            if key in places:
                given = part.values[:, places[key]]
                values[:, column] = np.where(np.isnan(given), values[:, column], given)
    words = tuple(dict([*right.words, *left.words]).items())
    kind: Kind = "number" if left.kind == right.kind == "number" else "category"
    return ValueSketch(
        left.ref, left.entity, keys, left.anchors, kind, values, words, form=left.form
    )
