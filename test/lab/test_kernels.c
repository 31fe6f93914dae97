/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-lab kernels --refresh, with an apt that this test makes: it knows a version of Debian
 * 13's kernel and packs it when asked to download it.
 */

#include "lab_test.h"

#include <unistd.h>

static char folder[] = "/tmp/test_kernels_XXXXXX";

/* The newest version is in the file "newest"; what was downloaded is counted in "downloads". */
static const char make_tools[] =
	"mkdir -p $T/bin $T/barrage/kernels/debian-6.12 && cd $T/bin &&"
	"cat > apt-get <<'END'\n"
	"#!/bin/sh -e\n"
	"case \"$*\" in\n"
	"*indextargets*) printf 'Debian http://nowhere/d\\nDebian-Security http://nowhere/s\\n';;\n"
	"*download*)\n"
	"	[ ! -e $T/broken ]\n"
	"	for package; do :; done\n"
	"	echo $package >> $T/downloads\n"
	"	mkdir boot && echo image > boot/vmlinuz-$(cat $T/newest)-cloud-amd64\n"
	"	tar cf data.tar boot && echo 2.0 > debian-binary\n"
	"	ar r ${package%%=*}_${package#*=}_amd64.deb debian-binary data.tar\n"
	"	rm -r boot data.tar debian-binary;;\n"
	"esac\n"
	"END\n"
	"cat > apt-cache <<'END'\n"
	"#!/bin/sh\n"
	"v=$(cat $T/newest)\n"
	"printf 'Package: x\\nDepends: linux-image-%s-cloud-amd64 (= %s-1)\\n' $v $v\n"
	"END\n"
	"chmod +x apt-get apt-cache &&"
	"printf '6.12.8-1\\n6.12.8-cloud-amd64\\n' > $T/barrage/kernels/debian-6.12/version";

#define REFRESH "XDG_CACHE_HOME=$T PATH=$T/bin:$PATH $LAB kernels --refresh 2>&1"

static int make_folder(void **state)
{
	return mkdtemp(folder) && setenv("T", folder, 1) == 0 && system(make_tools) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	return system("rm -r $T");
}

static void a_newer_one_is_fetched(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out), "echo 6.12.9 > $T/newest; " REFRESH, 0);
	assert_says(out, "6.12.9-1");
	assert_ends(out, sizeof(out),
		    "cat $T/downloads $T/barrage/kernels/debian-6.12/boot/vmlinuz-*", 0);
	assert_string_equal(out, "linux-image-6.12.9-cloud-amd64=6.12.9-1\nimage\n");
}

static void the_same_one_is_not(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out), REFRESH, 0);
	assert_says(out, "6.12.9-1");
	assert_ends(out, sizeof(out), "wc -l < $T/downloads", 0);
	assert_string_equal(out, "1\n");
}

/* What is there stays when the newer one cannot be had. */
static void nothing_is_lost(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out), "touch $T/broken; echo 6.12.10 > $T/newest; " REFRESH, 1);
	assert_says(out, "apt-get");
	assert_ends(out, sizeof(out),
		    "ls $T/barrage/kernels; cat $T/barrage/kernels/debian-6.12/version", 0);
	assert_string_equal(out, "debian-6.12\n6.12.9-1\n6.12.9-cloud-amd64\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_newer_one_is_fetched),
		cmocka_unit_test(the_same_one_is_not),
		cmocka_unit_test(nothing_is_lost),
	};

	if (argc != 2 || setenv("LAB", argv[1], 1) < 0) {
		fprintf(stderr, "usage: test_kernels PATH-OF-BARRAGE-LAB\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
