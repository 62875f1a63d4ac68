"""A program on a terminal of its own, and what `/proc` says of the processes there.

Every scenario runs in a lab, as `python3 FILE SCENARIO [SHELL]`. One that is marked `as_without` is run
twice, with env(1) and with leasectl in front of the command, and must see the same both times.
"""

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

LIMIT = 60
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "set +o history"),
    "dash": (["dash", "-i"], ":"),
    # Told of jobs at once, it would print its prompt again in between.
    "zsh": (["zsh", "-f", "-i"], "unsetopt notify prompt_sp"),
}
CTRL_C, CTRL_Z = "\x03", "\x1a"


def wait_until(what, condition):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.002)


class Way:
    """What stands in front of the command: leasectl with options, or env(1)."""

    def __init__(self, guarded, options=""):
        self.guarded = guarded
        self.options = options

    def with_options(self, options):
        return Way(self.guarded, self.options + " " + options)

    def __str__(self):
        return f"leasectl run --lease nightly{self.options} --" if self.guarded else "env"

    def front(self, command):
        """The process that the shell knows."""
        return parent(parent(command)) if self.guarded else command


PLAIN, GUARDED = Way(False), Way(True)


class Terminal:
    """A session of its own on a terminal of its own, led by a program."""

    def __init__(self, words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # What a person's login has, whatever this was started from (`nohup`, the background of a script).
            for one in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(one, signal.SIG_DFL)
            # Wide enough that no line editor folds a line.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 400, 0, 0))
            os.execvp(words[0], words)
        self.text = ""
        self.seen = 0

    def look(self):
        while self.fd >= 0 and select.select([self.fd], [], [], 0)[0]:
            try:
                self.text += os.read(self.fd, 4096).decode(errors="replace")
            except OSError:
                return

    def wait_until(self, what, condition):
        """What the program prints is read meanwhile, or it would wait for that."""

        def looked():
            self.look()
            return condition()

        try:
            wait_until(what, looked)
        except AssertionError as error:
            raise AssertionError(f"{error}; the terminal shows {self.text!r}") from None

    def expect(self, pattern):
        """Waits for a text that comes after the last one that was waited for."""

        def found():
            self.match = re.search(pattern, self.text[self.seen :])
            return self.match

        self.wait_until(pattern, found)
        self.seen += self.match.end()
        return self.match

    def type(self, text):
        os.write(self.fd, text.encode())

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self):
        return termios.tcgetattr(self.fd)

    def is_sane(self):
        return self.modes()[3] & (termios.ICANON | termios.ECHO) == termios.ICANON | termios.ECHO

    def foreground(self):
        """The group that the keys go to."""
        return stat(self.pid)[5]

    def hang_up(self):
        os.close(self.fd)
        self.fd = -1

    def wait(self):
        """The exit code, or minus the signal."""

        def ended():
            pid, self.status = os.waitpid(self.pid, os.WNOHANG)
            return pid

        self.wait_until("the program on the terminal ends", ended)
        return os.waitstatus_to_exitcode(self.status)


class Shell(Terminal):
    """An interactive shell."""

    def __init__(self, kind):
        words, settings = SHELLS[kind]
        super().__init__(words)
        self.kind = kind
        self.do(f"{settings}; PS1='pro''mpt> '")

    def prompt(self):
        self.expect("prompt> ")

    def enter(self, line):
        self.type(line + "\r")

    def do(self, line):
        """Enters a line and waits for the next prompt."""
        self.enter(line)
        self.prompt()

    def code(self):
        """`$?`"""
        self.enter("echo co''de $?")
        code = int(self.expect(r"code (\d+)")[1])
        self.prompt()
        return code

    def has_the_terminal(self):
        return self.foreground() == group(self.pid)

    def leave(self):
        """The shell is well: it hears what is typed, and ends as it is told."""
        self.enter("exit 7")
        # One that has stopped jobs asks again.
        self.wait_until("it ends", lambda: gone(self.pid) or "stopped jobs" in self.text)
        if not gone(self.pid):
            self.enter("exit 7")
        assert self.wait() == 7, self.text


def stat(pid):
    """State, parent, group, session, terminal, foreground group."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(") ")[2].split()
    return [fields[0]] + [int(field) for field in fields[1:6]]


def state(pid):
    return stat(pid)[0]


def parent(pid):
    return stat(pid)[1]


def group(pid):
    return stat(pid)[2]


def named(session, name):
    """The process of that name in a session."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if contents(f"/proc/{pid}/comm") == name + "\n" and stat(pid)[3] == session:
                return int(pid)
        except (FileNotFoundError, ProcessLookupError):
            pass
    raise AssertionError(f"no {name}")


def gone(pid):
    """Zombies are gone."""
    try:
        return state(pid) == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def stopped(*pids):
    return all(state(pid) == "T" for pid in pids)


def going(*pids):
    return all(state(pid) in "SRD" for pid in pids)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def has_read_its_signals(pid):
    """Nothing is pending for the process: what was sent to it, it has taken."""
    with open(f"/proc/{pid}/status") as file:
        pending = re.findall(r"^(?:Sig|Shd)Pnd:\s*(\w+)$", file.read(), re.MULTILINE)
    return all(int(bits, 16) == 0 for bits in pending)


def hears_ctrl_z(front):
    """leasectl has noticed that it was continued. Up to then Ctrl-Z stops it as it stops anybody, without
    the line that says so."""
    with open(f"/proc/{front}/status") as file:
        blocked = int(re.search(r"^SigBlk:\s*(\w+)$", file.read(), re.MULTILINE)[1], 16)
    return blocked & 1 << (signal.SIGTSTP - 1)


def contents(name):
    try:
        with open(name) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def number(name):
    """The number in a file, once its line is whole."""
    wait_until(name, lambda: contents(name).endswith("\n"))
    return int(contents(name))


def script(name, text, interpreter="/bin/sh"):
    with open(name, "w") as file:
        file.write(f"#!{interpreter}\n{text}\n")
    os.chmod(name, 0o755)


def as_without(scenario):
    """Marks a scenario that must see the same with leasectl and without."""
    scenario.as_without = True
    return scenario


def run(scenarios):
    """Runs the scenario that the command line names."""
    scenario = scenarios[sys.argv[1]]
    arguments = sys.argv[2:]
    os.environ["TERM"] = "xterm"
    seen = []
    for way in (PLAIN, GUARDED):
        if way.guarded or hasattr(scenario, "as_without"):
            os.mkdir(f"guarded-{way.guarded}")
            os.chdir(f"guarded-{way.guarded}")
            print(f"{scenario.__name__}: {way}", file=sys.stderr)
            seen.append(scenario(*arguments, way))
            os.chdir("..")
    assert seen[0] == seen[-1], f"without and with leasectl: {seen}"
