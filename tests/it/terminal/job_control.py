"""Keys, jobs and the window: what every command meets on a terminal."""

import os
import signal
import time

from session import CTRL_C, CTRL_Z, GUARDED, Shell, as_without, contents, going, gone, group
from session import has_read_its_signals, hears_ctrl_z, number, run, stat, stopped, wait_until

SLEEPER = "sh -c 'echo $$ >command; exec sleep 1000'"
# A command that notes its signals in `log` and writes the time into `log.main` (support/puppet.rs), and
# ends with TERM. No loop of a shell: dash forks with vfork(2), and a child that Ctrl-Z stops before it has
# executed leaves its parent waiting for it, which then cannot be stopped.
PUPPET = f"sh -c 'echo $$ >command; exec {os.environ['PUPPET']} --puppet log main:beat'"


def noted(what):
    """How often the puppet noted that."""
    return sum(line.split()[1] == what for line in contents("log").splitlines())


def start(shell, way, command=SLEEPER):
    """Runs it in the foreground: the command, and the process that the shell knows."""
    shell.enter(f"{way} {command}")
    pid = number("command")
    front = way.front(pid)
    shell.wait_until("in the foreground", lambda: shell.foreground() == group(front))
    if command is PUPPET:
        shell.wait_until("it is ready", lambda: noted("ready") == 1)
    return pid, front


@as_without
def ctrl_c_ends_the_command_and_leasectl(kind, way):
    shell = Shell(kind)
    command, front = start(shell, way)
    shell.type(CTRL_C)
    shell.prompt()
    assert gone(command) and gone(front)
    code = shell.code()
    shell.leave()
    return code


@as_without
def ctrl_z_stops_both_and_fg_continues(kind, way):
    shell = Shell(kind)
    command, front = start(shell, way.with_options("-v"), PUPPET)
    if way.guarded:
        # Until leasectl has heard that the command runs, it stops without a word.
        shell.expect("started process")
    codes = []
    for _ in range(5):
        shell.type(CTRL_Z)
        if way.guarded:
            shell.expect("leasectl: stopped; the lease stays held meanwhile")
        # What the shell calls it tells by which signal leasectl was stopped.
        shell.expect("(Stopped|suspended) [^(]")
        shell.prompt()
        assert stopped(command, front), (stat(command), stat(front))
        codes.append(shell.code())
        beats = contents("log.main")
        shell.enter("fg")
        shell.wait_until("both go on", lambda: going(command, front))
        shell.wait_until("it listens", lambda: not way.guarded or hears_ctrl_z(front))
        shell.wait_until("it works", lambda: contents("log.main") != beats)
        assert shell.foreground() == group(command)
    os.kill(command, signal.SIGTERM)
    shell.prompt()
    codes.append(shell.code())
    shell.leave()
    return codes


@as_without
def bg_continues_in_the_background_and_fg_brings_it_back(kind, way):
    shell = Shell(kind)
    command, front = start(shell, way, PUPPET)
    shell.type(CTRL_Z)
    shell.prompt()
    beats = contents("log.main")
    shell.do("bg")
    shell.wait_until("it works", lambda: contents("log.main") != beats)
    assert going(command, front) and shell.has_the_terminal()
    shell.enter("fg")
    shell.wait_until("in the foreground", lambda: shell.foreground() == group(command))
    os.kill(command, signal.SIGTERM)
    shell.prompt()
    code = shell.code()
    assert gone(command) and gone(front)
    shell.leave()
    return code


@as_without
def a_background_job_that_reads_is_stopped_and_fg_lets_it_read(kind, way):
    shell = Shell(kind)
    shell.do(f"{way} sh -c 'echo $$ >command; read line; echo \"$line\" >got' &")
    command = number("command")
    front = way.front(command)
    shell.wait_until("the read stops both", lambda: stopped(command, front))
    shell.do(":")
    shell.do("jobs")
    shell.enter("fg")
    shell.wait_until("in the foreground", lambda: shell.foreground() == group(command))
    shell.enter("for the command")
    shell.prompt()
    code = shell.code()
    shell.leave()
    return code, contents("got")


@as_without
def a_background_job_that_writes_is_stopped_where_the_terminal_says_so(kind, way):
    shell = Shell(kind)
    shell.do("stty tostop")
    shell.do(f"{way} sh -c 'echo $$ >command; echo writ''ten; echo >ended' &")
    command = number("command")
    front = way.front(command)
    shell.wait_until("the write stops both", lambda: stopped(command, front))
    assert not os.path.exists("ended")
    shell.do(":")
    shell.enter("fg")
    shell.expect("written")
    shell.prompt()
    code = shell.code()
    shell.leave()
    return code, os.path.exists("ended")


@as_without
def a_new_size_and_a_continuation_reach_the_command_once(kind, way):
    shell = Shell(kind)
    command, front = start(shell, way, PUPPET)
    shell.resize(30, 300)
    shell.wait_until("it is told", lambda: noted("WINCH") > 0)
    for turn in (1, 2, 3):
        shell.type(CTRL_Z)
        shell.prompt()
        shell.enter("fg")
        shell.wait_until("it is told", lambda: noted("CONT") >= turn)
        # What is passed on comes after all that leasectl has heard before.
        shell.wait_until("nothing is left", lambda: has_read_its_signals(front))
        os.kill(front, signal.SIGUSR1)
        shell.wait_until("it is passed on", lambda: noted("USR1") == turn)
    seen = [noted(name) for name in ("WINCH", "CONT", "TSTP")]
    os.kill(command, signal.SIGTERM)
    shell.prompt()
    size = os.get_terminal_size(shell.fd)
    code = shell.code()
    shell.leave()
    return seen, tuple(size), code


@as_without
def a_job_continued_by_a_process_goes_on_as_a_whole(kind, way):
    shell = Shell(kind)
    command, front = start(shell, way, PUPPET)
    shell.type(CTRL_Z)
    shell.prompt()
    for stop in 5 * [signal.SIGTSTP, signal.SIGSTOP]:
        shell.wait_until("both are stopped", lambda: stopped(command, front))
        os.kill(command, signal.SIGCONT)
        # Without leasectl nothing would be renewed.
        shell.wait_until("both go on", lambda: going(command, front))
        os.kill(command, stop)
    shell.wait_until("both are stopped", lambda: stopped(command, front))
    shell.do(":")
    shell.enter("fg")
    shell.wait_until("both go on", lambda: going(command, front))
    os.kill(command, signal.SIGTERM)
    shell.prompt()
    code = shell.code()
    shell.leave()
    return code


@as_without
def a_stopped_command_that_is_killed_ends_the_job(kind, way):
    shell = Shell(kind)
    command, front = start(shell, way)
    shell.type(CTRL_Z)
    shell.prompt()
    os.kill(command, signal.SIGKILL)
    shell.wait_until("the job is over", lambda: gone(front))
    shell.do(":")
    shell.do("fg 2>fg.said")
    code = shell.code()
    # The lease is free at once, and not when somebody thinks of the job.
    shell.do(f"{way} touch next")
    assert os.path.exists("next")
    shell.leave()
    return code > 0


def the_lease_ends(kind, command):
    """The job is stopped until its lease has ended: what `fg` says then."""
    shell = Shell(kind)
    way = GUARDED.with_options("--store memory: --ttl 2s -v")
    command, front = start(shell, way, command)
    shell.expect("started process")
    guardian = stat(command)[1]
    shell.type(CTRL_Z)
    shell.expect(r"stopped; the lease ends in [\w ]+ and the command will be killed then")
    shell.prompt()
    paused = time.clock_gettime(time.CLOCK_BOOTTIME)
    # The guardian reaps it: its number is gone. How soon is measured in tests/it/guard.
    shell.wait_until("it is killed", lambda: not os.path.exists(f"/proc/{command}"))
    assert stopped(front) and os.path.exists(f"/proc/{guardian}")
    assert shell.has_the_terminal()
    # Called back long after the end, leasectl hears of all at once: that it is late, and what was done.
    over = paused + 2.5
    shell.wait_until("it is over", lambda: time.clock_gettime(time.CLOCK_BOOTTIME) > over)
    before = len(shell.text)
    shell.enter("fg")
    shell.expect(r"nightly ran out while leasectl was stopped \(Ctrl-Z\)")
    shell.prompt()
    assert shell.code() == 121
    said = [line for line in shell.text[before:].splitlines() if "leasectl: " in line]
    assert len([line for line in said if "ran out" in line or "sending TERM" in line]) == 1, said
    shell.leave()


def a_lease_that_ends_while_stopped_kills_and_fg_says_why(kind, _way):
    the_lease_ends(kind, SLEEPER)


def a_lease_that_ends_while_stopped_is_told_at_fg_also_if_the_command_tidied_up(kind, _way):
    the_lease_ends(kind, PUPPET)


@as_without
def nohup_outlives_the_terminal(kind, way):
    shell = Shell(kind)
    # It does not handle HUP.
    beating = "echo $$ >command; while ! [ -e go ]; do echo >>beats; sleep 0.01; done; echo >ended"
    shell.do(f"nohup {way} sh -c '{beating}' >said 2>&1 </dev/null &")
    command = number("command")
    shell.wait_until("it works", lambda: contents("beats"))
    front = way.front(command)
    shell.hang_up()
    shell.wait()
    beats = contents("beats")
    wait_until("it goes on without a terminal", lambda: len(contents("beats")) > len(beats) + 2)
    open("go", "w").close()
    wait_until("it comes to its end", lambda: gone(command) and gone(front))
    return contents("ended")


if __name__ == "__main__":
    run(globals())
