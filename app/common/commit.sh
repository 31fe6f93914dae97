#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The commit of the source tree, with -dirty where files differ from it. Git's index is left alone:
# `git describe --dirty` would write it, under the hands of whoever uses Git meanwhile.
commit=$(git rev-parse --verify HEAD) || exit
changed=$(git --no-optional-locks status --porcelain --untracked-files=no) || exit
echo "$commit${changed:+-dirty}"
