"""Programs that people use: an editor, a pager, a question for a password, and pipelines of them."""

import os

from session import CTRL_C, CTRL_Z, Shell, as_without, contents, hears_ctrl_z, named, run, state

RESTORED = r"\x1b\[\?1049l"


def lines(name):
    with open(name, "w") as file:
        file.writelines(f"line {number}\n" for number in range(1, 501))


def suspend(shell, way):
    """Ctrl-Z, and a terminal that works outside."""
    front = shell.foreground()
    shell.wait_until("leasectl listens", lambda: not way.guarded or hears_ctrl_z(front))
    shell.type(CTRL_Z)
    if way.guarded:
        shell.expect("leasectl: stopped; ")
    shell.prompt()
    shell.do("stty -a >outside")
    assert " icanon" in contents("outside") and " echo " in contents("outside")


def await_keys(shell):
    """Waits until less sleeps: a stop that reaches it just before it reads, it acts on at the next key."""
    shell.wait_until("less waits for a key", lambda: state(named(shell.pid, "less")) == "S")


@as_without
def vim_with_ctrl_z_inside_writes_its_file(kind, way):
    shell = Shell(kind)
    with open("file", "w") as file:
        file.write("first\n")
    shell.enter(f"{way} vim -u NONE -i NONE file")
    shell.expect("first")
    shell.type("osecond\x1b:w\r")
    shell.wait_until("it is written", lambda: contents("file") == "first\nsecond\n")
    for word in ("third", "fourth"):
        suspend(shell, way)
        shell.enter("fg")
        # It shows its screen again.
        shell.expect("second")
        shell.type(f"Go{word}\x1b:w\r")
        shell.wait_until("it is written", lambda: contents("file").endswith(word + "\n"))
    shell.type(":wq\r")
    shell.expect(RESTORED)
    shell.prompt()
    code = shell.code()
    shell.leave()
    return code, contents("file")


@as_without
def less_pages_is_suspended_and_restores_the_screen(kind, way):
    shell = Shell(kind)
    lines("file")
    shell.enter(f"{way} less file")
    shell.expect(r"line 3\b")
    shell.type("G")
    shell.expect(r"line 500\b")
    await_keys(shell)
    suspend(shell, way)
    shell.enter("fg")
    shell.expect(r"line 500\b")
    shell.type("g")
    shell.expect(r"line 1\b")
    shell.type("q")
    shell.expect(RESTORED)
    shell.prompt()
    code = shell.code()
    shell.leave()
    return code


@as_without
def leasectl_before_less(kind, way):
    shell = Shell(kind)
    lines("file")
    shell.enter(f"{way} cat file | less")
    shell.expect(r"line 3\b")
    shell.type("G")
    shell.expect(r"line 500\b")
    await_keys(shell)
    shell.type(CTRL_Z)
    shell.prompt()
    shell.enter("fg")
    shell.expect(r"line 500\b")
    shell.type("q")
    shell.prompt()
    code = shell.code()
    shell.leave()
    return code


@as_without
def less_that_is_left_early_ends_leasectl_before_it(kind, way):
    shell = Shell(kind)
    endless = "sh -c 'while echo line; do :; done'"
    shell.enter(f"{way} {endless} | less")
    shell.expect("line\r?\nline")
    shell.type("q")
    shell.prompt()
    code = shell.code()
    shell.leave()
    return code


@as_without
def leasectl_after_cat_runs_less(kind, way):
    shell = Shell(kind)
    lines("file")
    shell.enter(f"cat file | {way} less")
    shell.expect(r"line 3\b")
    # Its input is the pipe: the keys come from the terminal itself.
    shell.type("G")
    shell.expect(r"line 500\b")
    shell.type("q")
    shell.expect(RESTORED)
    shell.prompt()
    code = shell.code()
    shell.leave()
    return code


ASK = """import getpass
answer = getpass.getpass("What is the pass" + "word? ")
open("got", "w").write(answer)"""


@as_without
def a_password_is_asked_for_on_the_terminal_and_not_shown(kind, way):
    shell = Shell(kind)
    with open("ask.py", "w") as file:
        file.write(ASK)
    # Neither input nor output is the terminal: the question goes to /dev/tty.
    shell.enter(f"{way} python3 ask.py </dev/null >out 2>&1")
    shell.expect(r"password\? ")
    shell.wait_until("nothing is shown", lambda: not shell.is_sane())
    shell.enter("se" + "cret")
    shell.prompt()
    code = shell.code()
    shell.do("stty -a >after")
    assert " echo " in contents("after") and "secret" not in shell.text
    # Given up on, it says so by how it ends.
    shell.enter(f"{way} python3 ask.py </dev/null >out 2>&1")
    shell.expect(r"password\? ")
    shell.type(CTRL_C)
    shell.prompt()
    codes = code, shell.code()
    shell.leave()
    return codes, contents("got")


@as_without
def pipelines_and_input_work(kind, way):
    shell = Shell(kind)
    shell.enter(f"{way} sh -c 'echo on''e; echo two' | cat; echo do''ne")
    for text in ("one", "two", "done"):
        shell.expect(text)
    shell.prompt()
    shell.enter(f"echo in''put | {way} cat")
    shell.expect("input")
    shell.prompt()
    shell.enter(f"{way} sh -c 'echo rea''dy; read line; echo got $line; exit 5'")
    shell.expect("ready")
    shell.enter("hello")
    shell.expect("got hello")
    shell.prompt()
    code = shell.code()
    shell.leave()
    return code


@as_without
def script_records_it_on_a_terminal_of_its_own(kind, way):
    shell = Shell(kind)
    shell.enter(f"script -qec \"{way} sh -c 'tty >inner; echo rea\\\"\\\"dy; read line; "
                "echo got \\$line; exit 5'\" /dev/null")
    shell.expect("ready")
    shell.enter("hello")
    shell.expect("got hello")
    shell.prompt()
    code = shell.code()
    assert contents("inner").startswith("/dev/pts/")
    # Ctrl-C is a key of the inner terminal.
    shell.enter(f"script -qec \"{way} sh -c 'echo rea\\\"\\\"dy; exec sleep 1000'\" /dev/null")
    shell.expect("ready")
    shell.type(CTRL_C)
    shell.prompt()
    codes = code, shell.code()
    shell.leave()
    return codes


if __name__ == "__main__":
    os.environ["LESS"] = ""
    run(globals())
