# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
# TAP for tests in shell; source it, call these, end with done_testing.

tap_count=0
tap_failed=0

# ok NAME COMMAND...: passes when COMMAND succeeds; its output is shown when it
# does not.
ok() {
  tap_count=$((tap_count + 1))
  tap_name=$1
  shift
  if tap_output=$("$@" 2>&1); then
    echo "ok $tap_count - $tap_name"
  else
    tap_failed=$((tap_failed + 1))
    echo "not ok $tap_count - $tap_name"
    printf '%s\n' "$tap_output" | sed 's/^/# /'
  fi
}

# skip NAME REASON: one test that cannot run here.
skip() {
  tap_count=$((tap_count + 1))
  echo "ok $tap_count - $1 # SKIP $2"
}

# skip_all REASON: none of this file's tests can run here.
skip_all() {
  echo "1..0 # SKIP $1"
  exit 0
}

done_testing() {
  echo "1..$tap_count"
  [ "$tap_failed" -eq 0 ]
  exit
}

# tree_files: the files of the tree below the current directory, without what
# configure and make write.  Not by git alone: a release has no git, and git
# refuses to look at another user's checkout.
tree_files() {
  { git ls-files -co --exclude-standard 2>/dev/null ||
    find . -type f \( -path './build-aux/*' -o -not -path './build*/*' \
      -not -path './autom4te.cache/*' -not -path './.git/*' -not -path ./.git \
      -not -path './config.h*' -not -path './config.mk' \
      -not -path './config.status' -not -path './config.log' \
      -not -path './configure' -not -name '*~' -not -path './tags' \
      -not -path './gbm-mc-*.tar.gz' \); } |
    sed 's|^\./||' | sort | while IFS= read -r tap_file; do
    [ ! -f "$tap_file" ] || printf '%s\n' "$tap_file"
  done
}
