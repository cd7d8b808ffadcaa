# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the Tab key knows of gbm_sim and the tools, in bash; loaded by the package
# bash-completion, or sourced.
#
# srun, sbatch and salloc have completions of their own, which are left alone
# unless you add to your ~/.bashrc, after bash-completion's lines:
#
#   . /usr/local/share/bash-completion/completions/gbm_sim
#   gbm_complete_slurm

# The word at the cursor to $cur, the option that it belongs to to $prev: bash
# makes three words of --option=value.
_gbm_words() {
  cur=${COMP_WORDS[COMP_CWORD]-}
  prev=${COMP_WORDS[COMP_CWORD - 1]-}
  if [ "$cur" = = ]; then
    cur=
  elif [ "$prev" = = ] && [ "$COMP_CWORD" -ge 2 ]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
}

# _gbm_offer WORD...: those that begin as $cur does.
_gbm_offer() {
  local word
  COMPREPLY=()
  for word; do
    [[ $word != "$cur"* ]] || COMPREPLY+=("$word")
  done
}

# The same for the last item of a list with commas.
_gbm_offer_list() {
  local before='' i
  [[ $cur != *,* ]] || before=${cur%,*},
  cur=${cur##*,}
  _gbm_offer "$@"
  for i in "${!COMPREPLY[@]}"; do
    COMPREPLY[i]=$before${COMPREPLY[i]}
  done
  compopt -o nospace 2>/dev/null
}

# _gbm_files [PATTERN]: folders too, on the way.
_gbm_files() {
  local file
  COMPREPLY=()
  while IFS= read -r file; do
    # shellcheck disable=SC2053 # a pattern
    if [ -d "$file" ] || [[ $file == ${1-*} ]]; then
      COMPREPLY+=("$file")
    fi
  done < <(compgen -f -- "$cur")
  compopt -o filenames 2>/dev/null
}

_gbm_folders() {
  mapfile -t COMPREPLY < <(compgen -d -- "$cur")
  compopt -o filenames 2>/dev/null
}

_gbm_sim() {
  local cur prev
  _gbm_words
  case $prev in
  --payoff) _gbm_offer_list terminal call put asian-call asian-put ;;
  --progress) _gbm_offer auto always never ;;
  --save) _gbm_offer terminal paths ;;
  --dtype) _gbm_offer f8 f4 ;;
  --drift) _gbm_offer rate-dividend ;;
  --verify | --like) _gbm_files '*.npy' ;;
  --out | --fan | --histogram | --convergence | --checkpoint) _gbm_files ;;
  --spot | --rate | --dividend | --vol | --horizon | --steps | --paths | \
    --seed | --strike | --quantiles | --var | --cost | --threads | --chunk | \
    --mem-cap | --replay | --every | --tolerance | --abs-tolerance | --max-time)
    COMPREPLY=()
    ;;
  *)
    _gbm_offer --spot --rate --dividend --drift --vol --horizon --steps \
      --paths --seed --payoff --strike --quantiles --var --cost --fan \
      --convergence --moments --histogram --threads --chunk --mem-cap --out \
      --save --dtype --force --shards --verify --replay --like --checkpoint \
      --every --resume --tolerance --abs-tolerance --max-time --json --quiet \
      --progress --dry-run --version --help
    ;;
  esac
}

_gbm_plot() {
  local cur prev
  _gbm_words
  case $prev in
  -o) _gbm_files '*.@(png|svg)' ;;
  --payoff) _gbm_offer terminal call put asian-call asian-put ;;
  --drift) _gbm_offer rate-dividend ;;
  --time-unit) _gbm_offer years months days ;;
  --size) _gbm_offer 1000x700 1600x900 ;;
  --title | --spot | --rate | --dividend | --vol | --horizon) COMPREPLY=() ;;
  *)
    if [[ $cur == -* ]]; then
      _gbm_offer -o --size --title --time-unit --spot --rate --dividend \
        --drift --vol --horizon --payoff --help
    elif [ "$COMP_CWORD" -eq 1 ]; then
      _gbm_offer fan histogram convergence scaling memory
    else
      _gbm_files '*.csv'
    fi
    ;;
  esac
}

_gbm_mem_log() {
  local cur prev
  _gbm_words
  case $prev in
  --every) COMPREPLY=() ;;
  --root) _gbm_folders ;;
  *) _gbm_offer --every --root --help ;;
  esac
}

_gbm_node_check() {
  local cur prev
  _gbm_words
  case $prev in
  --share | --root) _gbm_folders ;;
  --node) COMPREPLY=() ;;
  *) _gbm_offer --json --self-test --health --share --node --root --help ;;
  esac
}

_gbm_top() {
  local cur prev
  _gbm_words
  case $prev in
  -i | --iterate | -n | --count) COMPREPLY=() ;;
  *) _gbm_offer -i --iterate -n --count --local --json --help ;;
  esac
}

_gbm_cluster_shutdown() {
  local cur prev
  _gbm_words
  case $prev in
  --wait | --nodes | --off-within) COMPREPLY=() ;;
  --poweroff) _gbm_offer 'systemctl poweroff' ;;
  *)
    _gbm_offer --yes --wait --nodes --keep-controller --ssh --poweroff \
      --off-within --help
    ;;
  esac
}

complete -F _gbm_sim gbm_sim
complete -F _gbm_plot gbm_plot
complete -F _gbm_mem_log gbm-mem-log
complete -F _gbm_node_check gbm-node-check
complete -F _gbm_top gbm-top
complete -F _gbm_cluster_shutdown gbm-cluster-shutdown

# The plugin's options, and whatever the command had before.
_gbm_slurm() {
  local cur prev ours word
  _gbm_words
  case $prev in
  --gbm-mem-cap) _gbm_offer 256M 512M 1G 1500M 50% 75% max ;;
  --gbm-swap) _gbm_offer none allow 256M ;;
  --gbm-mem-report) _gbm_offer off summary json ;;
  *)
    ours=$cur
    word=${_gbm_before[$1]-}
    if [ -n "$word" ]; then
      "$word" "$@"
    fi
    for word in --gbm-mem-cap= --gbm-swap= --gbm-mem-report=; do
      if [[ $ours == -* && $word == "$ours"* ]]; then
        COMPREPLY+=("$word")
        compopt -o nospace 2>/dev/null
      fi
    done
    ;;
  esac
}

gbm_complete_slurm() {
  local command spec
  declare -gA _gbm_before
  for command in srun sbatch salloc; do
    # Where bash-completion loads on demand, it has not yet.
    complete -p $command &>/dev/null ||
      ! declare -F _completion_loader >/dev/null ||
      _completion_loader $command &>/dev/null
    spec=$(complete -p $command 2>/dev/null)
    [[ $spec != *_gbm_slurm* ]] || continue
    if [[ $spec =~ -F\ ([^ ]+) ]]; then
      _gbm_before[$command]=${BASH_REMATCH[1]}
    fi
    # Without an answer, files, as for any program.
    complete -o bashdefault -o default -F _gbm_slurm $command
  done
}
