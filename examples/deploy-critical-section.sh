#!/bin/sh
# Two deployments of one service never interleave; a second one waits for the first.
#
#   deploy-critical-section.sh ROOT RELEASE
#
# What may happen at the same time stands before the lease, what may not stands after it. The script
# starts itself again under the lease, so that all of the critical part is guarded: when the lease is
# lost, every process of it is stopped.
set -eu

root=$1
release=$2
lease="deploy$root"

if [ "${LEASECTL_LEASE:-}" != "$lease" ]; then
    # Not guarded: prepare a directory of our own.
    mkdir -p "$root/releases/$release"
    echo "$release" >"$root/releases/$release/VERSION"

    # --wait          10 minutes in the queue, then exit code 120 and nothing was changed.
    # --run-timeout   A deployment that hangs does not block the others for ever (exit code 124).
    # --note          Tells the one who is refused what is going on.
    exec "${LEASECTL:-leasectl}" run --lease "$lease" --wait 10m --run-timeout 30m \
        --note "deploying $release" -- "$0" "$@"
fi

# Guarded from here to the end.
echo "begin $release" >>"$root/history"
previous=$(readlink "$root/current" || echo none)

# One rename: whenever this is killed, `current` is the old release or the new one, and complete.
ln -s "releases/$release" "$root/current.$release"
mv -fT "$root/current.$release" "$root/current"

echo "end $release, after $previous, token $LEASECTL_TOKEN" >>"$root/history"
