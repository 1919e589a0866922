"""A child process that ends when its parent does, however that ended."""

import os
import signal
import threading


def end_with_parent() -> None:
    """Send this process SIGTERM once its stdin is closed, as it is when the parent is gone."""

    def watch() -> None:
        # os.read, because a daemon thread inside sys.stdin's lock would break the exit.
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
