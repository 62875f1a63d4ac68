"""A shell on a terminal: `python3 -c THIS LINE... -- SHELL WORD...` in a lab.

Each LINE is typed, then TAB, then Control-G, to which the shell's start file binds a function that
writes the line as it has become to the file `lines` and empties it. They are printed, one below the other.
"""

import os
import pty
import select
import sys
import time

LIMIT = 60


def drain(fd):
    """Reads what the shell draws: it would stop when nobody did."""
    drawn = b""
    while select.select([fd], [], [], 0.01)[0]:
        try:
            drawn += os.read(fd, 65536)
        except OSError:
            break
    return drawn


def wait_for(fd, what, condition):
    end = time.monotonic() + LIMIT
    drawn = b""
    while not condition():
        drawn += drain(fd)
        if time.monotonic() > end:
            sys.exit(f"waited in vain: {what}; the terminal shows {drawn!r}")


def lines():
    if not os.path.exists("lines"):
        return []
    with open("lines", encoding="utf-8") as file:
        return file.read().splitlines()


def main():
    dashes = sys.argv.index("--")
    typed, shell = sys.argv[1:dashes], sys.argv[dashes + 1 :]
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(shell[0], shell)
    wait_for(fd, "the shell is ready", lambda: os.path.exists("ready"))
    for number, line in enumerate(typed, 1):
        os.write(fd, line.encode() + b"\t\x07")
        wait_for(fd, line, lambda: len(lines()) == number)
    os.close(fd)
    os.waitpid(pid, 0)
    print("\n".join(lines()))


main()
