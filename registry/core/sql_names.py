"""Which source a column name means, by the sources in scope. Never guesses.

What the columns of a table are is not known here. So a bare name may stay bare (several tables
could hold it), and one that is both an output alias and perhaps a column of the table becomes
`ALIAS_OR(expression, column)`, which stands for whichever it is.
"""

from dataclasses import dataclass, field

from sqlglot import exp

from registry.core.sql_blocks import Base, Block, Expressions, Item, Union, Unsupported, column_of

ALIAS_OR = "ALIAS_OR"


@dataclass
class Scope:
    """The sources of one SELECT under their authors' names, and the scope around it.

    `aliases` are the SELECT's own output names, `merged` the columns of JOIN ... USING.
    """

    around: "Scope | None" = None
    items: dict[str, Item] = field(default_factory=dict)
    aliases: Expressions = field(default_factory=dict)
    merged: Expressions = field(default_factory=dict)

    def resolve(self, column: exp.Column) -> exp.Expr:
        """The column under internal aliases."""
        parts = [part.name for part in column.parts]
        if len(parts) > 1:
            for depth in (0, len(parts) - 2):
                found = self._of_source(parts[depth], parts[depth + 1])
                if found is not None:
                    return _fields(found, parts[depth + 2 :])
        return _fields(self._bare(parts[0]), parts[1:])

    def _of_source(self, source: str, name: str) -> exp.Expr | None:
        if source in self.items:
            item = self.items[source]
            if holds(item.relation, name) is False:
                raise Unsupported(f"{source} has no column {name}")
            return column_of(item.alias, name)
        return self.around._of_source(source, name) if self.around else None

    def _bare(self, name: str) -> exp.Expr:
        if name in self.merged:
            return self.merged[name].copy()
        answers = {item.alias: holds(item.relation, name) for item in self.items.values()}
        sure = [alias for alias, answer in answers.items() if answer]
        perhaps = [alias for alias, answer in answers.items() if answer is None]
        if sure:
            return column_of(sure[0], name)
        if not perhaps:
            return self._alias_or_around(name)
        column = column_of(perhaps[0] if self._certain(perhaps) else "", name)
        return self._marked(name, column)

    def _certain(self, perhaps: list[str]) -> bool:
        return len(perhaps) == 1 and self.around is None

    def _marked(self, name: str, column: exp.Column) -> exp.Expr:
        alias = self.aliases.get(name)
        if alias is None or _mentions(alias, name):
            return column
        return exp.Anonymous(this=ALIAS_OR, expressions=[alias.copy(), column])

    def _alias_or_around(self, name: str) -> exp.Expr:
        if name in self.aliases:
            return self.aliases[name].copy()
        if self.around is not None:
            return self.around._bare(name)
        raise Unsupported(f"column {name} is not found")


def holds(relation: Base | Block | Union, name: str) -> bool | None:
    """Whether the relation has a column of that name; None when that cannot be known."""
    if isinstance(relation, Base):
        return None
    if isinstance(relation, Union):
        return name in relation.names
    if name in relation.outputs:
        return True
    return None if relation.stars and name not in relation.hidden else False


def _mentions(tree: exp.Expr, name: str) -> bool:
    """An alias whose own expression uses a column of that name: the column exists, and it wins."""
    return any(column.name == name for column in tree.find_all(exp.Column))


def _fields(found: exp.Expr, names: list[str]) -> exp.Expr:
    for name in names:
        found = exp.Dot(this=found, expression=exp.to_identifier(name))
    return found
