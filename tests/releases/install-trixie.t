#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What install-node.sh does to a whole system.
set -u
cd "$(dirname "$0")/../.." || exit
exec unshare --uts tests/vm/release.sh run trixie -- tests/vm/inside/install.t
