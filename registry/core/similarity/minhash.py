"""A few numbers that two trees share when they share most pieces: MinHash in bands. Pure.

Broder (1997) for MinHash, Indyk and Motwani (1998) for bands. With 16 bands of 3 rows two trees of
Jaccard similarity s share a band with probability 1 - (1 - s³)¹⁶: 0.90 at s = 0.5, 0.999 at 0.7.
"""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from registry.core.similarity.trees import Tree

BANDS, ROWS = 16, 3
_SEEDS = np.random.Generator(np.random.PCG64(20130101))
_FACTORS = _SEEDS.integers(0, 2**63, size=BANDS * ROWS, dtype=np.uint64) * 2 + 1
_SHIFTS = _SEEDS.integers(0, 2**63, size=BANDS * ROWS, dtype=np.uint64)


def pieces(tree: Tree) -> frozenset[int]:
    """Hashes of the tree's parts: each node with what is below it, and each node with its
    children's kinds alone, which one change elsewhere leaves as it was."""
    found: set[int] = set()
    for node in tree.nodes():
        if node.children or node is tree:
            found.add(_number(node.mark))
            kinds = "\0".join([node.label, *(child.label for child in node.children)])
            found.add(_number(b"near" + kinds.encode()))
    return frozenset(found)


def bands(tree: Tree) -> tuple[int, ...]:
    """`BANDS` numbers below 2⁶³ of a tree; trees that are alike share some."""
    hashes: NDArray[np.uint64] = np.fromiter(pieces(tree), dtype=np.uint64)
    mixed = hashes[:, None] * _FACTORS[None, :] + _SHIFTS[None, :]
    lowest = mixed.min(axis=0).reshape(BANDS, ROWS)
    return tuple(_number(bytes([band]) + row.tobytes()) for band, row in enumerate(lowest))


def similarity(left: Tree, right: Tree) -> float:
    """The share of pieces that two trees have in common (Jaccard), 0 to 1."""
    one, other = pieces(left), pieces(right)
    return len(one & other) / len(one | other)


def _number(text: bytes) -> int:
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") >> 1
