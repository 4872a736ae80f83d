"""Runs MiniStack, for as long as the process that started it needs it.

Usage: emulator.py KEEP_FILE

When the starting process ends, for whatever reason, the emulator and the
functions that it runs end with it, unless KEEP_FILE exists by then.
"""

import os
import signal
import sys
import threading
import time


def end_with(parent, keep_file):
    while os.getppid() == parent:
        time.sleep(0.2)
    if not os.path.exists(keep_file):
        os.killpg(os.getpgrp(), signal.SIGTERM)
        time.sleep(3)
        os.killpg(os.getpgrp(), signal.SIGKILL)


def main():
    keep_file = sys.argv.pop(1)
    watch = threading.Thread(target=end_with, args=(os.getppid(), keep_file), daemon=True)
    watch.start()
    import condition_keys
    from ministack.app import main as serve

    condition_keys.install()
    serve()


if __name__ == "__main__":
    main()
