#!/bin/sh
# The entry point of a container whose command runs only while the container holds a lease.
#
#   COPY leasectl container-entrypoint.sh /usr/local/bin/
#   ENTRYPOINT ["/usr/local/bin/container-entrypoint.sh"]
#   CMD ["/opt/app/serve"]
#
#   docker run --read-only --user 4711 -e LEASE=app -v /srv/leases:/leases IMAGE
#   docker stop --time 30 CONTAINER
#
# In an image without a shell the same is
#
#   ENTRYPOINT ["/usr/local/bin/leasectl", "run", "--lease", "app", "--wait", "forever", "--"]
#
# leasectl is PID 1 then, and needs no tini or --init: it reaps what nobody else does, passes signals on,
# and exits with the command's code, or with 128+n when signal n killed the command.
#
# --read-only  Nothing is written but the volume.
# --user       Needs no entry in /etc/passwd and no home. The volume's directory has to belong to that
#              user (or to root) and nobody else may write it: install -d -m 700 -o 4711 /srv/leases
# --time       What the command takes to end after TERM, and 11s more for what it leaves behind
#              (--leftovers-settle and --grace). After that the container is killed as a whole.
#
# Containers of one machine that share the volume keep each other out: the lock is the kernel's own. For a
# store in the image instead of the volume each container would be alone, so there is no default here.
#
# Is this container the one that runs it? A probe for readiness; 0, 1, or 123 when it cannot be told:
#
#   docker exec CONTAINER leasectl status "$LEASE" --check --here --store file:///leases
set -eu

if [ $# -eq 0 ] || [ -z "${LEASE:-}" ]; then
    echo "usage: LEASE=NAME container-entrypoint.sh COMMAND [ARG]..." >&2
    exit 125
fi
LEASECTL_STORE=${LEASECTL_STORE:-file:///leases}
export LEASECTL_STORE

# exec: leasectl has to be PID 1, or a shell would get the signals and keep them.
exec "${LEASECTL:-leasectl}" run --lease "$LEASE" --wait "${WAIT:-forever}" -- "$@"
