#!/bin/sh
# A command under a lease in Azurite, the emulator of Azure Storage, on this machine:
#
#   npm install -g azurite
#   azurite-blob --inMemoryPersistence &
#   azurite.sh nightly ./job.sh
#
# Account and key are the emulator's own, which everybody knows. plain http is taken because nothing leaves the machine.
#
# restart-guard=off  A new container is kept back for one ttl, because a lost one may have been under a holder. On a
#                    laptop nobody holds what was lost.
# poll=1s            Look for a lease that came free each second: requests to an emulator cost nothing.
# --ttl 15s          Azure's shortest.
#
# An Azurite that is restarted from its files ends every lease, as the real service does not: a command that runs then
# is stopped within one renewal.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: azurite.sh LEASE COMMAND [ARG]..." >&2
    exit 2
fi
lease=$1
shift

at=127.0.0.1:${AZURITE_PORT:-10000}
exec "${LEASECTL:-leasectl}" run --lease "$lease" --wait forever --ttl 15s \
    --store "azblob+http://$at/devstoreaccount1/leases?restart-guard=off&poll=1s" -- "$@"
