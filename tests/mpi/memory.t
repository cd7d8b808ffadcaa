#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A thousand times as many paths need the same memory: within 1 %.
#
# Linux counts resident pages per CPU (or thread) and adds up now and then, and
# shared libraries land at random addresses: the same run differs by 3 % from
# itself.  On one CPU and at fixed addresses it does not.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

[ -z "${SANITIZE-}" ] || skip_all "sanitizers keep freed memory for a while"

around=(setarch -R)
"${around[@]}" true 2>/dev/null || around=()
around+=(taskset -c "$(first_cpu)")

# peak COMMAND...: bytes, of one run.
peak() {
  run "$@" --payoff call --json
  [ "$status" -eq 0 ] || { cat "$tmp/err" >&2; return 1; }
  field "$tmp/out" peak_rss_bytes
}

# within_percent SMALL LARGE
within_percent() {
  echo "peak of 1e6 paths: $1, of 1e9: $2 bytes"
  [ -n "$1" ] && [ -n "$2" ] && [ "$1" -gt 0 ] &&
    [ $((($2 - $1) * ($2 - $1) * 10000)) -le $(($1 * $1)) ]
}

compare() {
  local name=$1
  shift
  ok "$name" within_percent "$(peak "$@" --paths 1e6)" \
    "$(peak "$@" --paths 1e9)"
}

compare "one thread" "${around[@]}" "$bin/gbm_sim"
compare "two threads" "${around[@]}" "$bin/gbm_sim" --threads 2 --chunk 256K
compare "two ranks" mpi 2 "$bin/gbm_sim" --threads 1
compare "quantiles, one thread" "${around[@]}" "$bin/gbm_sim" \
  --quantiles 0.01,0.5 --var 0.99
compare "quantiles, two ranks" mpi 2 "$bin/gbm_sim" --threads 1 \
  --quantiles 0.01,0.5
cat >"$tmp/fan" <<'EOF'
#!/bin/sh
rm -f "$0.csv"
exec "$@" --fan "$0.csv"
EOF
chmod +x "$tmp/fan"
compare "a fan, two threads" "${around[@]}" "$tmp/fan" "$bin/gbm_sim" \
  --threads 2 --steps 2
done_testing
