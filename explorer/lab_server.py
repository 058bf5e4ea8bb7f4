"""Run Jupyter Lab until the app's end of standard input closes; `explorer.notebooks.Lab` starts this file as a program.

The pipe closes however the app ends, also when it is killed, so that no server stays behind with its token valid.
"""

import os
import signal
import sys
import threading
import time

STANDARD_INPUT = 0
GRACE_S = 15.0


def end_with_the_app() -> None:
    """Wait until standard input closes, then end this process: politely, because Jupyter stops its kernels, then surely."""
    while os.read(STANDARD_INPUT, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=end_with_the_app, daemon=True).start()
    from jupyterlab.labapp import main

    sys.exit(main())
