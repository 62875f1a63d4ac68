"""Scripts and loops around leasectl: what the keys do to them."""

import os
from shutil import which

from session import CTRL_C, CTRL_Z, Shell, as_without, contents, going, gone, group, number, parent
from session import run, script, stopped

# Reads its own end from a pipe: it forks nothing that Ctrl-Z could stop half-born.
WAITING = "sh -c 'echo $$ >command; read line <end; echo $line >ended'"


def start(kind, way, shell):
    os.mkfifo("end")
    script("job", f"{way} {WAITING}\necho $? >after", which(kind))
    shell.enter("./job")
    command = number("command")
    front = way.front(command)
    return command, front, parent(front)


@as_without
def ctrl_c_of_a_script(kind, way):
    shell = Shell(kind)
    command, front, outer = start(kind, way, shell)
    shell.wait_until("in the foreground", lambda: shell.foreground() == group(outer))
    shell.type(CTRL_C)
    shell.prompt()
    code = shell.code()
    shell.wait_until("all are gone", lambda: all(map(gone, (command, front, outer))))
    shell.leave()
    return code, os.path.exists("after")


@as_without
def ctrl_z_of_a_script_and_fg(kind, way):
    shell = Shell(kind)
    command, front, outer = start(kind, way, shell)
    for _ in range(10):
        shell.type(CTRL_Z)
        shell.prompt()
        # The shell sees its script stop, and does not wait for what is below it: nor does this.
        shell.enter("fg")
        shell.wait_until("all go on", lambda: going(command, front, outer))
        shell.wait_until("in the foreground", lambda: shell.foreground() == group(outer))
    shell.type(CTRL_Z)
    shell.prompt()
    shell.wait_until("all are stopped", lambda: stopped(command, front, outer))
    shell.enter("fg")
    shell.wait_until("all go on", lambda: going(command, front, outer))
    with open("end", "w") as end:
        end.write("well\n")
    shell.prompt()
    code = shell.code()
    shell.leave()
    return code, contents("ended"), contents("after")


def loop(shell, way):
    """A loop of three sleepers, each under a lease of its own: the first."""
    shell.enter(
        f"for i in 1 2 3; do {str(way).replace('nightly', 'night.$i')} "
        "sh -c 'echo $$ >command.'$i'; exec sleep 1000'; echo co''de $?; done; echo en''ded"
    )
    return number("command.1")


@as_without
def ctrl_c_of_a_loop(kind, way):
    shell = Shell(kind)
    command = loop(shell, way)
    shell.wait_until("in the foreground", lambda: shell.foreground() == group(command))
    before = len(shell.text)
    shell.type(CTRL_C)
    shell.prompt()
    assert gone(command)
    seen = [word in shell.text[before:] for word in ("code", "ended")]
    code = shell.code()
    seen += [os.path.exists(f"command.{i}") for i in (2, 3)]
    shell.leave()
    return seen, code


@as_without
def ctrl_z_of_a_loop(kind, way):
    """What follows differs between shells, and not with leasectl: bash ends the loop, dash goes on with
    the next round, zsh ends it without a word."""
    shell = Shell(kind)
    command = loop(shell, way)
    front = way.front(command)
    shell.wait_until("in the foreground", lambda: shell.foreground() == group(command))
    before = len(shell.text)
    shell.type(CTRL_Z)
    if kind == "dash":
        shell.expect("code 148")
        second = number("command.2")
        shell.wait_until("in the foreground", lambda: shell.foreground() == group(second))
        shell.type(CTRL_C)
    shell.prompt()
    assert stopped(command, front)
    seen = [word in shell.text[before:] for word in ("code", "ended")]
    code = shell.code()
    shell.enter("fg")
    shell.wait_until("it goes on", lambda: going(command, front))
    shell.wait_until("in the foreground", lambda: shell.foreground() == group(command))
    shell.type(CTRL_C)
    shell.prompt()
    seen += [os.path.exists(f"command.{i}") for i in (2, 3)]
    shell.leave()
    return seen, code


if __name__ == "__main__":
    run(globals())
