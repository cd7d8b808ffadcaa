# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Read by cluster.sh (GBM_CONFIGURE): what the test GBM_NEWER is about.

# shellcheck disable=SC2154 # of cluster.sh
case $GBM_NEWER in
run_in_job) put "$conf" PrologFlags=Contain PrologFlags=Contain,RunInJob ;;
contain_spank)
  if grep -q '^SlurmdParameters=' "$conf"; then
    put "$conf" SlurmdParameters= SlurmdParameters=contain_spank,
  else
    printf '\nSlurmdParameters=contain_spank\n' >>"$conf"
  fi
  ;;
esac
