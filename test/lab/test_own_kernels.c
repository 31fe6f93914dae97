/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernels of the user's own: Debian's, laid out as an image with its modules, and as a folder that
 * Linux was built in.
 */

#include "lab_test.h"

#include <unistd.h>

static char folder[] = "/tmp/test_own_kernels_XXXXXX";

/*
 * In $T: image and modules of 6.12; linux-6.12, a folder with no more than these; linux-6.1, one
 * with all that modules are built from; linux-other, whose vfio-pci has a function by another name;
 * and a cache with the kernels, where what is built goes away with the test.
 */
static const char lay_out[] =
	"set -e; cache=${XDG_CACHE_HOME:-$HOME/.cache}/barrage/kernels\n"
	"for k in 6.1 6.12; do $LAB exec --kernel debian:$k -- true; done\n" /* fetched, then */
	"cd $T && mkdir barrage && ln -s $cache barrage/kernels\n"
	"cp $cache/debian-6.12/boot/vmlinuz-* image\n"
	"cp -r $cache/debian-6.12/*/lib/modules modules\n"
	"for k in 6.1 6.12; do\n"
	"	mkdir -p linux-$k/arch/x86/boot && cd linux-$k\n"
	"	ln -s $cache/debian-$k/boot/vmlinuz-* arch/x86/boot/bzImage\n"
	"	for m in virt drivers/vfio drivers/char drivers/virtio drivers/nvme; do\n"
	"		mkdir -p made/$m\n"
	"		cp -r $cache/debian-$k/lib/modules/*/kernel/$m/. made/$m 2>/dev/null ||\n"
	"		cp -r $cache/debian-$k/usr/lib/modules/*/kernel/$m/. made/$m\n"
	"	done\n"
	"	cd ..\n"
	"done\n"
	"headers=$(echo $cache/debian-6.1/usr/src/linux-headers-*-cloud-amd64)\n"
	"cp -rs $headers/. linux-6.1 && ln -s $cache/debian-6.1/linux-source-6.1 linux-6.1/source\n"
	"cp -r linux-6.1 linux-other && cd linux-other && rm source && mkdir -p drivers/vfio\n"
	"cp -r $cache/debian-6.1/linux-source-6.1/drivers/vfio/pci drivers/vfio\n"
	"sed -i s/vfio_pci_mmap_fault/vfio_pci_other_fault/ drivers/vfio/pci/vfio_pci_core.c\n";

static int make_folders(void **state)
{
	return mkdtemp(folder) && setenv("T", folder, 1) == 0 && system(lay_out) == 0 &&
			       setenv("XDG_CACHE_HOME", folder, 1) == 0
		       ? 0
		       : -1;
}

static int remove_folder(void **state)
{
	return system("rm -r $T");
}

#define EXEC "$LAB exec --timeout 120 "

static void an_image_with_its_modules(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out),
		    EXEC "--kernel $T/image --modules $T/modules -- uname -r 2>&1", 0);
	assert_says(out, "6.12.");
}

/* What the library makes of the module's code says which handler it is. */
static void any_handler_in_a_folder(void **state)
{
	char out[16384];

	assert_ends(out, sizeof(out),
		    "ln -s linux-6.1 $T/link;" EXEC "--kernel $T/link --handler unfixed "
		    "-e ERA=unfixed -e FAULTS='1 0 0 0' -- $ERA 2>&1",
		    0);
}

static void a_module_is_of_its_build(void **state)
{
	static const char count[] = "ls $T/barrage/modules | grep -c ^fixed-own-";
	static const char exec[] = EXEC "--kernel $T/linux-6.1 --handler fixed -- true 2>&1";
	char out[8192];

	for (int i = 0; i < 2; i++) {
		assert_ends(out, sizeof(out), exec, 0);
		assert_ends(out, sizeof(out), count, 0);
		assert_string_equal(out, "1\n");
	}
	assert_ends(out, sizeof(out),
		    "cd $T/linux-6.1 && cp .config new && mv -f new .config &&"
		    "echo '# another' >> .config",
		    0);
	assert_ends(out, sizeof(out), exec, 0);
	assert_ends(out, sizeof(out), count, 0);
	assert_string_equal(out, "2\n");
}

static void what_does_not_fit_is_told(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out), EXEC "--kernel $T/linux-other --handler unfixed -- true 2>&1",
		    125);
	assert_says(out, "the kernel's source has no definition of vfio_pci_mmap_fault");
	assert_says(out, "\"unfixed\", made for debian:6.1, does not build for");
	assert_ends(out, sizeof(out), EXEC "--kernel $T/linux-6.12 --handler fixed -- true 2>&1",
		    125);
	assert_says(out, "linux-6.12/drivers/vfio/pci/vfio_pci_core.c");
	assert_ends(out, sizeof(out),
		    EXEC "--kernel $T/image --modules $T/modules --handler fixed -- true 2>&1",
		    125);
	assert_says(out, "\"fixed\" is made for debian:6.1, not for");
}

/* A folder stands for the handler it has. */
static void a_folder_is_compared(void **state)
{
	char out[16384];

	if (!getenv("BENCH"))
		skip();
	assert_ends(out, sizeof(out),
		    "$LAB compare --before fixed --after $T/linux-6.12 --trials 2 --bench $BENCH "
		    "2>&1",
		    0);
	assert_says(out, "/linux-6.12  2 lcores, one VMA       2 of 2");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_with_its_modules),
		cmocka_unit_test(any_handler_in_a_folder),
		cmocka_unit_test(a_module_is_of_its_build),
		cmocka_unit_test(what_does_not_fit_is_told),
		cmocka_unit_test(a_folder_is_compared),
	};

	if (argc != 3 || setenv("LAB", argv[1], 1) < 0 || setenv("ERA", argv[2], 1) < 0) {
		fprintf(stderr, "usage: test_own_kernels BARRAGE-LAB ERA-TEST\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, make_folders, remove_folder);
}
