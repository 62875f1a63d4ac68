"""An interactive shell as the command: it leads a group of its own and takes the terminal for it."""

import os
import signal
from shutil import which

from session import CTRL_C, CTRL_Z, Shell, as_without, going, gone, group, number, parent, run, script
from session import stopped

BASH = "bash --norc --noprofile -i"


def enter_bash(shell, way, line=None):
    """Starts it, and waits for its prompt: its number."""
    shell.enter(line or f"{way} {BASH}")
    shell.expect(r"bash-[\d.]+[#$] ")
    shell.enter("PS1='in''ner> '; echo $$ >inner")
    inner = number("inner")
    shell.expect("inner> ")
    assert shell.foreground() == group(inner) == inner
    return inner


@as_without
def bash_with_a_stopped_job_of_its_own(kind, way):
    shell = Shell(kind)
    inner = enter_bash(shell, way)
    shell.enter("sh -c 'echo $$ >job; exec sleep 1000'")
    job = number("job")
    shell.wait_until("in the foreground", lambda: shell.foreground() == group(job) != group(inner))
    shell.type(CTRL_Z)
    shell.expect("Stopped")
    shell.expect("inner> ")
    # The job of the inner shell is its own business.
    assert stopped(job) and going(inner, way.front(inner)) and shell.foreground() == inner
    shell.enter("fg")
    shell.wait_until("it goes on", lambda: going(job) and shell.foreground() == group(job))
    shell.type(CTRL_C)
    shell.expect("inner> ")
    assert gone(job)
    shell.enter("exit 9")
    shell.prompt()
    assert shell.has_the_terminal()
    code = shell.code()
    shell.leave()
    return code


@as_without
def bash_that_suspends_itself_has_the_terminal_again_at_fg(kind, way):
    shell = Shell(kind)
    inner = enter_bash(shell, way)
    for _ in range(3):
        shell.enter("suspend")
        shell.prompt()
        assert stopped(inner, way.front(inner)) and shell.has_the_terminal()
        shell.enter("fg")
        shell.wait_until("it has the terminal", lambda: shell.foreground() == inner)
        shell.enter("echo in $((40+2))")
        shell.expect(r"in 42\r?\n")
        shell.expect("inner> ")
    shell.enter("exit 9")
    shell.prompt()
    assert shell.has_the_terminal()
    code = shell.code()
    shell.leave()
    return code


# Leads a group of two, and has the terminal for it; stops them both, or ends, when it is told to. Unlike
# bash it never takes the terminal again.
LEADER = """import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.setpgid(0, 0)
os.tcsetpgrp(0, os.getpid())
signal.signal(signal.SIGTTOU, signal.SIG_DFL)
child = os.fork()
while not child:
    signal.pause()
print(os.getpid(), file=open("leader", "w"))
print(child, file=open("child", "w"))
for line in sys.stdin:
    if line == "stop\\n":
        os.killpg(0, signal.SIGSTOP)
    if line == "end\\n":
        os.kill(child, signal.SIGKILL)
        sys.exit(9)
    print("got", line, flush=True)"""


@as_without
def a_group_that_had_the_terminal_has_it_again_at_fg(kind, way):
    shell = Shell(kind)
    with open("leader.py", "w") as file:
        file.write(LEADER)
    shell.enter(f"{way} python3 leader.py")
    leader, child = number("leader"), number("child")
    front = way.front(leader)
    assert shell.foreground() == leader == group(child)
    for turn in range(3):
        shell.enter("stop")
        shell.prompt()
        assert shell.has_the_terminal()
        if turn == 2:
            # Continued in the background, its read stops it. The terminal is still owed to it.
            shell.enter("bg")
            shell.prompt()
        shell.wait_until("all are stopped", lambda: stopped(leader, child, front))
        shell.do(":")
        shell.enter("fg")
        shell.wait_until("all go on", lambda: going(leader, child, front))
        shell.wait_until("it has the terminal", lambda: shell.foreground() == leader)
        shell.enter(f"word{turn}")
        shell.expect(f"got word{turn}")
    shell.enter("end")
    shell.prompt()
    assert shell.has_the_terminal() and gone(child)
    code = shell.code()
    shell.leave()
    return code


@as_without
def bash_that_is_killed_leaves_the_terminal_to_the_shell(kind, way):
    shell = Shell(kind)
    inner = enter_bash(shell, way)
    os.kill(inner, signal.SIGKILL)
    shell.prompt()
    assert shell.has_the_terminal()
    # dash has left the modes as they were, and takes a newline for an end of line in any.
    shell.type("echo co''de $?; stty sane\n")
    code = int(shell.expect(r"code (\d+)")[1])
    shell.prompt()
    shell.enter("echo rea''dy; read line; echo got $line")
    shell.expect("ready")
    shell.enter("hello")
    shell.expect("got hello")
    shell.prompt()
    shell.leave()
    return code


def a_script_reads_on_after_its_bash_was_killed(kind, way):
    script("job", f"{way} {BASH}\necho code''d $?\nread line\necho got $line", which(kind))
    shell = Shell(kind)
    inner = enter_bash(shell, way, "./job")
    outer = parent(way.front(inner))
    os.kill(inner, signal.SIGKILL)
    shell.expect("coded 137")
    # Without leasectl the terminal is left to a group that is no more, and the read stops the script.
    assert shell.foreground() == group(outer)
    assert shell.is_sane()
    shell.enter("hello")
    shell.expect("got hello")
    shell.prompt()
    shell.leave()


def a_script_reads_on_after_its_bash_ran_too_long(kind, way):
    way = way.with_options("--run-timeout 3s --grace 100ms")
    script("job", f"{way} {BASH}\necho code''d $?\nread line\necho got $line", which(kind))
    shell = Shell(kind)
    enter_bash(shell, way, "./job")
    # Its own job has the terminal, and interactive shells ignore TERM.
    shell.enter("sh -c 'echo $$ >job.pid; exec sleep 1000'")
    job = number("job.pid")
    shell.expect("coded 124")
    assert gone(job) and shell.is_sane()
    shell.enter("hello")
    shell.expect("got hello")
    shell.prompt()
    shell.leave()


if __name__ == "__main__":
    run(globals())
