#!/usr/bin/env bash
# The same as a coprocess of bash: it holds as long as its input is open, and that is closed by the end of
# this script, however it ends.
set -eu

coproc HOLD { leasectl hold --lease deploy --pid $$ --until-eof; }
hold=$HOLD_PID
# No line, no lease: it has said why, and its exit code is ours.
read -r line <&"${HOLD[0]}" || { wait "$hold"; exit 120; }

echo "in the section: $line"
sleep 1

exec {HOLD[1]}>&-
wait "$hold"
echo "after the section"
