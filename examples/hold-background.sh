#!/bin/sh
# A critical section inside a script that is not wrapped in leasectl.
#
# The eval ends the script with exit code 120 when another has the lease. When the lease cannot be kept,
# this shell gets TERM, and KILL before anybody else can have the lease. What it has started in the
# background it has to stop itself: that is what the trap is for.
set -eu

eval "$(leasectl hold --background --pid $$ --lease deploy)"
trap 'exit 143' TERM

echo "in the section, token $LEASECTL_TOKEN"
sleep 1

# Sooner than at the end of the script:
kill "$LEASECTL_HOLD_PID"
echo "after the section"
