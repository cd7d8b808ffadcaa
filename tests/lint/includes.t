#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Who may include what.  A rule is: files | what they may not include | why.
# The first two are extended regular expressions; the second is matched against
# what stands in the #include line, with its <> or quotes.  A | between them has
# a space on both sides.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

mapfile -t sources < <(find plugin libgbm examples tests bench \
  -name '*.[ch]' 2>/dev/null | sort)

rules() {
  sed 's/ | /\t/g' <<'EOF'
plugin/.* | <gbm-mc/.*|"(\.\./)?(libgbm|examples|tests)/.* | the plugin is root's: nothing of the library in it
libgbm/.* | "(\.\./)?(plugin|examples|tests)/.* | the library knows neither plugin nor programs
examples/.* | "(\.\./)?(plugin|libgbm|tests)/.* | programs use the public headers, as users do
(?!(plugin/spank_[a-z]*\.[ch]|tests/slurm/forge\.c)$).* | <slurm/.* | the hooks alone see Slurm's headers
(?!(libgbm/mpi[a-z_]*\.[ch]|libgbm/include/gbm-mc/mpi\.h|examples/(world|[^/]*_mpi)\.c|bench/scale\.c|tests/.*)$).* | <(mpi|gbm-mc/mpi)\.h> | MPI is in libgbm_mpi and the programs over it
libgbm/mpi[a-z_]*\.[ch] | "(?!(config|libgbm/mpi_team)\.h").* | libgbm_mpi stands on the public headers
libgbm/include/.* | ".* | public headers include public headers
libgbm/(crc32c|npy|manifest)\.[ch] | "(libgbm/)?(?!(crc32c|npy|manifest)\.h")[a-z_]*\.h" | formats stand on nothing
libgbm/(rows|share|plan|sim|stream)\.[ch] | "(libgbm/)?(samples|npy|manifest|crc32c)\.h" | files are above them
libgbm/(budget|stats|isa|kernel|rng|vecmath|vec_[a-z0-9]*|status)\.[ch] | "(libgbm/)?sim\.h" | sim is above them
libgbm/(stats|sketch|joint|kernel|rng|vecmath|vec_[a-z0-9]*)\.[ch] | "(libgbm/)?(budget|isa)\.h" | they need no machine
plugin/err\.[ch] | "(?!(plugin/)?(err|banned)\.h").* | err stands on nothing
plugin/(size|swap|conf|policy|procfs|sysroot)\.[ch] | "(plugin/)?(cap|backend)\.h" | caps stand on them
EOF
}

# check FILES INCLUDES: prints the lines that break a rule.
check() {
  local out
  # perl, for (?!...)
  out=$(perl -e '
    my ($files, $bad) = splice @ARGV, 0, 2;
    for my $file (@ARGV) {
      next unless $file =~ m{^(?:$files)$};
      open my $in, "<", $file or die "$file: $!\n";
      while (<$in>) {
        next unless m{^\s*#\s*include\s*([<"].*?[>"])};
        print "$file:$.: $_" if $1 =~ m{^(?:$bad)};
      }
    }' "$1" "$2" "${sources[@]}") || return
  [ -z "$out" ] || { echo "$out"; return 1; }
}

ok "there are sources" test ${#sources[@]} -gt 0
while IFS=$'\t' read -r files bad why; do
  ok "$why" check "$files" "$bad"
done < <(rules)
done_testing
