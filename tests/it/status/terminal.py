"""`python3 -c THIS COLUMNSxROWS STEP... -- COMMAND...`: a command on a terminal of that size.

A step is `see TEXT` (wait until the terminal shows it, since the step before), `type TEXT` (with Python's
escapes), `do SHELL COMMAND`, `size COLUMNSxROWS`, `end` (wait for the command's end). At the end everything the
terminal showed is printed, as a Python string, and the command's exit code.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

LIMIT = 60


class Terminal:
    def __init__(self, size, command):
        self.shown, self.place, self.status = b"", 0, None
        gate, go = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.read(gate, 1)
            os.execvp(command[0], command)
        self.resize(size)
        os.write(go, b"x")

    def resize(self, size):
        columns, rows = map(int, size.split("x"))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        if select.select([self.fd], [], [], 0.02)[0]:
            try:
                self.shown += os.read(self.fd, 65536)
            except OSError:
                time.sleep(0.02)

    def see(self, text):
        end = time.monotonic() + LIMIT
        while (found := self.shown.find(text.encode(), self.place)) < 0:
            if time.monotonic() > end:
                sys.exit(f"waited in vain for {text!r}; shown is {self.shown[self.place:]!r}")
            self.read()
        self.place = found + len(text.encode())

    def end(self):
        end = time.monotonic() + LIMIT
        while self.status is None:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                sys.exit(f"it does not end; shown is {self.shown!r}")
        for _ in range(3):
            self.read()


def main():
    dashes = sys.argv.index("--")
    terminal = Terminal(sys.argv[1], sys.argv[dashes + 1 :])
    for step in sys.argv[2:dashes]:
        verb, _, text = step.partition(" ")
        if verb == "see":
            terminal.see(text.encode().decode("unicode_escape"))
        elif verb == "type":
            os.write(terminal.fd, text.encode().decode("unicode_escape").encode())
        elif verb == "do":
            subprocess.run(["sh", "-c", text], check=True)
        elif verb == "size":
            terminal.resize(text)
    terminal.end()
    print(repr(terminal.shown.decode(errors="replace")))
    print(terminal.status)


main()
