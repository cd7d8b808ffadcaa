#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# results.sh PAYOFFS COMMAND...: what gbm_sim, run by COMMAND, gives for each of
# the payoffs, without what differs from one machine to the other.
set -u -o pipefail

payoffs=$1
shift
for payoff in $payoffs; do
  "$@" --payoff "$payoff" --steps 5 --paths 200003 --json </dev/null |
    perl -MJSON::PP -e '
      my $got = JSON::PP->new->allow_bignum->decode(<STDIN>);
      print join(" ", shift, @$got{qw(estimate std_error)}, @{$got->{ci95}}),
        "\n"' "$payoff" || exit
done
