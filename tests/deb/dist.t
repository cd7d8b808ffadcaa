#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The release, with its unit tests.
GBM_DIST=whole exec "$(dirname "$0")/../build/dist.t"
