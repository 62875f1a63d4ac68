"""The poller of scheduled events is stopped with Ctrl-Z: another process asks at once, and not only when it has
been silent for seconds."""

import http.server
import json
import os
import subprocess
import threading

from session import CTRL_C, CTRL_Z, Shell, contents, run, wait_until


class Service(http.server.BaseHTTPRequestHandler):
    """A metadata service that announces nothing."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        document = json.dumps({"DocumentIncarnation": 1, "Events": []})
        body = ("issue_0" if "/compute/name" in self.path else document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve():
    """Its endpoint. It ends with this process."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def another(name, words):
    """A leasectl that is no job of the shell; what it says is in a file of that name."""
    with open(name, "w") as file:
        streams = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
        return subprocess.Popen(["leasectl", *words], start_new_session=True, **streams)


def end(process):
    process.terminate()
    process.wait()


def ctrl_z_hands_the_seat_over(kind, words, option="--endpoint"):
    """The line is told whom to ask, and says in a file `said` that it is the poller."""
    endpoint, shared = serve(), os.path.abspath("notices")
    shell = Shell(kind)
    shell.enter(words.format(f"{option} {endpoint} --cache-dir {shared}"))
    shell.wait_until("it asks", lambda: contents("said").count("poller") == 1)
    words = ["scheduled-events", "watch", "--endpoint", endpoint, "--cache-dir", shared]
    reader = another("reader", words)
    shell.wait_until("another reads", lambda: "events: reader" in contents("reader"))
    for turn in (2, 3):
        shell.type(CTRL_Z)
        shell.prompt()
        shell.wait_until("another asks", lambda: "events: poller" in contents("reader"))
        # One that is silent is deposed: "the poller was silent".
        assert "promoted: the seat was free" in contents("reader"), contents("reader")
        shell.enter("fg")
        # It takes part again, as nobody else is there.
        end(reader)
        shell.wait_until("it asks again", lambda: contents("said").count("poller") == turn)
        reader = another("reader", words)
        shell.wait_until("another reads", lambda: "events: reader" in contents("reader"))
    end(reader)
    shell.type(CTRL_C)
    shell.prompt()
    shell.leave()


def ours(verb, command=""):
    """A line that holds, or waits for, the lease."""
    return f"leasectl {verb} --lease nightly --scheduled-events all {{}} --events said {command}"


def one_that_runs_a_command_gives_the_seat_back(kind, _way):
    words = ours("run", "-- sleep 1000")
    ctrl_z_hands_the_seat_over(kind, words, "--scheduled-events-endpoint")


def one_that_waits_gives_the_seat_back(kind, _way):
    holder = another("holder", ["run", "--lease", "nightly", "--", "sh", "-c", "echo >held; exec sleep 1000"])
    wait_until("it is held", lambda: contents("held"))
    words = ours("run", "--wait forever -- true")
    ctrl_z_hands_the_seat_over(kind, words, "--scheduled-events-endpoint")
    end(holder)


def one_that_holds_gives_the_seat_back(kind, _way):
    ctrl_z_hands_the_seat_over(kind, ours("hold"), "--scheduled-events-endpoint")


def one_that_watches_gives_the_seat_back(kind, _way):
    ctrl_z_hands_the_seat_over(kind, "leasectl scheduled-events watch {} 2>said")


if __name__ == "__main__":
    run(globals())
