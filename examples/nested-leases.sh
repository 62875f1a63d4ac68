#!/bin/sh
# Holds two leases at once: both machines' parts of a move, both accounts of a transfer.
#
#   nested-leases.sh ONE OTHER COMMAND [ARG]...
#
# Always taken in the same order, whichever way round they are given. In different orders two scripts
# can each hold what the other waits for, and no tool can help them.
#
# The command finds the token of the second lease in LEASECTL_TOKEN and that of the first in
# FIRST_TOKEN: each guards its own resource.
set -eu

leasectl=${LEASECTL:-leasectl}
first=$(printf '%s\n' "$1" "$2" | LC_ALL=C sort | head -n 1)
second=$(printf '%s\n' "$1" "$2" | LC_ALL=C sort | tail -n 1)
shift 2

# The inner leasectl is part of the outer one's tree: when the first lease is lost, the command under
# the second is stopped too. The same name twice is refused (exit code 125). A code of 120 may come
# from either of them.
# shellcheck disable=SC2016  # the inner shell is to expand these
exec "$leasectl" run --lease "$first" --wait 1m -- \
    sh -c 'leasectl=$1 second=$2; shift 2
           FIRST_TOKEN=$LEASECTL_TOKEN; export FIRST_TOKEN
           exec "$leasectl" run --lease "$second" --wait 1m -- "$@"' \
    sh "$leasectl" "$second" "$@"
