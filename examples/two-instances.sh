#!/bin/sh
# Two instances of a service, of which one works at a time. A demonstration for any store, on one machine:
#
#   LEASECTL_STORE=redis://leasectl:PASSWORD@redis.example:6379/0 two-instances.sh
#   LEASECTL_STORE=file:///run/leasectl two-instances.sh
#
# What is to be seen:
#
# 1. The first instance gets the lease and works. The second waits for it.
# 2. The first ends. The second works at once, with a greater fencing token.
# 3. The second is killed with SIGKILL while it works. Its work is ended by its guardian, and the first, which was
#    started again and waits, follows: at once on the file store, after one --ttl where a server has to notice.
#
# Each work takes a lock of its own beside the lease (flock), so that two at once would not go unnoticed.
set -eu

lease=${LEASE:-two-instances}
seconds=${SECONDS_OF_WORK:-2}

# What the service does. The lock ends with the process, whatever ends that.
if [ "${1-}" = work ]; then
    exec 9>"$3/lock"
    flock -n 9 || { echo "$2 works beside another: this must never be" | tee -a "$3/log"; exit 1; }
    echo "$2 works, with token $LEASECTL_TOKEN" | tee -a "$3/log"
    sleep "$seconds"
    echo "$2 has done its work" | tee -a "$3/log"
    exit 0
fi

directory=$(mktemp -d)
first='' second='' third=''
tidy() {
    for instance in $first $second $third; do
        kill "$instance" 2>/dev/null || true
    done
    wait
    rm -rf "$directory"
}
trap tidy EXIT
trap 'exit 1' HUP INT TERM
: >"$directory/log"

# -q: errors only. The instance itself is in the background, and its number in $!.
start() {
    "${LEASECTL:-leasectl}" run -q --lease "$lease" --ttl 4s --wait 1m -- \
        sh "$0" work "$1" "$directory" &
}

# Waits until so many have begun to work.
until_works() {
    tries=600
    while [ "$(grep -c ' works' "$directory/log")" -lt "$1" ]; do
        tries=$((tries - 1))
        if [ "$tries" = 0 ]; then
            echo "nobody got the lease for a minute" >&2
            exit 1
        fi
        sleep 0.1
    done
}

start one
first=$!
until_works 1
start two
second=$!
echo "two is started, and waits"
wait "$first"
until_works 2

start "one again"
third=$!
echo "two is killed"
kill -KILL "$second"
wait "$second" 2>/dev/null || true
second=''
until_works 3
wait "$third"
third=''

tokens=$(sed -n 's/.* with token //p' "$directory/log")
if grep -q beside "$directory/log" || [ "$tokens" != "$(printf '%s\n' "$tokens" | sort -n -u)" ]; then
    echo "that was wrong: see above" >&2
    exit 1
fi
echo "one after another, with tokens that rise"
