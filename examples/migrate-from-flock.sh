#!/bin/sh
# Runs a command under an old lock of flock(1) and under a lease, until the last script has moved.
#
#   migrate-from-flock.sh LOCKFILE LEASE COMMAND [ARG]...
#
# leasectl does not see flock(1), nor flock(1) leasectl. While some scripts still say
# `flock -n /tmp/report.lock ./report`, those that have moved take both: first the old lock, as always,
# then the lease. When nothing uses the lock file any more, take the first line of the last command away.
#
# The table from old options and exit codes to new ones: migrate-from-flock.md
set -eu

lockfile=$1
lease=$2
shift 2

# -F: flock becomes leasectl instead of waiting for it, so that a signal reaches leasectl. The lock is
# then held by leasectl and by every process of the command.
# -E 120: busy is the same code, whichever of the two is taken.
exec flock -n -F -E 120 "$lockfile" \
    "${LEASECTL:-leasectl}" run --lease "$lease" -- "$@"
