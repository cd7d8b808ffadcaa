#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Quotas and NFS, which the kernel of a development machine may not have.
set -u
cd "$(dirname "$0")/../.." || exit
exec tests/vm/vm.sh run -s none -- tests/vm/inside/disk.t
