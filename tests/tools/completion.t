#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The Tab key: all options, their values, and no harm to other completions.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
shopt -s extglob
# shellcheck source=tools/completion.bash
. tools/completion.bash
top=$PWD
cd "$tmp" || exit
touch a.npy a.npy.json b.csv c.png 'two words.csv'
mkdir folder

# completes COMMAND WORD... : what Tab offers for the last of them, sorted; "="
# is a word of its own, as bash makes it.
completes() {
  local function
  function=$(complete -p "$1" | sed 's/.*-F \([^ ]*\) .*/\1/')
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  "$function" "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
  printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd '|'
}

is() {
  [ "$1" = "$2" ] && return
  printf 'got:    %s\nwanted: %s\n' "$1" "$2"
  return 1
}

while IFS=: read -r command words wanted; do
  eval "words=($words)"
  ok "$command ${words[*]}" is "$(completes "$command" "${words[@]}")" "$wanted"
done <<'END'
gbm_sim:--pa:--paths|--payoff
gbm_sim:--payoff a:asian-call|asian-put
gbm_sim:--payoff = c:call
gbm_sim:--payoff =:asian-call|asian-put|call|put|terminal
gbm_sim:--payoff call,p:call,put
gbm_sim:--paths 1e6 --save p:paths
gbm_sim:--drift r:rate-dividend
gbm_sim:--verify '':a.npy|folder
gbm_sim:--out a:a.npy|a.npy.json
gbm_sim:--paths '':
gbm_plot:'':convergence|fan|histogram|memory|scaling
gbm_plot:fan '':b.csv|folder|two words.csv
gbm_plot:fan b.csv -o '':c.png|folder
gbm_plot:fan b.csv --ti:--time-unit|--title
gbm-node-check:--s:--self-test|--share
gbm-node-check:--root f:folder
gbm-mem-log:--e:--every
END

# every COMMAND OPTION...: all of these, and no other.
every() {
  local all
  all=$(completes "$1" - | tr '|' '\n')
  diff <(printf '%s\n' "${@:2}" | sort -u) <(sort -u <<<"$all")
}
mapfile -t options < <(sed -n 's/^\t{ "\([a-z-]*\)", \("[A-Z]\|NULL, NULL\).*/--\1/p' \
  "$top/examples/cli.c")
ok "every option of gbm_sim" every gbm_sim "${options[@]}"
for command in gbm_plot gbm-node-check gbm-mem-log gbm-top \
  gbm-cluster-shutdown; do
  mapfile -t options < <("$top/tools/$command" --help | sed -n '/^  -/p' |
    grep -oE '(^  |, )-[-a-z]+' | tr -d ' ,')
  ok "every option of $command" every $command "${options[@]}"
done

# Slurm's, of which one has a completion before and the others have none.
_srun_before() {
  COMPREPLY=()
  [[ $2 != --g* ]] || COMPREPLY=(--gres= --gpus=)
}
complete -r srun sbatch salloc 2>/dev/null
complete -F _srun_before srun
ok "nobody touches srun unasked" is "$(complete -p srun)" \
  "complete -F _srun_before srun"
gbm_complete_slurm
gbm_complete_slurm
ok "asked, its own answers are still there" \
  is "$(completes srun --g)" \
  "--gbm-mem-cap=|--gbm-mem-report=|--gbm-swap=|--gpus=|--gres="
ok "ours alone where it had none" is "$(completes sbatch --gbm-s)" --gbm-swap=
ok "values" is "$(completes salloc --gbm-mem-report = '')" "json|off|summary"
ok "and nothing for other words" is "$(completes srun host)" ""

slurms=/usr/share/bash-completion/completions/srun
if [ -e $slurms ]; then
  ok "beside the completion that comes with Slurm" bash -c '
    _get_comp_words_by_ref() { cur=$2; }
    . "$0" 2>/dev/null && . "$1" && gbm_complete_slurm &&
      [ "${_gbm_before[srun]}" = _srun ]' $slurms "$top/tools/completion.bash"
else
  skip "beside the completion that comes with Slurm" "it is not installed"
fi
done_testing
