#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The manual pages are good mdoc, and nothing that can be set is missing in them.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

page=docs/spank_gbm.8

# nothing COMMAND...: prints nothing.
nothing() {
  local text
  text=$("$@" 2>&1)
  [ -z "$text" ] || {
    echo "$text"
    return 1
  }
}

lint() {
  # It writes both in blocks, which cut lines of each other.
  mandoc -T lint docs/*.[1-8] 2> >(grep -v 'outdated mandoc.db') |
    grep -v 'referenced manual not found'
}

# described WORD...: each is an item of a list.
described() {
  local word
  [ $# -gt 0 ] || return
  for word; do
    grep -qE "^\.It (Cm|Ev|Fl) $word( |\$)" "$page" ||
      grep -qE "^\.It Cm $word Ns" "$page" || {
      echo "$word is not described in $page"
      return 1
    }
  done
}

# shown WORD...: each has a line of its own as an example.
shown() {
  local word
  [ $# -gt 0 ] || return
  for word; do
    grep -qE "^\.Dl $word=[^ ]+$" "$page" || {
      echo "$word has no example in $page"
      return 1
    }
  done
}

mapfile -t keys < <(sed -n 's/^\t{ "\([a-z_]*\)", set_[a-z_]* },$/\1/p' \
  plugin/conf.c)
mapfile -t options < <(sed -n 's/^.*{ "-\(-gbm-[a-z-]*\)".*/\1/p' \
  plugin/spank_gbm.c)
mapfile -t variables < <(grep -o '"SLURM_GBM_[A-Z_]*"' plugin/spank_gbm.c |
  tr -d '"')

ok "each word of plugstack.conf is described" described "${keys[@]}"
ok "with an example" shown "${keys[@]}"
ok "each option" described "${options[@]}"
ok "each variable" described "${variables[@]}"
page=docs/gbm_plot.1
mapfile -t options < <(sed -n 's/^  \(-[a-z-]*\) .*/\1/p' tools/gbm_plot |
  sed 's/^-//' | sort -u)
ok "each option of gbm_plot" described "${options[@]}"
page=docs/gbm_sim.1
mapfile -t options < <(sed -n 's/^\t{ "\([a-z-]*\)", \("[A-Z]\|NULL, NULL\).*/-\1/p' \
  examples/cli.c)
ok "each option of gbm_sim" described "${options[@]}"
ok "of which there are many" test ${#options[@]} -ge 27
# helped COMMAND...: it prints its options, which have two blanks before them.
helped() {
  page=$1
  shift
  mapfile -t options < <("$@" --help | sed -nE 's/^  -(-[a-z-]+).*/\1/p')
  described "${options[@]}"
}
ok "of gbm-cluster-shutdown" helped docs/gbm-cluster-shutdown.8 \
  tools/gbm-cluster-shutdown
ok "of gbm-top" helped docs/gbm-top.1 tools/gbm-top
for script in slurm-config/install-{node,controller}.sh; do
  ok "of ${script##*/}" helped docs/gbm-cluster-setup.7 "$script"
done
if command -v mandoc >/dev/null; then
  ok "mandoc is content" nothing lint
else
  skip "mandoc is content" "mandoc is not installed"
fi
done_testing
