"""Text from definitions and people inside Markdown: it must not become markup, nor call anybody."""

import re

_MENTION = re.compile(r"(?<!\w)@(?=\w)")


def plain(text: str) -> str:
    """One line of text that shows as it is."""
    folded = " ".join(text.split())
    escaped = "".join(f"\\{c}" if c in "\\`*_<>[]|#~!" else c for c in folded)
    return _MENTION.sub("@\u2060", escaped.replace("&", "&amp;").replace("://", ":\u2060//"))


def code(text: str) -> str:
    """A name or value as code, in which nothing is markup."""
    folded = " ".join(text.split()).replace("`", "'")
    return f"`{folded}`" if folded else ""
