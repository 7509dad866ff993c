# A shop for a script: an assembler and workers on free ports, with a store in a temporary folder. Sourced by
# scripts/run and scripts/measure, from the repository's root. Whatever ends the script, no process stays behind.
# Runs the release build; TRAY_BIN names another folder of executables.

bin=${TRAY_BIN:-.build/release}
folder=$(mktemp -d "${TMPDIR:-/tmp}/tray.XXXXXX")
declare -A pids=()

fail() {
  echo "$(basename "$0"): $*" >&2
  tail -n 5 "$folder"/*.log 2>/dev/null >&2 || true
  exit 1
}

# Ends every process by its id: SIGTERM, and SIGKILL for what is still there after five seconds.
end_all() {
  local status=$? name deadline=$((SECONDS + 5))
  trap - EXIT
  trap '' INT TERM
  for name in "${!pids[@]}"; do kill -TERM "${pids[$name]}" 2>/dev/null || true; done
  for name in "${!pids[@]}"; do
    while kill -0 "${pids[$name]}" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.05; done
    kill -KILL "${pids[$name]}" 2>/dev/null || true
  done
  rm -rf "$folder"
  exit "$status"
}
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo "$port"
}

# start NAME COMMAND…: in the background, its log in the folder.
start() {
  "${@:2}" </dev/null >>"$folder/$1.log" 2>&1 &
  pids[$1]=$!
  disown  # or bash would report its death
}

# start_worker NAME [FLAG…]
start_worker() { start "$1" "$bin/worker" --name "$1" "${@:2}"; }

# attend COMMAND…: runs it to its end as in the foreground, but a signal to the script ends both at once.
attend() {
  "$@" &
  pids[attended]=$!
  wait "$!"
}

producer() { "$bin/producer" "$@"; }

wait_for_workers() {
  local deadline=$((SECONDS + 20))
  until [[ $(producer ping --json 2>/dev/null | field workers) == "$1" ]]; do
    ((SECONDS < deadline)) || fail "$1 workers did not come"
    sleep 0.05
  done
}

# An assembler, and workers worker-1 to worker-$1.
open_shop() {
  local name number
  for name in assembler worker producer; do
    [[ -x $bin/$name ]] || fail "$bin/$name is missing: make build"
  done
  export TRAY_ORDERS TRAY_KITCHEN TRAY_EVENTS TRAY_STORE=$folder/tray.sqlite
  TRAY_ORDERS=tcp://127.0.0.1:$(free_port)
  TRAY_KITCHEN=tcp://127.0.0.1:$(free_port)
  TRAY_EVENTS=tcp://127.0.0.1:$(free_port)
  start assembler "$bin/assembler"
  for ((number = 1; number <= $1; number++)); do start_worker "worker-$number"; done
  wait_for_workers "$1"
}

# The items of an order, a line of JSON each. The producer prints a report as one line.
items() { producer status "$1" --json 2>/dev/null | sed 's/{"index":/\n&/g' | tail -n +2; }

# field NAME: of each line of JSON that comes in, the last text or number under that key.
field() { sed -nE 's/.*"'"$1"'": "?([^",}]*).*/\1/p'; }

# Waits until the order has a leased item, and prints it.
leased_item() {
  local item deadline=$((SECONDS + 10))
  until item=$(items "$1" | grep -m 1 '"status": "leased"'); do
    ((SECONDS < deadline)) || return 1
    sleep 0.02
  done
  echo "$item"
}
