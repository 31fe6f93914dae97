#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every long option that --help tells is in the man page, with its letter, and the other way round.

    help_and_man.py MAN PROGRAM

An option is in a man page where a tag (the line behind .TP) has it: in the section (.SS) of its
command; or in a section of no command, for those that several have. A tag that begins with the name
of a command is about that one alone. A letter that a command has given to another option is not one
of those that several have.
"""

import pathlib
import re
import subprocess
import sys

# Those of Google Benchmark have underscores, and are not ours to describe.
OPTION = re.compile(r"(?:(?<!\S)-(\w), )?(?<!\S)--([a-z][a-z-]*)(?![a-z_-])")
HELP_LINE = re.compile(r"(?: {2}-(\S), | {6})--([a-z][a-z-]*)(?![a-z_-])")
OF_ARGP = {"help", "usage"}


def help_of(*command):
    return subprocess.run([*command, "--help"], check=True, capture_output=True, text=True).stdout


def commands_of(program, *above):
    """Names, as "bar plan"; of a program that has no commands, none."""
    _, _, listed = help_of(program, *above).partition("\nCommands:\n")
    names = [(*above, name)
             for name in re.findall(r"^ {2}(\S+)", listed.partition("\n\n")[0], re.MULTILINE)]
    return [lowest for name in names
            for lowest in (commands_of(program, *name) or [" ".join(name)])]


def options_of(*command):
    """Long options and their letters, "" where they have none."""
    found = (HELP_LINE.match(line) for line in help_of(*command).splitlines())
    return {one[2]: one[1] or "" for one in found if one and one[2] not in OF_ARGP}


def plain(line):
    """A line without its roff: macro, fonts and escapes."""
    return re.sub(r"^\.[A-Z]+ |\\f.", "", line).replace("\\-", "-")


def tags_of(text):
    """(section, tag) of each tag in a man page."""
    section = ""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith((".SH ", ".SS ")):
            section = plain(line)
        elif line.startswith(".TP"):
            yield section, plain(next(lines))


def documented(text, commands):
    """Options and their letters, by command; those of several under ""."""
    found = {name: {} for name in ["", *commands]}
    for section, tag in tags_of(text):
        names = ([name for name in commands if tag.startswith(f"{name} ")]
                 or [name for name in commands if name in section.split(", ")])
        for letter, option in OPTION.findall(tag):
            for name in names or [""]:
                found[name][option] = letter
        for option in OF_ARGP:
            found[""].pop(option, None)
    return found


def differences(page, program):
    commands = commands_of(program)
    man = documented(page.read_text(), commands)
    used = {}
    for name in commands or [""]:
        has = options_of(program, *name.split())
        told = {**man[""], **man[name]}
        used.update(has)
        what = f"{pathlib.Path(program).name} {name}".strip()
        for option in sorted(has.keys() - told.keys()):
            yield f"{page.name} lacks --{option} of {what}"
        for option in sorted(man[name].keys() - has.keys() if name else ()):
            yield f"{page.name} has --{option}, which {what} does not take"
        for option in sorted(has.keys() & told.keys()):
            taken = option not in man[name] and told[option] in man[name].values()
            if has[option] != ("" if taken else told[option]):
                yield (f"{page.name}: the letter of --{option} of {what} is "
                       f"\"{has[option]}\", not \"{told[option]}\"")
    for option in sorted(man[""].keys() - used.keys()):
        yield f"{page.name} has --{option}, which nothing takes"
    if not used:
        yield f"{program} tells no options"


def main():
    sys.exit("\n".join(differences(pathlib.Path(sys.argv[1]), sys.argv[2])) or 0)


main()
