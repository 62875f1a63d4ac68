#!/bin/sh
# A service that runs on one of many hosts at a time, with a lease on the Redis primary that Sentinels name.
#
# The same line on every host, in a unit of its service manager or by hand:
#
#   standby-sentinel.sh billing /opt/billing/serve
#
# and one file, of the service's user and with mode 0600, that names the Sentinels, what they call the primary,
# and the password of the Redis servers:
#
#   /etc/leasectl/store:   redis-sentinel://leasectl:PASSWORD@s1.example,s2.example,s3.example/main/0?replicas=1
#
# redis.acl beside this file has the rights that the user needs on every Redis server. Where the Sentinels want
# a password too, add &sentinel-password=TEXT.
#
# replicas=1   A grant counts when a replica has it, so that a fail-over rarely forgets it. After one that did,
#              the service is stopped at its next renewal, and the token tells which of two is the later.
# --restart    The other hosts wait. Who loses the lease stops the service and waits again.
# --ttl        How long the others wait when the active host dies. Longer than a fail-over takes: the service
#              goes on over one, and is stopped when the new primary does not come in time.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: standby-sentinel.sh LEASE COMMAND [ARG]..." >&2
    exit 2
fi
lease=$1
shift

exec "${LEASECTL:-leasectl}" run --store-file "${STORE_FILE:-/etc/leasectl/store}" \
    --lease "$lease" --restart on-lost --ttl 30s -- "$@"
