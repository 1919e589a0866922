"""Writing a file so that readers see the whole of it or nothing."""

import tempfile
from pathlib import Path


def write_whole(file: Path, data: bytes) -> None:
    """Replace or make `file`, and its folder if need be. Raises OSError; leaves no pieces."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as part:
        try:
            part.write(data)
            part.flush()
        except OSError:
            Path(part.name).unlink()
            raise
    Path(part.name).replace(file)
