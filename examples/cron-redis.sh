#!/bin/sh
# A cron job of many hosts that runs on one of them per round, whichever comes first.
#
# The same line on every host, in /etc/cron.d/report:
#
#   */15 * * * *  app  /usr/local/bin/cron-redis.sh report 12m /opt/report/run --fast
#
# and one file, of the user `app` and with mode 0600, that names the Redis server and the password:
#
#   /etc/leasectl/store:   redis://leasectl:PASSWORD@redis.example:6379/0
#
# redis.acl beside this file has the rights that the user needs.
#
# -E 0         To be refused is what all hosts but one expect: exit code 0 and no output, so that cron sends
#              no mail. The job's own exit code and output come through.
# --min-hold   Keeps the lease taken that long, counted from the start, even when the job is done in a second:
#              a host whose clock is late does not run it again. More than the clocks of the hosts differ,
#              and well below the interval, so that the next round finds the lease free.
# --ttl        How long the others wait when this host dies. When this host loses the server, the job is
#              stopped before that time is over.
# -q           Errors only.
#
# In the first round after a restart of the server all hosts wait for one ttl, and then one of them runs the job.
set -eu

if [ $# -lt 3 ]; then
    echo "usage: cron-redis.sh LEASE MIN-HOLD COMMAND [ARG]..." >&2
    exit 2
fi
lease=$1
min_hold=$2
shift 2

# exec: signals and the exit code are those of leasectl, without a shell in between.
exec "${LEASECTL:-leasectl}" run -q --store-file "${STORE_FILE:-/etc/leasectl/store}" \
    --lease "$lease" -E 0 --min-hold "$min_hold" --ttl 30s -- "$@"
