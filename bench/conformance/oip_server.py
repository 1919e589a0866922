"""The server that protocol clients are tried on: `python -m bench.conformance.oip_server FOLDER`.

Two models of the tests, one looked up by entity key and one with a single wide tensor. Writes
FOLDER/server.json with the port, the Unix socket and the version, and serves until it is stopped.
"""

import json
import sys
from pathlib import Path


def main(folder: Path) -> None:
    from featureserver.listen import listen_tcp, listen_unix
    from featureserver.server import serve
    from serving.hosting import open_data_plane
    from serving.signature import Input, Signature
    from tests.model_room import (
        OPERATOR,
        looked_up_parts,
        open_room,
        parts,
        released,
        xgboost_model,
    )  # fmt: skip

    folder.mkdir(parents=True, exist_ok=True)
    room = open_room(folder)
    version = released(room, looked_up_parts(folder, room)).version
    wide = Signature((Input("rows", shape=(-1, 4)),), xgboost_model().signature.outputs)
    released(room, parts(folder, xgboost_model(), name="wide", signature=wide))
    room.registry.tokens["t"] = OPERATOR
    path = folder / "m.sock"
    sockets = [listen_tcp("127.0.0.1", 0), listen_unix(path)]
    app = open_data_plane(room)
    facts = {"port": sockets[0].getsockname()[1], "socket": str(path), "version": version}
    (folder / "server.json").write_text(json.dumps(facts))
    serve(app, sockets, 5)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
