"""leasectl as the only program of a terminal: groups, keys, and a terminal that goes away."""

import os
import signal

from session import CTRL_C, GUARDED, Terminal, children, contents, gone, group, has_read_its_signals
from session import number, run, stat, wait_until

PUPPETS = [os.environ["PUPPET"], "--puppet", "log", "main", "child"]


def noted(what):
    """Which puppets noted that, in the order in which they did (support/puppet.rs)."""
    lines = [line.split() for line in contents("log").splitlines()]
    return [line[0] for line in lines if line[1] == what]


def start(command):
    return Terminal(str(GUARDED).split() + command)


def start_puppets():
    terminal = start(PUPPETS)
    terminal.wait_until("the puppets are ready", lambda: len(noted("ready")) == 2)
    return terminal


def the_command_is_in_leasectls_group(_way):
    terminal = start_puppets()
    front = terminal.pid
    [guardian] = children(front)
    [command] = children(guardian)
    assert group(command) == group(front) == stat(front)[5], "in the foreground, together"
    assert group(guardian) == guardian, "out of the reach of the job's signals"
    assert stat(guardian)[3] == stat(front)[3], "in the same session"
    os.kill(front, signal.SIGTERM)
    assert terminal.wait() == 0


def keys_and_size_reach_each_process_once(_way):
    terminal = start_puppets()
    for key, name in ((CTRL_C, "INT"), ("\x1c", "QUIT")):
        terminal.type(key)
        terminal.wait_until("both note it", lambda: len(noted(name)) == 2)
    terminal.resize(7, 70)
    terminal.wait_until("both note the size", lambda: len(noted("WINCH")) == 2)
    # What a process sends is passed on to the command, and comes after all that went before.
    terminal.wait_until("nothing is left", lambda: has_read_its_signals(terminal.pid))
    os.kill(terminal.pid, signal.SIGUSR1)
    terminal.wait_until("it is passed on", lambda: noted("USR1") == ["main"])
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.wait() == 0, "leasectl passes on how the command ended"
    for name in ("INT", "QUIT", "WINCH"):
        assert sorted(noted(name)) == ["child", "main"], (name, noted(name))


def a_terminal_that_goes_away_takes_the_command_along(_way):
    terminal = start(["sh", "-c", "echo $$ >command; exec sleep 1000"])
    command = number("command")
    terminal.hang_up()
    assert terminal.wait() == -signal.SIGHUP
    wait_until("the command is gone", lambda: gone(command))


if __name__ == "__main__":
    run(globals())
