/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --qemu debian:backports, with an apt that this test makes: it would install a QEMU and a library
 * that it needs, and packs them when asked to download them. That QEMU is a script, which runs
 * where it finds the library in the first folder that it is to look in.
 */

#include "lab_test.h"

#include <unistd.h>

static char folder[] = "/tmp/test_emulators_XXXXXX";

/* The newest version is in the file "newest"; what was downloaded is in "downloads". */
static const char make_tools[] =
	"mkdir -p $T/bin && cd $T/bin &&"
	"cat > apt-get <<'END'\n"
	"#!/bin/sh -e\n"
	"case \"$*\" in\n"
	"*indextargets*) printf 'Debian http://nowhere/d\\nDebian-Security http://nowhere/s\\n';;\n"
	"*-s*install*)\n"
	"	cp $T/barrage/apt/sources.list $T/sources\n"
	"	echo 'The following packages will be upgraded:'\n"
	"	[ ! -e $T/installed ] || exit 0\n"
	"	echo 'Inst libneeded (1.0 Debian:12 [amd64])'\n"
	"	echo \"Inst qemu-system-x86 [1:7.2] ($(cat $T/newest) Backports:12 [amd64]) []\"\n"
	"	echo 'Conf libneeded (1.0 Debian:12 [amd64])';;\n"
	"*download*)\n"
	"	shift 2\n"
	"	for package; do\n"
	"		name=${package%%=*}\n"
	"		echo $package >> $T/downloads\n"
	"		mkdir -p usr/bin usr/lib/x86_64-linux-gnu\n"
	"		[ $name = libneeded ] && echo > usr/lib/x86_64-linux-gnu/libneeded.so\n"
	"		[ $name = libneeded ] || cp $T/qemu usr/bin/qemu-system-x86_64\n"
	"		tar cf data.tar usr && echo 2.0 > debian-binary\n"
	"		ar r ${name}_1_amd64.deb debian-binary data.tar\n"
	"		rm -r usr data.tar debian-binary\n"
	"	done;;\n"
	"esac\n"
	"END\n"
	"cat > ../qemu <<'END'\n"
	"#!/bin/sh -e\n"
	"[ -e ${LD_LIBRARY_PATH%%:*}/libneeded.so ]\n"
	"echo QEMU emulator version 9.9.9\n"
	"END\n"
	"chmod +x apt-get ../qemu; echo '1:9.9.9-1~bpo' > $T/newest";

#define WITH_TOOLS "XDG_CACHE_HOME=$T PATH=$T/bin:$PATH "
#define REFRESH	   WITH_TOOLS "$LAB emulators --refresh 2>&1"
/* What comes behind the QEMU is refused. */
#define RUN WITH_TOOLS "$LAB exec --qemu debian:backports --kernel /nowhere -- true 2>&1"

static int make_folder(void **state)
{
	return mkdtemp(folder) && setenv("T", folder, 1) == 0 && system(make_tools) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	return system("rm -r $T");
}

static void what_is_installed_is_not_fetched(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out), "touch $T/installed; " RUN, 125);
	assert_says(out, "has no other qemu-system-x86 than is installed here");
	assert_ends(out, sizeof(out), "rm $T/installed; ls $T/barrage/qemu", 2);
}

static void it_is_fetched_and_runs(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out), RUN, 125);
	assert_says(out, "no kernel /nowhere");
	assert_ends(out, sizeof(out), "cat $T/downloads $T/barrage/qemu/debian-backports/version",
		    0);
	assert_string_equal(out, "libneeded=1.0\nqemu-system-x86=1:9.9.9-1~bpo\n1:9.9.9-1~bpo");
	assert_ends(out, sizeof(out), "cat $T/sources", 0);
	assert_says(out, "-backports main\n");
	assert_says(out, "http://nowhere/s ");
}

static void it_is_fetched_once(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out), "rm $T/downloads; " RUN, 125);
	assert_ends(out, sizeof(out), REFRESH, 0);
	assert_says(out, "1:9.9.9-1~bpo");
	assert_ends(out, sizeof(out), "ls $T/downloads", 2);
}

static void a_newer_one_is_fetched(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out), "echo 1:9.9.10-1 > $T/newest; " REFRESH, 0);
	assert_says(out, "1:9.9.10-1");
	assert_ends(out, sizeof(out), WITH_TOOLS "$LAB doctor; true", 0);
	assert_says(out, "1:9.9.10-1 in the cache");
}

static void one_that_does_not_run_is_told(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out), "find $T/barrage/qemu -name libneeded.so -delete; " RUN, 125);
	assert_says(out, "qemu-system-x86_64 does not run");
	assert_ends(out, sizeof(out), "$LAB exec --qemu $T/qemu -- true 2>&1", 125);
	assert_says(out, "that is no QEMU");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_installed_is_not_fetched),
		cmocka_unit_test(it_is_fetched_and_runs),
		cmocka_unit_test(it_is_fetched_once),
		cmocka_unit_test(a_newer_one_is_fetched),
		cmocka_unit_test(one_that_does_not_run_is_told),
	};

	if (argc != 2 || setenv("LAB", argv[1], 1) < 0) {
		fprintf(stderr, "usage: test_emulators PATH-OF-BARRAGE-LAB\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
