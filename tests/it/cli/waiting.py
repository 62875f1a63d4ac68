"""Waiting at a terminal: `python3 -c THIS SCENARIO` in a lab. Each program has a terminal of its own,
and a screen shows what a person would see of it."""

import fcntl
import os
import pty
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
import time

LIMIT = 50
WAIT = ["leasectl", "run", "--lease", "nightly", "--wait", "5m"]
SHOWN = r"nightly held by web3 since [-0-9: ]+Z .*; waiting (\d+)s of 5m"


def wait_until(what, condition, more=lambda: ""):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what} {more()}"
        time.sleep(0.005)


class Screen:
    """As much of a terminal as leasectl and bash make use of. A narrow window breaks no old lines."""

    def __init__(self, columns):
        self.columns = columns
        self.rows = [[]]
        self.row = self.column = 0

    def show(self, text):
        pattern = r"\x1b\[[?0-9;]*[A-Za-z]|\x1b\][^\x07]*\x07|."
        for part in re.findall(pattern, text, re.S):
            self.obey(part)

    def obey(self, part):
        if part == "\r":
            self.column = 0
        elif part == "\n":
            self.row += 1
        elif part == "\b":
            self.column = max(0, self.column - 1)
        elif part in ("\x1b[K", "\x1b[J"):
            del self.cells()[self.column :]
            if part == "\x1b[J":
                del self.rows[self.row + 1 :]
        elif re.match(r"\x1b\[\?\d+[hl]", part):
            pass
        elif part >= " " and part != "\x7f":
            if self.column == self.columns:
                self.row, self.column = self.row + 1, 0
            cells = self.cells()
            cells += " " * (self.column + 1 - len(cells))
            cells[self.column] = part
            self.column += 1
        elif part != "\x07":
            raise AssertionError(f"{part!r} was sent to the terminal")

    def cells(self):
        while len(self.rows) <= self.row:
            self.rows.append([])
        return self.rows[self.row]

    def lines(self):
        """What is to be seen, without the empty lines at its end."""
        lines = ["".join(row).rstrip() for row in self.rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines


class Terminal:
    """A session of its own on a terminal of its own, led by a program."""

    def __init__(self, words, columns=80, env=None):
        self.screen = Screen(columns)
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            resize(0, columns)
            # Whoever started us in the background had us ignore these.
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(words[0], words, {**os.environ, "TERM": "xterm", **(env or {})})

    def look(self):
        while select.select([self.fd], [], [], 0)[0]:
            try:
                text = os.read(self.fd, 4096).decode()
            except OSError:
                return
            self.text += text
            self.screen.show(text)

    def until(self, what, condition):
        """Waits until the screen shows it."""
        found = []

        def comes():
            self.look()
            found[:] = [condition(self.screen)]
            return found[0]

        wait_until(what, comes, lambda: f"; the terminal shows {self.screen.lines()} {self.text!r}")
        return found[0]

    def until_last(self, pattern):
        """Waits until the last line is this."""

        def is_last(screen):
            return screen.lines() and re.fullmatch(pattern, screen.lines()[-1])

        return self.until(pattern, is_last)

    def resize(self, columns):
        self.screen.columns = columns
        resize(self.fd, columns)

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self):
        """The exit code, or minus the signal."""

        def ended():
            self.look()
            pid, self.status = os.waitpid(self.pid, os.WNOHANG)
            return pid

        wait_until("the program on the terminal ends", ended, lambda: repr(self.text))
        return os.waitstatus_to_exitcode(self.status)


def resize(fd, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


class Holder:
    """Somebody who has the lease, once it is there to be had, until it is told to end."""

    def __init__(self, name="web3", options=(), command=("sh",)):
        run = ["leasectl", "run", "-q", "--lease", "nightly", "--holder", name, "--wait", "forever"]
        script = f"echo in >{name}; exec sleep 1000"
        self.name = name
        self.process = subprocess.Popen([*run, *options, "--", *command, "-c", script])

    def has_it(self):
        wait_until(f"{self.name} has the lease", lambda: os.path.exists(self.name))
        return self

    def end(self):
        self.process.terminate()
        assert self.process.wait(LIMIT) == -signal.SIGTERM


def state(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(") ")[2][0]


def is_stopped(pid):
    """All of it: a thread that is still in the queue could get the lock on its way out."""
    threads = os.listdir(f"/proc/{pid}/task")
    return all(state(f"{pid}/task/{thread}") == "T" for thread in threads)


def is_queueing(pid):
    """Whether the thread that waits for the lock does so."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat") as file:
            if "(lease-wait) S" in file.read():
                return True
    return False


def hand_over(waiter, holder, following):
    """From one holder to the next, past a waiter: who is stopped is in no queue."""
    os.kill(waiter, signal.SIGSTOP)
    wait_until("the waiter is stopped", lambda: is_stopped(waiter))
    holder.end()
    following.has_it()
    os.kill(waiter, signal.SIGCONT)


def shell():
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], 100)
    terminal.type("PS1='pro''mpt> '; set +o history; bind 'set enable-bracketed-paste off'\r")
    terminal.until_last("prompt>")
    return terminal


def assert_nothing_is_shown(terminal):
    assert terminal.screen.lines() == [], terminal.screen.lines()
    assert terminal.screen.column == 0


def it_is_drawn_in_place_and_time_goes_on():
    holder = Holder().has_it()
    terminal = Terminal([*WAIT, "--", "true"])
    first = int(terminal.until_last(SHOWN)[1])
    for later in (1, 2):
        terminal.until("time goes on", lambda screen: shown(screen) >= first + later)
        assert len(terminal.screen.lines()) == 1, terminal.screen.lines()
        assert (terminal.screen.row, terminal.screen.column) == (0, 0)
    assert "(" in terminal.screen.lines()[0], "how long ago"
    holder.end()
    assert terminal.wait() == 0
    assert_nothing_is_shown(terminal)
    assert "\n" not in terminal.text, terminal.text


def shown(screen):
    return int(re.fullmatch(SHOWN, screen.lines()[-1])[1])


def it_is_as_wide_as_the_window():
    Holder().has_it()
    terminal = Terminal([*WAIT, "--", "true"], 40)
    terminal.until_last(r"nightly held by web3; waiting \d+s of 5m")
    seen = len(terminal.text)
    terminal.resize(120)
    match = terminal.until_last(
        r"leasectl: nightly held by web3.*, pid \d+ of .+ since .* until it ends; waiting \d+s of 5m"
        r"|nightly held by web3.*, pid \d+ of .* since .*; waiting \d+s of 5m"
    )
    assert 60 < len(match[0]) < 120, match
    assert "\r\x1b[J" in terminal.text[seen:], "a window that changed is drawn afresh"
    for columns in (30, 12, 2, 1, 120):
        terminal.resize(columns)
        terminal.screen.columns = 1000
        os.kill(terminal.pid, signal.SIGWINCH)
        fits = lambda screen: len("".join(screen.lines())) in range(max(columns - 30, 0), columns)
        terminal.until(f"it fits {columns} columns", fits)
    assert len(terminal.screen.lines()) == 1 and "\n" not in terminal.text
    terminal.type("\x03")
    assert terminal.wait() == -signal.SIGINT


def another_holder_is_shown_in_its_place():
    holder = Holder().has_it()
    terminal = Terminal([*WAIT, "--", "true"])
    terminal.until_last(SHOWN)
    # A shorter line leaves nothing of a longer one.
    for name in ("web4-x", "web5"):
        following = Holder(name)
        hand_over(terminal.pid, holder, following)
        whole = lambda screen: name in screen.lines()[-1] and terminal.text.endswith("\r")
        terminal.until(f"{name} is shown", whole)
        [line] = terminal.screen.lines()
        assert re.fullmatch(SHOWN.replace("web3", name), line), line
        holder = following
    holder.end()
    assert terminal.wait() == 0
    assert_nothing_is_shown(terminal)
    assert "\n" not in terminal.text, terminal.text


def it_makes_room_for_the_command():
    holder = Holder().has_it()
    terminal = Terminal([*WAIT, "-v", "--", "sh", "-c", "echo out; exit 3"])
    terminal.until_last(SHOWN)
    holder.end()
    assert terminal.wait() == 3
    first, *others = terminal.screen.lines()
    assert re.fullmatch(r"leasectl: acquired nightly on .*", first), terminal.screen.lines()
    assert "out" in others and "held by" not in " ".join(others), others
    os.unlink("web3")
    holder = Holder().has_it()
    terminal = Terminal([*WAIT, "--", "printf", "no newline"])
    terminal.until_last(SHOWN)
    holder.end()
    assert terminal.wait() == 0
    assert terminal.screen.lines() == ["no newline"], terminal.screen.lines()


def it_makes_room_for_the_last_word():
    Holder().has_it()
    terminal = Terminal(["leasectl", "run", "--lease", "nightly", "--wait", "2s", "--", "true"], 400)
    terminal.until_last(r".* held by web3.*; waiting \d+s of 2s")
    assert terminal.wait() == 120
    [line] = terminal.screen.lines()
    assert line.startswith("leasectl: nightly is held: by web3"), line
    assert line.endswith("; nothing was run, although --wait was 2s"), line


def other_lines_have_lines_of_their_own():
    # A shorter line leaves nothing of what was drawn.
    holder = Holder(options=["--note", "n" * 180]).has_it()
    terminal = Terminal([*WAIT, "--", "true"], 400)
    terminal.until_last(r".*" + SHOWN.replace(" since", ".* since"))
    limits = resource.prlimit(terminal.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(terminal.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    holder.end()

    def two(screen):
        lines = screen.lines()
        return len(lines) == 2 and "held by web3" in lines[1] and lines

    first, _ = terminal.until("the line is drawn again below", two)
    assert first.startswith("leasectl: file:") and first.endswith("; trying again"), first
    resource.prlimit(terminal.pid, resource.RLIMIT_NOFILE, limits)
    assert terminal.wait() == 0
    assert terminal.screen.lines() == [first], terminal.screen.lines()


def ctrl_c_leaves_an_empty_line():
    Holder().has_it()
    terminal = Terminal([*WAIT, "--", "true"])
    terminal.until_last(SHOWN)
    terminal.type("\x03")
    assert terminal.wait() == -signal.SIGINT
    assert "^C" in terminal.text
    assert_nothing_is_shown(terminal)
    terminal = shell()
    terminal.type(" ".join(WAIT) + " -- true\r")
    terminal.until_last(r".*" + SHOWN.replace(" since", ".* since"))
    terminal.type("\x03")
    terminal.until_last("prompt>")
    assert not any("held by" in line for line in terminal.screen.lines()), terminal.screen.lines()
    terminal.type("exit 7\r")
    assert terminal.wait() == 7


def ctrl_z_leaves_an_empty_line_and_fg_draws_again():
    holder = Holder().has_it()
    terminal = shell()
    terminal.type(" ".join(WAIT) + " -- true\r")
    line = r".*" + SHOWN.replace(" since", ".* since")
    for _ in range(3):
        terminal.until_last(line)
        terminal.type("\x1a")
        terminal.until_last("prompt>")
        lines = terminal.screen.lines()
        assert any(re.match(r"\[1\]\+ +Stopped", line) for line in lines), lines
        assert not any("held by" in line for line in lines), lines
        terminal.type("fg\r")
    terminal.until_last(line)
    holder.end()
    terminal.until_last("prompt>")
    terminal.type("echo code $?\r")
    terminal.until("exit code 0", lambda screen: "code 0" in screen.lines())
    terminal.type("exit 7\r")
    assert terminal.wait() == 7


def in_the_background_it_is_said_once_and_nothing_is_drawn():
    holder = Holder().has_it()
    terminal = shell()
    terminal.type(" ".join(WAIT) + " -- true & read line; echo got $line\r")
    terminal.until("it is said", lambda screen: "; waiting" in "".join(screen.lines()))
    before = terminal.screen.lines()
    # In a second it would have been drawn, had it been going to.
    time.sleep(1.5)
    terminal.look()
    assert terminal.screen.lines() == before, (before, terminal.screen.lines())
    terminal.type("some words\r")
    terminal.until("they were read", lambda screen: "got some words" in screen.lines())
    terminal.type("fg\r")
    terminal.until_last(r".*" + SHOWN.replace(" since", ".* since"))
    assert sum("; waiting" in line for line in terminal.screen.lines()) <= 2
    holder.end()
    terminal.until_last("prompt>")
    terminal.type("exit 7\r")
    assert terminal.wait() == 7


def foreign_text_has_no_power():
    program = "./x\x1b[2J\x1b]0;y\x07\r"
    os.symlink("/bin/sh", program)
    Holder(options=["--note", "a\u202eb\u200bc"], command=[program]).has_it()
    terminal = Terminal([*WAIT, "--", "true"], 400)
    match = terminal.until_last(r"leasectl: nightly held by web3.*; waiting \d+s of 5m")
    assert r", running ./x\u{1b}[2J\u{1b}]0;y\u{7}\u{d} since" in match[0], match[0]
    assert r'note "a\u{202e}b\u{200b}c"' in match[0], match[0]
    terminal.type("\x03")
    assert terminal.wait() == -signal.SIGINT
    assert set(re.findall("\x1b[^K]*K?", terminal.text)) == {"\x1b[K"}, terminal.text


def a_terminal_that_cannot_gets_lines():
    for term in ("dumb", ""):
        holder = Holder().has_it()
        terminal = Terminal([*WAIT, "--", "true"], 400, {"TERM": term})
        terminal.until_last(r"leasectl: nightly is held: by web3.*; waiting")
        holder.end()
        os.unlink("web3")
        assert terminal.wait() == 0
        assert len(terminal.screen.lines()) == 1, terminal.text
        assert "\x1b" not in terminal.text, terminal.text


def events_on_the_terminal_are_no_drawings():
    Holder().has_it()
    terminal = Terminal([*WAIT, "--log-format", "json", "--", "true"], 2000)
    terminal.until_last(r'\{.*"message":"nightly is held: by web3.*; waiting"\}')
    terminal.type("\x03")
    assert terminal.wait() == -signal.SIGINT
    assert "\x1b" not in terminal.text, terminal.text


def who_wants_silence_sees_nothing():
    for option in (["-q"], ["-E", "0"]):
        holder = Holder().has_it()
        terminal = Terminal([*WAIT, *option, "--", "true"])
        wait_until("it waits", lambda: is_queueing(terminal.pid))
        holder.end()
        os.unlink("web3")
        assert terminal.wait() == 0
        assert terminal.text == "", terminal.text
    Holder().has_it()
    terminal = Terminal([*WAIT, "-E", "0", "-v", "--", "true"])
    terminal.until_last(SHOWN)


def a_stopped_terminal_holds_nothing_up():
    holder = Holder().has_it()
    terminal = Terminal([*WAIT, "--", "touch", "ran"])
    terminal.until_last(SHOWN)
    terminal.type("\x13")
    # It is stopped as soon as two ticks have left no trace.
    seen = [0, 0.0]

    def is_still(_):
        if len(terminal.text) != seen[0]:
            seen[:] = [len(terminal.text), time.monotonic()]
        return time.monotonic() - seen[1] > 2.5

    terminal.until("nothing is drawn any more", is_still)
    holder.end()
    wait_until("the command has run", lambda: os.path.exists("ran"))
    assert terminal.wait() == 0


def without_a_terminal_there_is_one_line_for_each_holder():
    holder = Holder("h0").has_it()
    with open("said", "w") as said:
        waiter = subprocess.Popen([*WAIT, "--", "true"], stderr=said)
    lines = lambda: open("said").read().splitlines()
    wait_until("the first is named", lambda: len(lines()) == 1)
    for turn in (1, 2, 3):
        following = Holder(f"h{turn}")
        hand_over(waiter.pid, holder, following)
        wait_until("the next is named", lambda: len(lines()) > turn)
        holder = following
    holder.end()
    assert waiter.wait(LIMIT) == 0
    for turn, line in enumerate(lines()):
        assert re.fullmatch(f"leasectl: nightly is held: by h{turn} .*; waiting", line), lines()
    assert len(lines()) == 4, lines()


globals()[sys.argv[1]]()
