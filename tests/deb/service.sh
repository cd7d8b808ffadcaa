#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# In a machine (tests/vm) whose Slurm runs below systemd: what slurm-spank-gbm,
# which lies here, does to a slurmd that runs, and to jobs.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

left=/dev/shm/gbm-test-left

# user_batch COMMAND: submits it for a user, of whom no process stays here.
user_batch() {
  (cd "$work" && "${as_user[@]}" sbatch --parsable --output=%j.out --wrap="$1")
}

# leftovers yes|no: does what a job leaves in memory stay there? The plugin
# removes it, if slurmd has found, when it started, that it wants to see jobs end.
leftovers() {
  local job there=no
  rm -f "$left"
  job=$(user_batch "echo left >$left && echo written") &&
    wait_for 60 job_over "$job" && wait_for 30 all_idle &&
    grep -x written "$work/$job.out" || return
  [ ! -e "$left" ] || there=yes
  [ "$there" = "$1" ]
}

# slurmds: which process it is.
slurmds() {
  systemctl show -p MainPID --value slurmd
}

ok "without what the machine has got by hand" eval '
  rm /etc/slurm/plugstack.conf.d/gbm.conf /usr/lib/*/slurm-wlm/spank_gbm.so &&
  systemctl restart slurmd'
settle
ok "what jobs leave in memory stays" leftovers yes

long=$(user_batch "touch runs; until [ -e end ]; do sleep 1; done; echo whole")
ok "a job runs" wait_for 30 test -e "$work/runs"
before=$(slurmds)
run dpkg -i slurm-spank-gbm_*.deb
is "the package is installed" "$status" 0
unlike "slurmd is another" "$(slurmds)" "^$before\$"
is "and runs" "$(systemctl is-active slurmd)" active
touch "$work/end"
ok "the job goes on to its end" wait_for 60 job_over "$long"
is "as if nothing had been" "$(job_state "$long") $(<"$work/$long.out")" \
  "COMPLETED whole"
ok "what jobs leave in memory is removed" leftovers no
run srun --gbm-mem-cap=100M hog 200
like "a cap holds" "$err" 'reached its 100M RAM cap'

before=$(slurmds)
run dpkg -i slurm-spank-gbm_*.deb
is "once more, as for an upgrade" "$status" 0
unlike "slurmd is another" "$(slurmds)" "^$before\$"
settle
ok "what jobs leave in memory is removed" leftovers no

run dpkg -r slurm-spank-gbm
is "the package is removed" "$status" 0
run srun true
is "jobs run on without it" "$status $err" "0 "
systemctl stop slurmd
run dpkg -i slurm-spank-gbm_*.deb
is "where slurmd is stopped" "$status $(systemctl is-active slurmd)" "0 inactive"
done_testing
