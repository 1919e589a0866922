"""Python expressions with operands in one order, where the order cannot be told by the answer.

`a + b` is `b + a` for numbers, to the last bit, and not for texts or lists: sums are only turned
where an operand is a number for certain. Products of two, and comparisons turned round, hold for
every type that transformations may use. Nothing is re-associated: (a + b) + c is not a + (b + c)
for floats. Operands that might do something, or answer differently when asked twice, stay.
"""

import ast
from collections.abc import Mapping
from copy import deepcopy

_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Gt: ast.Lt, ast.GtE: ast.LtE}
_EITHER_WAY = (ast.Eq, ast.NotEq)
_NUMBERS = frozenset({"float", "int", "len"})
_PURE = _NUMBERS | {"abs", "max", "min", "round", "str", "sum"}
_LIBRARIES = frozenset({"math"})
_CHANGING = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)


def ordered_operands(tree: ast.Module) -> ast.Module:
    """The module with operands in one order. `tree` is used up."""
    _Ordered(_numbered_names(tree)).visit(tree)
    return tree


def _numbered_names(tree: ast.Module) -> Mapping[str, int]:
    """Names that the code binds itself, numbered by where each is bound first."""
    bound: list[tuple[int, int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.append((node.lineno, node.col_offset, node.name))
        elif isinstance(node, ast.arg):
            bound.append((node.lineno, node.col_offset, node.arg))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.append((node.lineno, node.col_offset, node.id))
    names = dict.fromkeys(name for _, _, name in sorted(bound))
    return {name: number for number, name in enumerate(names)}


class _Ordered(ast.NodeTransformer):
    """`own` are names that the code gives a meaning of its own, with a number for each."""

    def __init__(self, own: Mapping[str, int]) -> None:
        self._own = own

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        commutes = isinstance(node.op, ast.Mult) or (
            isinstance(node.op, ast.Add) and (self._number(node.left) or self._number(node.right))
        )
        if commutes and self._later(node.left, node.right):
            node.left, node.right = node.right, node.left
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) != 1 or not self._quiet(node.left, node.comparators[0]):
            return node
        kind, right = type(node.ops[0]), node.comparators[0]
        turned = _TURNED.get(kind)
        if turned is not None:
            return ast.Compare(left=right, ops=[turned()], comparators=[node.left])
        if kind in _EITHER_WAY and self._text(node.left) > self._text(right):
            return ast.Compare(left=right, ops=node.ops, comparators=[node.left])
        return node

    def _later(self, left: ast.expr, right: ast.expr) -> bool:
        return self._text(left) > self._text(right) and self._quiet(left, right)

    def _quiet(self, *nodes: ast.expr) -> bool:
        """Whether nothing in them can do something or answer differently each time."""
        for node in (inner for whole in nodes for inner in ast.walk(whole)):
            if isinstance(node, _CHANGING):
                return False
            if isinstance(node, ast.Call) and not self._known(node.func, _PURE):
                return False
        return True

    def _known(self, function: ast.expr, names: frozenset[str]) -> bool:
        if isinstance(function, ast.Name):
            return function.id in names and function.id not in self._own
        return (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and function.value.id in _LIBRARIES - self._own.keys()
        )

    def _number(self, node: ast.expr) -> bool:
        """Whether it is a number for certain, or an array of them."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, int | float)
        if isinstance(node, ast.UnaryOp):
            return isinstance(node.op, ast.USub | ast.Not) and self._number(node.operand)
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Div):
                return True
            return isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Pow) and (
                self._number(node.left) and self._number(node.right)
            )
        return isinstance(node, ast.Call) and self._known(node.func, _NUMBERS)

    def _text(self, node: ast.expr) -> str:
        """A text to order by, the same whatever the code's own names are."""
        copied = deepcopy(node)
        for name in (n for n in ast.walk(copied) if isinstance(n, ast.Name)):
            name.id = f"_{self._own[name.id]:04d}" if name.id in self._own else name.id
        return ast.unparse(copied)
