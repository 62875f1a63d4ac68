"""The terminal's modes after a command that changed them: as before when it was killed, as it left them
when it ended by itself, and untouched where somebody else has the foreground.

The commands run in a script: an interactive shell has modes of its own, and would mend what we did not.
"""

import os
import signal
from shutil import which

from session import CTRL_Z, Shell, as_without, contents, gone, number, run, script

RAW = """import os, signal, sys, tty
tty.setraw(0)
open("raw", "w").close()
"""
KILLED = RAW + "os.kill(os.getpid(), int(sys.argv[1]))"
SLEEPS = RAW + "signal.pause()"
STUBBORN = RAW + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()"
# Ends by itself when it is told to, without a thought of the modes.
OBEDIENT = RAW + "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nsignal.pause()"


def command(text):
    """A command that makes the terminal raw, and then does this."""
    with open("command.py", "w") as file:
        file.write(text)
    return "python3 command.py"


def modes_around(kind, line):
    """The terminal's modes before and after the line in a script: the two and the line's code."""
    for name in ("before", "after", "code"):
        with open(name, "w"):
            pass
    script("around", f"stty -g >before\n{line}\necho $? >code\nstty -g >after", which(kind))
    shell = Shell(kind)
    shell.enter("./around")
    shell.wait_until("the script is done", lambda: contents("after").endswith("\n"))
    shell.prompt()
    shell.do("stty sane")
    shell.leave()
    assert os.path.exists("raw")
    return contents("before"), contents("after"), number("code")


def mended(kind, way, text, arguments=""):
    before, after, code = modes_around(kind, f"{way} {command(text)} {arguments}")
    assert before == after, (before, after)
    return code


def a_crash_in_raw_mode_leaves_a_sane_terminal(kind, way):
    for crash in (signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM):
        assert mended(kind, way, KILLED, int(crash)) == 128 + crash


def a_crash_in_raw_mode_is_mended_for_the_shell_itself(kind, way):
    shell = Shell(kind)
    shell.do(f"{way} {command(KILLED)} 9")
    # A line is edited by the terminal again, and shown, in dash, which sets no modes itself.
    assert shell.code() == 137
    shell.do("stty -a >after")
    assert {"icanon", "echo", "isig", "icrnl", "opost"} <= set(contents("after").split())
    shell.leave()


def a_command_that_ran_too_long_in_raw_mode_leaves_a_sane_terminal(kind, way):
    way = way.with_options("--run-timeout 2s --grace 100ms")
    # One is killed by the stop signal, one ignores it, and one ends by itself because of it.
    for text in (SLEEPS, STUBBORN, OBEDIENT):
        assert mended(kind, way, text) == 124


def a_lease_that_ends_over_raw_mode_leaves_a_sane_terminal(kind, way):
    # Long leases: on a machine that is busy with other tests, a short one is over (122) before the command is.
    for store, ttl, text in (("lost-after=0", "10s", SLEEPS), ("answers=1", "15s", OBEDIENT)):
        options = f"-q --events events --store 'memory:?{store}' --ttl {ttl}"
        code = mended(kind, way.with_options(options), text)
        assert code == 121, (code, contents("events"))


def a_guardian_that_dies_over_raw_mode_leaves_a_sane_terminal(kind, way):
    assert mended(kind, way, RAW + "os.kill(os.getppid(), 9); signal.pause()") == 121


@as_without
def what_a_command_that_ended_by_itself_changed_stays(kind, way):
    before, after, code = modes_around(kind, f": >raw; {way} sh -c 'stty -echo; exit 3'")
    assert before != after
    # Nor is it undone because something was left behind.
    leaves = "sh -c 'stty -echo; sleep 1000 & exit 3'"
    way = way.with_options("-q --leftovers-settle 1ms")
    if way.guarded:
        _, left, code = modes_around(kind, f"{way} {leaves}")
        assert before != left
    return code


def the_modes_of_another_foreground_job_are_left_alone(kind, way):
    shell = Shell(kind)
    shell.enter(f"{way} sh -c 'stty -echo; echo $$ >command; exec sleep 1000'")
    sleeper = number("command")
    front = way.front(sleeper)
    shell.type(CTRL_Z)
    shell.prompt()
    shell.do("bg")
    shell.enter(command(SLEEPS))
    shell.wait_until("it is raw", lambda: os.path.exists("raw"))
    raw, holder = shell.modes(), shell.foreground()
    os.kill(sleeper, signal.SIGKILL)
    shell.wait_until("leasectl ends", lambda: gone(front))
    assert shell.modes() == raw and shell.foreground() == holder
    os.kill(holder, signal.SIGKILL)
    shell.prompt()
    # Raw still, in dash: what ends a line is the newline itself.
    shell.type("stty sane\n")
    shell.prompt()
    shell.leave()


if __name__ == "__main__":
    run(globals())
