"""leasectl on a terminal: `python3 -c THIS SCENARIO WORD...` in a lab, with a puppet's words."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT = 20
RUN = ["leasectl", "run", "--lease", "nightly"]


def wait_until(what, condition):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.002)


class Terminal:
    """A session of its own on a terminal of its own, led by a program."""

    def __init__(self, words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(words[0], words)
        self.text = ""
        self.seen = 0

    def look(self):
        while self.fd >= 0 and select.select([self.fd], [], [], 0)[0]:
            try:
                self.text += os.read(self.fd, 4096).decode(errors="replace")
            except OSError:
                return

    def expect(self, pattern):
        """Waits for a text that comes after the last one that was waited for."""

        def found():
            self.look()
            self.match = re.search(pattern, self.text[self.seen :])
            return self.match

        try:
            wait_until(pattern, found)
        except AssertionError as error:
            raise AssertionError(f"{error}; the terminal shows {self.text!r}") from None
        self.seen += self.match.end()
        return self.match

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self):
        """The exit code, or minus the signal."""

        def ended():
            self.look()
            pid, self.status = os.waitpid(self.pid, os.WNOHANG)
            return pid

        wait_until("the program on the terminal ends", ended)
        return os.waitstatus_to_exitcode(self.status)


def stat(pid):
    """State, parent, group, session, terminal, foreground group."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(") ")[2].split()
    return [fields[0]] + [int(field) for field in fields[1:6]]


def state(pid):
    return stat(pid)[0]


def group(pid):
    return stat(pid)[2]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def noted(what):
    """Which puppets noted that, in the order in which they did."""
    try:
        with open("log") as file:
            lines = [line.split() for line in file]
    except FileNotFoundError:
        return []
    return [line[0] for line in lines if line[1] == what]


def shell():
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"])
    terminal.type("PS1='pro''mpt> '; set +o history\r")
    terminal.expect("prompt> ")
    return terminal


def number(name):
    wait_until(name, lambda: os.path.exists(name) and open(name).read().endswith("\n"))
    return int(open(name).read())


def the_command_is_in_leasectls_group(puppet):
    terminal = Terminal(RUN + ["--"] + puppet)
    wait_until("the puppets are ready", lambda: len(noted("ready")) == 2)
    front = terminal.pid
    [guardian] = children(front)
    [command] = children(guardian)
    assert group(command) == group(front) == stat(front)[5], "in the foreground, together"
    assert group(guardian) == guardian, "out of the reach of the job's signals"
    assert stat(guardian)[3] == stat(front)[3], "in the same session"
    os.kill(front, signal.SIGTERM)
    assert terminal.wait() == 0


def ctrl_c_reaches_the_command_once(puppet):
    terminal = Terminal(RUN + ["--"] + puppet)
    wait_until("the puppets are ready", lambda: len(noted("ready")) == 2)
    for key, name in (("\x03", "INT"), ("\x1c", "QUIT")):
        terminal.type(key)
        wait_until("both note it", lambda: len(noted(name)) == 2)
    fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 7, 70, 0, 0))
    wait_until("both note the size", lambda: len(noted("WINCH")) == 2)
    # What a process sends is passed on to the command, and comes after all that went before.
    os.kill(terminal.pid, signal.SIGUSR1)
    wait_until("it is passed on", lambda: noted("USR1") == ["main"])
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.wait() == 0, "leasectl passes on how the command ended"
    for name in ("INT", "QUIT", "WINCH"):
        assert sorted(noted(name)) == ["child", "main"], (name, noted(name))


def ctrl_c_ends_leasectl_with_the_command(_puppet):
    terminal = shell()
    terminal.type(" ".join(RUN) + " -- sh -c 'echo $$ >command; exec sleep 1000'\r")
    number("command")
    terminal.type("\x03")
    terminal.expect("prompt> ")
    terminal.type("echo code $?\r")
    terminal.expect(r"code 130\b")
    terminal.expect("prompt> ")
    # A loop ends with it too, because the shell sees what leasectl died of.
    os.unlink("command")
    terminal.type("while :; do " + " ".join(RUN))
    terminal.type(" -- sh -c 'echo $$ >command; exec sleep 1000'; done; echo en''ded\r")
    number("command")
    terminal.type("\x03")
    terminal.expect("prompt> ")
    terminal.type("exit 7\r")
    assert terminal.wait() == 7


def ctrl_z_stops_both_and_fg_continues(puppet):
    terminal = shell()
    terminal.type(" ".join(RUN + ["-v", "--"] + puppet) + "\r")
    terminal.expect("started process")
    wait_until("the puppets are ready", lambda: len(noted("ready")) == 2)
    with open("log") as file:
        command = next(int(line.split()[2]) for line in file if line.startswith("main ready"))
    guardian = stat(command)[1]
    front = stat(guardian)[1]
    for turn in range(1, 6):
        terminal.type("\x1a")
        terminal.expect("stopped; the lease stays held meanwhile")
        terminal.expect("Stopped")
        terminal.expect("prompt> ")
        assert state(command) == "T" and state(front) == "T", (state(command), state(front))
        assert state(guardian) in "SR", state(guardian)
        terminal.type("fg\r")
        wait_until("both go on", lambda: "T" not in state(command) + state(front))
        wait_until("in the foreground", lambda: stat(command)[5] == group(command))
        # leasectl has the guardian continue a command that the shell did not: it has done so when a
        # signal of a higher number has come through.
        os.kill(front, signal.SIGWINCH)
        wait_until("signals are passed on", lambda: noted("WINCH") == ["main"] * turn)
    os.kill(front, signal.SIGTERM)
    terminal.expect("prompt> ")
    terminal.type("echo code $?\r")
    terminal.expect(r"code 0\b")
    terminal.expect("prompt> ")
    terminal.type("exit 0\r")
    assert terminal.wait() == 0


def a_stopped_command_is_killed_at_the_deadline(_puppet):
    terminal = shell()
    run = " ".join(RUN) + " --store memory: --ttl 2s -v"
    terminal.type(run + " -- sh -c 'echo $$ >command; exec sleep 1000'\r")
    command = number("command")
    # Until leasectl has heard that the command runs, it stops without a word.
    terminal.expect("started process")
    guardian = stat(command)[1]
    terminal.type("\x1a")
    terminal.expect("the command will be killed then")
    terminal.expect("prompt> ")
    stopped = time.clock_gettime(time.CLOCK_BOOTTIME)
    # The guardian reaps it: its number is gone.
    wait_until("it is killed", lambda: not os.path.exists(f"/proc/{command}"))
    took = time.clock_gettime(time.CLOCK_BOOTTIME) - stopped
    assert took < 1.8, took
    assert os.path.exists(f"/proc/{guardian}")
    terminal.type("fg\r")
    terminal.expect("ran out while leasectl was stopped")
    terminal.expect("prompt> ")
    terminal.type("echo code $?\r")
    terminal.expect(r"code 121\b")
    terminal.expect("prompt> ")
    terminal.type("exit 0\r")
    assert terminal.wait() == 0


def pipelines_and_input_work(_puppet):
    terminal = shell()
    run = " ".join(RUN)
    terminal.type(run + " -- sh -c 'echo on''e; echo two' | cat; echo do''ne\r")
    for text in ("one", "two", "done", "prompt> "):
        terminal.expect(text)
    terminal.type("echo in''put | " + run + " -- cat\r")
    for text in ("input", "prompt> "):
        terminal.expect(text)
    terminal.type(run + " -- sh -c 'echo rea''dy; read line; echo got $line; exit 5'\r")
    terminal.expect("ready")
    terminal.type("hello\r")
    terminal.expect("got hello")
    terminal.expect("prompt> ")
    terminal.type("echo code $?\r")
    terminal.expect(r"code 5\b")
    terminal.expect("prompt> ")
    terminal.type("exit 3\r")
    assert terminal.wait() == 3


def a_terminal_that_goes_away_takes_the_command_along(_puppet):
    terminal = Terminal(RUN + ["--", "sh", "-c", "echo $$ >command; exec sleep 1000"])
    command = number("command")
    os.close(terminal.fd)
    terminal.fd = -1
    assert terminal.wait() == -signal.SIGHUP
    assert not os.path.exists(f"/proc/{command}")


globals()[sys.argv[1]](sys.argv[2:])
