#!/usr/bin/env bash
# Real PostgreSQL and Redis for the gallery, from Debian's packages: on loopback, on
# free ports, in a temporary folder, without privileges.
#
#   eval "$(examples/gallery/services.sh start)"    sets DATABASE_URL and REDIS_URL
#   examples/gallery/services.sh stop               ends both and removes the folder
set -euo pipefail

# Says where the folder is; there is one pair of servers for a checkout.
pointer=$(cd "$(dirname "$0")/../.." && pwd)/target/gallery-services

fail() { echo "services.sh: $*" >&2; exit 1; }

# PostgreSQL refuses to run as root: then both run as nobody.
as_user() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
    else
        "$@"
    fi
}

free_port() {
    local port
    while port=$((20000 + RANDOM % 30000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# Until a command succeeds, 20 seconds at most.
wait_for() {
    for _ in $(seq 200); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    return 1
}

start() {
    [ ! -e "$pointer" ] || fail "already started; first run: $0 stop"
    local programs folder secret port
    programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
    if ! [ -x "$programs/initdb" ] || ! command -v redis-server >/dev/null; then
        fail "install them first: apt-get install --no-install-recommends postgresql redis-server"
    fi
    folder=$(mktemp -d "${TMPDIR:-/tmp}/gallery-services.XXXXXX")
    mkdir -p "$(dirname "$pointer")"
    echo "$folder" >"$pointer"
    # Whatever fails below leaves nothing behind.
    trap 'stop' ERR
    secret=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
    echo "$secret" >"$folder/secret"
    [ "$(id -u)" != 0 ] || chown -R nobody:nogroup "$folder"
    cd "$folder"

    port=$(free_port)
    as_user "$programs/initdb" --pgdata="$folder/postgres" --username=gallery --encoding=UTF8 \
        --locale=C --auth=password --pwfile="$folder/secret" --no-sync >"$folder/initdb.log"
    as_user "$programs/pg_ctl" start --silent --wait --pgdata="$folder/postgres" \
        --log="$folder/postgres.log" \
        --options="-h 127.0.0.1 -p $port -k $folder -c fsync=off -c max_connections=50"
    wait_for "$programs/pg_isready" -q -h 127.0.0.1 -p "$port" || fail "PostgreSQL does not answer"
    echo "export DATABASE_URL=postgres://gallery:$secret@127.0.0.1:$port/postgres"

    port=$(free_port)
    as_user redis-server --bind 127.0.0.1 --port "$port" --requirepass "$secret" --save '' \
        --dir "$folder" --daemonize yes --pidfile "$folder/redis.pid" \
        --logfile "$folder/redis.log" >/dev/null
    wait_for env REDISCLI_AUTH="$secret" redis-cli -h 127.0.0.1 -p "$port" ping ||
        fail "Redis does not answer"
    echo "export REDIS_URL=redis://:$secret@127.0.0.1:$port/"
}

stop() {
    trap - ERR
    [ -e "$pointer" ] || return 0
    local folder pid
    folder=$(cat "$pointer")
    # The first line of each file is the server's process; SIGINT ends PostgreSQL at once,
    # whoever is connected.
    for file in "$folder/postgres/postmaster.pid" "$folder/redis.pid"; do
        [ -e "$file" ] || continue
        pid=$(head -1 "$file")
        kill -INT "$pid" 2>/dev/null || true
        wait_for gone "$pid" || kill -KILL "$pid"
    done
    rm -rf "$folder" "$pointer"
}

gone() { ! kill -0 "$1" 2>/dev/null; }

case ${1:-} in
    start) start ;;
    stop) stop ;;
    *) fail "usage: $0 start|stop" ;;
esac
