#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The program in the README is doc/example/read_block.c, to the letter: in_readme.sh README FILE
awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$1" | diff - "$2"
