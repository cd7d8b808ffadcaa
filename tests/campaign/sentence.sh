# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the plugin has to say on a job's stderr, row by row. For rows.sh, and for
# the test that it is strict enough.

# who ROW: whom the kernel kills, as an extended regular expression.
who() {
  case $1 in
  forks) echo '(a process|[0-9]+ processes) started by task 0' ;;
  balloon) echo 'task 3' ;;
  *) echo 'task 0' ;;
  esac
}

# why ROW IDS CAP: what the jobs, of which the row has IDS (12|13), did.
why() {
  local job="job ($2)" cap=$3 more='[0-9.]+M'
  case $1 in
  two_jobs) # neither of which has too much
    echo "$job was below its 700M RAM cap \(peak [4-6][0-9.]+M, swap none\)\." \
      "The jobs of NODE together reached the 1300M that they may use:"
    ;;
  window) # by what Slurm gives, a tenth more; there are other steps
    [ "$cap" -lt 1000 ] || more='1(0[0-9]{2}|100)(\.[0-9])?M'
    echo "$job reached its ${cap}M RAM cap" \
      "\(peak $more(, of which this step [0-9.]+M)?, swap none\)\."
    ;;
  *)
    echo "$job reached its ${cap}M RAM cap \(peak ${cap}M, swap none\)\."
    ;;
  esac
}

# may_end_well ROW: does the row stay within its cap, if the kernel wants?
may_end_well() {
  case $1 in
  quiet | cache | mapfile) ;;
  *) return 1 ;;
  esac
}

# judge ROW STATUS NODE IDS CAP: prints right or wrong for the stderr on stdin of
# a job that has ended with STATUS.
judge() {
  local row=$1 status=$2 node=$3 told sentence
  told=$(grep -E 'gbm: .*killed' | sort -u)
  if [ "$status" = 0 ]; then
    [ -z "$told" ] && may_end_well "$row" && echo right || echo wrong
    return
  fi
  sentence="gbm: $(who "$row") on $node (was|were) killed: $(why "$row" \
    "$4" "$5") "
  sentence=${sentence//NODE/$node}
  [ -n "$told" ] && ! grep -qvE "$sentence" <<<"$told" && echo right ||
    echo wrong
}
