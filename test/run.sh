#!/usr/bin/env bash
# Runs the whole suite: make test, or make soak with PARLEY_SOAK=1.
# Installs PostgreSQL's binaries and Node.js through the system's package manager if missing.
set -euo pipefail
cd "$(dirname "$0")/.."

have_postgres() { ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null 2>&1; }

install() { # install PACKAGE...
  local sudo=""
  [ "$(id -u)" = 0 ] || sudo="sudo"
  if command -v apt-get >/dev/null 2>&1; then
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 && return
    $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y --no-install-recommends "$@"
  elif command -v dnf >/dev/null 2>&1; then
    $sudo dnf install -y "$@"
  elif command -v brew >/dev/null 2>&1; then
    brew install "$@"
  else
    echo "install $* by hand: no known package manager was found" >&2
    return 1
  fi
}

if ! have_postgres; then
  echo "installing PostgreSQL for the tests"
  # Only the binaries are wanted, not a cluster that runs by itself.
  if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
  fi
  if command -v apt-get >/dev/null 2>&1; then install postgresql; else install postgresql-server 2>/dev/null || install postgresql; fi
fi
command -v node >/dev/null 2>&1 || { echo "installing Node.js for the realtime tests"; install nodejs npm; }

timeout=25m
[ -z "${PARLEY_SOAK:-}" ] || timeout=6h

echo "== format"
unformatted=$(gofmt -l cmd internal sdk test)
[ -z "$unformatted" ] || { echo "not formatted; run make fmt:" >&2; echo "$unformatted" >&2; exit 1; }
all="./... parley/sdk/go/..." # the client is a module of its own
echo "== vet";         go vet $all
echo "== staticcheck"; go tool staticcheck $all
echo "== tests";       go test -timeout "$timeout" $all
if [ "$(go env CGO_ENABLED)" = 1 ] && command -v "$(go env CC)" >/dev/null 2>&1; then
  # The race detector is slow on the transpiled SQLite, so races are looked for
  # on the C one; a small test keeps the default driver under it too.
  echo "== races"; go test -race -tags mattn -short -timeout "$timeout" ./internal/... parley/sdk/go/...
  go test -race -run 'TestNeighboursSurviveEachOther|TestLocks' -short -timeout "$timeout" ./internal/store
else
  echo "== races: left out, there is no C compiler"
fi
