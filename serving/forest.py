"""One row through an XGBoost model's trees, in numpy. Pure: knows no library and loads no file.

XGBoost up to 3.3 measures the depth of every tree, and compiles a regular expression, at each call
of its own; for one row that is most of the time. Here every comparison of every tree is made at
once, whether it is needed or not, and the paths are then followed level by level.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 8 << 20  # of a model that is worth looking at
MOST_COMPARISONS = 1 << 15
_DEEPEST = 10
_LEAF = -1
Score = NDArray[np.float32]
_LARGEST_EXPONENT = float(np.float32(88.7))  # as in XGBoost's own sigmoid
# By objective: whether the sum of the leaves goes through a sigmoid.
_OBJECTIVES = {
    "binary:logistic": True,
    "reg:logistic": True,
    "binary:logitraw": False,
    "reg:squarederror": False,
}


class _TreeFacts(msgspec.Struct, frozen=True):
    size_leaf_vector: str = "1"


class Tree(msgspec.Struct, frozen=True):
    """One tree as XGBoost's JSON has it: arrays by node, a leaf's value in `split_conditions`."""

    left_children: list[int]
    right_children: list[int]
    split_indices: list[int]
    split_conditions: list[float]
    default_left: list[int]
    split_type: list[int] = []
    tree_param: _TreeFacts = _TreeFacts()


class _Trees(msgspec.Struct, frozen=True):
    trees: list[Tree]


class _Booster(msgspec.Struct, frozen=True, tag_field="name", tag="gbtree"):
    model: _Trees


class _Objective(msgspec.Struct, frozen=True):
    name: str


class _Facts(msgspec.Struct, frozen=True):
    base_score: str
    num_class: str
    num_target: str = "1"


class _Learner(msgspec.Struct, frozen=True):
    gradient_booster: _Booster
    objective: _Objective
    learner_model_param: _Facts


class _Model(msgspec.Struct, frozen=True):
    learner: _Learner


def forest_of(saved: bytes, width: int) -> "Forest | None":
    """The forest over rows of `width` in a model that `save_raw("json")` gave; None for one that is
    not of plain numeric splits, one output and few shallow trees."""
    try:
        learner = msgspec.json.decode(saved, type=_Model).learner
        base = float(learner.learner_model_param.base_score.strip("[]"))
    except (msgspec.MsgspecError, ValueError):
        return None
    trees, objective = learner.gradient_booster.model.trees, learner.objective.name
    facts = learner.learner_model_param
    single = facts.num_class == "0" and facts.num_target == "1" and objective in _OBJECTIVES
    depth = max(map(_depth, trees), default=0)
    few = 0 < depth <= _DEEPEST and len(trees) * (2**depth - 1) <= MOST_COMPARISONS
    if not (single and few and all(map(_is_plain, trees))):
        return None
    return Forest(trees, depth, width, base, _OBJECTIVES[objective])


def _is_plain(tree: Tree) -> bool:
    return not any(tree.split_type) and tree.tree_param.size_leaf_vector in ("0", "1")


def _depth(tree: Tree) -> int:
    depths = [0] * len(tree.left_children)
    for node, left in enumerate(tree.left_children):  # children come after their parents
        if left != _LEAF:
            depths[left] = depths[tree.right_children[node]] = depths[node] + 1
    return max(depths)


class Forest:
    """Trees filled up to one depth, level by level: place `p` of a level goes on to `2 * p`, the
    branch that a missing value takes, or to `2 * p + 1`.

    A comparison is always "greater than" and so false of NaN: where missing values go right, the
    branches are exchanged and the numbers negated; "not less" is "greater than the number before".
    """

    def __init__(
        self, trees: Sequence[Tree], depth: int, width: int, base: float, logistic: bool
    ) -> None:
        count, self._width, self._logistic = len(trees), width, logistic
        ends = [count * (2**level - 1) for level in range(depth + 1)]
        self._levels = [slice(*pair) for pair in pairwise(ends)]
        self._roots = np.arange(count)
        self._numbers = np.zeros(ends[-1], np.intp)
        self._limits = np.full(ends[-1], np.inf, np.float32)
        self._leaves = np.zeros(count * 2**depth, np.float32)
        self._base = _margin(base) if logistic else np.float32(base)
        for number, tree in enumerate(trees):
            self._place(tree, 0, 0, number)

    def _place(self, tree: Tree, node: int, level: int, place: int) -> None:
        """Lay a node and all below it where the walk will look for them."""
        left, right = tree.left_children[node], tree.right_children[node]
        value = np.float32(tree.split_conditions[node])
        if left == _LEAF:
            share = 2 ** (len(self._levels) - level)
            self._leaves[place * share : (place + 1) * share] = value
            return
        at, feature = self._levels[level].start + place, tree.split_indices[node]
        if tree.default_left[node]:
            self._numbers[at] = feature
            self._limits[at] = np.nextafter(value, np.float32(-np.inf))
        else:
            self._numbers[at] = self._width + feature
            self._limits[at] = -value
            left, right = right, left
        self._place(tree, left, level + 1, 2 * place)
        self._place(tree, right, level + 1, 2 * place + 1)

    def __call__(self, row: NDArray[np.float64]) -> Score:
        """What XGBoost gives for a row, float64 [width] with NaN where missing: float32 [1], its
        bits, or, when its exponential rounds otherwise, one of the two numbers beside it."""
        with np.errstate(over="ignore"):  # a number too large for float32 is infinite to XGBoost
            single = row.astype(np.float32)
        on = np.concatenate((single, -single)).take(self._numbers) > self._limits
        bits, places = on.view(np.uint8), self._roots
        for level in self._levels:
            places = places + places + bits[level][places]
        leaves = self._leaves.take(places)
        leaves[0] += self._base
        margin = np.add.accumulate(leaves)[-1:]  # one after the other, as XGBoost adds them
        return _sigmoid(margin) if self._logistic else margin


def _margin(probability: float) -> np.float32:
    one = np.float32(1)
    return np.float32(-np.log(one / np.float32(probability) - one))


def _sigmoid(margin: Score) -> Score:
    power = np.float32(math.exp(min(-margin.item(), _LARGEST_EXPONENT)))
    return np.array([1 / (power + np.float32(1))], np.float32)
