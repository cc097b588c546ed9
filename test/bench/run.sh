#!/usr/bin/env bash
# Measures bin/parley: make bench. Arguments go on to the program (-help lists
# them), e.g. test/bench/run.sh -only leads -profile /tmp/profiles
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -x bin/parley ] || make build
postgres=true
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null 2>&1 || {
  echo "bench: PostgreSQL is not installed, so its figures are left out" >&2
  postgres=false
}
go build -o bin/bench ./test/bench
exec ./bin/bench -bin bin/parley "-postgres=$postgres" "$@"
