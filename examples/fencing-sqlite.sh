#!/bin/sh
# The fencing token guards a row: what a late writer sends is refused by the database itself.
#
#   fencing-sqlite.sh DATABASE VALUE
#
# No lease can stop a write that is already on its way (a paused virtual machine, a packet in a queue,
# a process that leasectl may not kill). But each holder's token is greater than all before it. Keep
# the greatest token beside the data, and refuse whoever comes with a smaller one.
#
# Exit code 3: refused, somebody newer has written.
set -eu

database=$1
value=$2
lease=example/mode

if [ "${LEASECTL_LEASE:-}" != "$lease" ]; then
    exec "${LEASECTL:-leasectl}" run --lease "$lease" --wait 30s -- "$0" "$@"
fi

quoted=$(printf %s "$value" | sed "s/'/''/g")

# The comparison and the write are one statement: there is no moment in between.
written=$(sqlite3 -batch -cmd '.timeout 5000' "$database" "
    CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT, token INTEGER NOT NULL);
    INSERT INTO settings VALUES ('mode', '$quoted', $LEASECTL_TOKEN)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value, token = excluded.token
        WHERE excluded.token >= settings.token;
    SELECT changes();
")
if [ "$written" != 1 ]; then
    echo "refused: token $LEASECTL_TOKEN is older than the row's" >&2
    exit 3
fi
echo "wrote $value with token $LEASECTL_TOKEN"
