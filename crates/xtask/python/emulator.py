"""Runs MiniStack, for as long as the process that started it needs it.

Usage: emulator.py [--second-interpreter] KEEP_FILE [GATE ARGUMENT...]

With the command of a gate, that stands in front of it, and neither outlives the other.

When the starting process ends, for whatever reason, the emulator and the
functions that it runs end with it, unless KEEP_FILE exists by then.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time


def end_with(parent, keep_file):
    while os.getppid() == parent:
        time.sleep(0.2)
    if not os.path.exists(keep_file):
        end_all()


def end_all():
    os.killpg(os.getpgrp(), signal.SIGTERM)
    time.sleep(3)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def stand_behind(command):
    # The gate ends when its standard input does: with this process, however that ends.
    gate = subprocess.Popen(command, stdin=subprocess.PIPE)
    gate.wait()
    end_all()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--second-interpreter", action="store_true")
    arguments.add_argument("keep_file")
    arguments.add_argument("gate", nargs=argparse.REMAINDER)
    arguments = arguments.parse_args()
    del sys.argv[1:]
    watch = threading.Thread(target=end_with, args=(os.getppid(), arguments.keep_file), daemon=True)
    watch.start()
    if arguments.gate:
        threading.Thread(target=stand_behind, args=(arguments.gate,), daemon=True).start()
    from ministack.app import main as serve

    import condition_keys
    import planned_failures

    condition_keys.install()
    planned_failures.install()
    if arguments.second_interpreter:
        import second_interpreter

        second_interpreter.install()
    serve()


if __name__ == "__main__":
    main()
