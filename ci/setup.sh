#!/usr/bin/env bash
# Installs what the checks need beside the Rust toolchain, from Debian's packages:
#
# - curl, git, Python;
# - Prometheus with promtool, Alertmanager and jsonnet, for the dashboards;
# - compilers for C (a test's library) and C++ (the fuzzer), and tools of binutils, iproute2 and
#   util-linux, for tests;
# - valgrind, for the bench;
# - PostgreSQL, Redis, Chromium and its driver, for the gallery.
#
# Needs root only if one is missing.
set -euo pipefail

missing=()
for tool in curl:curl git:git promtool:prometheus prometheus:prometheus \
    prometheus-alertmanager:prometheus-alertmanager jsonnet:jsonnet python3:python3 cc:gcc \
    g++:g++ strip:binutils addr2line:binutils ip:iproute2 unshare:util-linux setpriv:util-linux prlimit:util-linux \
    valgrind:valgrind redis-server:redis-server chromium:chromium chromedriver:chromium-driver; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
if [ ${#missing[@]} -gt 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    # No server of the machine's own: the scripts start those that they need.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
promtool --version | head -1
