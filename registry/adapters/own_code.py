"""The digest of our own code: what it made may be kept for as long as it stays the same."""

import hashlib
from functools import cache
from pathlib import Path

import registry


@cache
def own_code(*packages: str) -> str:
    """Hex digest of the modules of these packages of the registry ("core", say), not of those
    below them. Read once a process."""
    total = hashlib.sha256()
    for package in packages:
        for file in sorted((Path(registry.__file__).parent / package).glob("*.py")):
            total.update(f"\0{package}/{file.name}\0".encode())
            total.update(file.read_bytes())
    return total.hexdigest()
