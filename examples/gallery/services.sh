#!/usr/bin/env bash
# Starts PostgreSQL and Redis for the gallery, from Debian's packages: on loopback, on free
# ports, in a temporary directory, without privileges.
#
#   eval "$(examples/gallery/services.sh start)"    sets DATABASE_URL and REDIS_URL
#   examples/gallery/services.sh stop               stops both and removes the directory
set -euo pipefail

# Contains the path of the directory. A checkout has at most one pair of servers.
pointer=$(cd "$(dirname "$0")/../.." && pwd)/target/gallery-services

fail() { echo "services.sh: $*" >&2; exit 1; }

# PostgreSQL refuses to run as root; root runs both servers as nobody.
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

# Waits until a command succeeds, for at most 20 seconds.
wait_for() {
    for _ in $(seq 200); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    return 1
}

start() {
    [ ! -e "$pointer" ] || fail "already started; run $0 stop first"
    local programs dir secret port
    programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
    if ! [ -x "$programs/initdb" ] || ! command -v redis-server >/dev/null; then
        fail "PostgreSQL or Redis is missing; run: apt-get install --no-install-recommends postgresql redis-server"
    fi
    dir=$(mktemp -d "${TMPDIR:-/tmp}/gallery-services.XXXXXX")
    mkdir -p "$(dirname "$pointer")"
    echo "$dir" >"$pointer"
    # If a command below fails, the servers are stopped and the directory is removed.
    trap 'stop' ERR
    secret=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
    echo "$secret" >"$dir/secret"
    [ "$(id -u)" != 0 ] || chown -R nobody:nogroup "$dir"
    cd "$dir"

    port=$(free_port)
    as_user "$programs/initdb" --pgdata="$dir/postgres" --username=gallery --encoding=UTF8 \
        --locale=C --auth=password --pwfile="$dir/secret" --no-sync >"$dir/initdb.log"
    as_user "$programs/pg_ctl" start --silent --wait --pgdata="$dir/postgres" \
        --log="$dir/postgres.log" \
        --options="-h 127.0.0.1 -p $port -k $dir -c fsync=off -c max_connections=50"
    wait_for "$programs/pg_isready" -q -h 127.0.0.1 -p "$port" || fail "PostgreSQL does not answer"
    echo "export DATABASE_URL=postgres://gallery:$secret@127.0.0.1:$port/postgres"

    port=$(free_port)
    as_user redis-server --bind 127.0.0.1 --port "$port" --requirepass "$secret" --save '' \
        --dir "$dir" --daemonize yes --pidfile "$dir/redis.pid" \
        --logfile "$dir/redis.log" >/dev/null
    wait_for env REDISCLI_AUTH="$secret" redis-cli -h 127.0.0.1 -p "$port" ping ||
        fail "Redis does not answer"
    echo "export REDIS_URL=redis://:$secret@127.0.0.1:$port/"
}

stop() {
    trap - ERR
    [ -e "$pointer" ] || return 0
    local dir pid
    dir=$(cat "$pointer")
    # The first line of each file is the server's process id. SIGINT makes PostgreSQL close
    # its connections and stop.
    for file in "$dir/postgres/postmaster.pid" "$dir/redis.pid"; do
        [ -e "$file" ] || continue
        pid=$(head -1 "$file")
        kill -INT "$pid" 2>/dev/null || true
        wait_for gone "$pid" || kill -KILL "$pid"
    done
    rm -rf "$dir" "$pointer"
}

gone() { ! kill -0 "$1" 2>/dev/null; }

case ${1:-} in
    start) start ;;
    stop) stop ;;
    *) fail "usage: $0 start|stop" ;;
esac
