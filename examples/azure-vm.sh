#!/bin/sh
# A job of many virtual machines of Azure that runs on one of them per round, signed in as the machine itself.
#
# The same line on every machine, in /etc/cron.d/report:
#
#   */15 * * * *  app  /usr/local/bin/azure-vm.sh report 12m /opt/report/run --fast
#
# Nothing secret is on the machine. It has a managed identity, and that has the role Storage Blob Data Contributor on
# the container; docs/azblob.md has the az commands. With an identity that a user assigned:
# auth=managed-identity:CLIENT-ID.
#
# -E 0         To be refused is what all machines but one expect: exit code 0 and no output, so that cron sends
#              no mail. The job's own exit code and output come through.
# --min-hold   Keeps the lease taken that long, counted from the start, even when the job is done in a second:
#              a machine whose clock is late does not run it again.
# --ttl        How long the others wait when this machine dies; 15s to 60s. 60s costs the fewest requests.
# -q           Errors only.
set -eu

if [ $# -lt 3 ]; then
    echo "usage: azure-vm.sh LEASE MIN-HOLD COMMAND [ARG]..." >&2
    exit 2
fi
lease=$1
min_hold=$2
shift 2

# exec: signals and the exit code are those of leasectl, without a shell in between.
exec "${LEASECTL:-leasectl}" run -q --store "${STORE:-azblob://opsleases/leases?auth=managed-identity}" \
    --lease "$lease" -E 0 --min-hold "$min_hold" --ttl 60s -- "$@"
