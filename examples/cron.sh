#!/bin/sh
# A cron job that runs once per round, however many start it and however they overlap.
#
# Without this wrapper, as a line of /etc/cron.d/report:
#
#   */15 * * * *  app  leasectl run -q --lease report -E 0 --min-hold 12m -- /opt/report/run
#
# With it, so that all jobs are started alike:
#
#   */15 * * * *  app  /usr/local/bin/cron.sh report 12m /opt/report/run --fast
#
# -E 0         To be refused is what all but one of the starters expect: exit code 0 and no output,
#              so that cron sends no mail. The job's own exit code and output come through.
# --min-hold   Keeps the lease taken that long, counted from the start, even when the job is done in a
#              second: a starter whose clock is late does not run it again. Well below the interval, so
#              that the next round finds the lease free.
# -q           Errors only.
#
# The file store is of one machine: it keeps rounds from overlapping, and cron and people apart.
set -eu

if [ $# -lt 3 ]; then
    echo "usage: cron.sh LEASE MIN-HOLD COMMAND [ARG]..." >&2
    exit 2
fi
lease=$1
min_hold=$2
shift 2

# exec: signals and the exit code are those of leasectl, without a shell in between.
exec "${LEASECTL:-leasectl}" run -q --lease "$lease" -E 0 --min-hold "$min_hold" -- "$@"
