"""References to features as text: `view:feature`, `namespace/view:feature@2`, `view@v2:feature`.

Two spellings of a version are read: ours (`view:feature@2`) and Feast's (`view@v2:feature`).
"""

import re
from dataclasses import dataclass

from registry.kernel.errors import Invalid

# Feast lets a feature's name hold spaces; they may stand within a name, not at its ends.
_REF = re.compile(
    r"^(?:(?P<namespace>[^/:@\s]+)/)?(?P<view>[^/:@\s]+)(?:@v(?P<view_version>\d+))?"
    r":(?P<feature>[^/:@\s](?:[^/:@\r\n\t]*[^/:@\s])?)(?:@(?P<version>\d+))?$"
)


@dataclass(frozen=True, slots=True, order=True)
class FeatureRef:
    """One feature of one view. `version` None means: the newest live one."""

    view: str
    feature: str
    version: int | None = None
    namespace: str | None = None

    def __str__(self) -> str:
        prefix = f"{self.namespace}/" if self.namespace else ""
        suffix = f"@{self.version}" if self.version is not None else ""
        return f"{prefix}{self.view}:{self.feature}{suffix}"


def parse_ref(text: str) -> FeatureRef:
    """Read a feature reference; raises `Invalid` with an example when it is not one."""
    match = _REF.match(text)
    if match is None:
        raise Invalid(
            f"{text!r} is not a feature reference",
            hint="write view:feature, view:feature@2 or namespace/view:feature",
        )
    version = match["version"] or match["view_version"]
    return FeatureRef(
        view=match["view"],
        feature=match["feature"],
        version=int(version) if version else None,
        namespace=match["namespace"],
    )
