/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fault handler's era told from made modules (module/fault.c), from broken ones, and from the
 * one that a made /sys and /lib/modules say is loaded. Real modules are for the lab's tests.
 */

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <zlib.h>
#include <zstd.h>

#include "brg_bar.h"
#include "tree.h"

#define MADE(name) MODULES "/" name ".ko"

static void check(const char *path, enum brg_bar_era era, bool vulnerable)
{
	struct brg_bar_handler h;

	assert_int_equal(brg_bar_handler_detect(path, &h), 0);
	if (h.era != era)
		fail_msg("%s is %s, not %s: %s", path, brg_bar_era_name(h.era),
			 brg_bar_era_name(era), h.evidence);
	assert_int_equal(h.vulnerable, vulnerable);
	assert_string_equal(h.module, path);
	assert_true(h.evidence[0]);
	assert_false(h.loaded);
}

static void every_era(void **state)
{
	check(MADE("FIXED"), BRG_BAR_ERA_FIXED, false);
	check(MADE("FIXED_COLD"), BRG_BAR_ERA_FIXED, false);
	check(MADE("SKIP_EXISTING"), BRG_BAR_ERA_SKIP_EXISTING, true);
	check(MADE("UNFIXED"), BRG_BAR_ERA_UNFIXED, true);
	check(MADE("INSERT_PFN"), BRG_BAR_ERA_INSERT_PFN, false);
	check(MADE("ADDRESS_SPACE"), BRG_BAR_ERA_ADDRESS_SPACE, false);
	check(MADE("HUGE"), BRG_BAR_ERA_HUGE, false);
#ifdef __x86_64__
	check(MADE("EAGER"), BRG_BAR_ERA_EAGER, false);
#endif
}

/* Each could be taken for something safe by somebody who does not look closely. */
static void doubt_is_vulnerable(void **state)
{
	check(MADE("NO_FAULT"), BRG_BAR_ERA_UNKNOWN, true);
	check(MADE("HELPER"), BRG_BAR_ERA_UNKNOWN, true);
	check(MADE("TAIL_CALL"), BRG_BAR_ERA_UNKNOWN, true);
	check(MADE("INDIRECT"), BRG_BAR_ERA_UNKNOWN, true);
	check(MADE("INSERT_OR_MAP"), BRG_BAR_ERA_UNKNOWN, true);
	check(MADE("HUGE_OR_MAP"), BRG_BAR_ERA_UNKNOWN, true);
	check(MADE("TWICE"), BRG_BAR_ERA_UNKNOWN, true);
}

static void names(void **state)
{
	assert_string_equal(brg_bar_era_name(BRG_BAR_ERA_UNKNOWN), "unknown");
	assert_string_equal(brg_bar_era_name(BRG_BAR_ERA_ADDRESS_SPACE), "address-space");
	assert_string_equal(brg_bar_era_name(BRG_BAR_ERA_HUGE), "huge");
	assert_string_equal(brg_bar_era_name((enum brg_bar_era)99), "unknown");
	assert_string_equal(brg_bar_era_name((enum brg_bar_era) - 1), "unknown");
}

static void refused(const char *path, int err, const char *words)
{
	struct brg_bar_handler h;

	assert_fails(brg_bar_handler_detect(path, &h), err, words);
	assert_int_equal(h.era, BRG_BAR_ERA_UNKNOWN);
	assert_true(h.vulnerable);
	assert_string_equal(h.evidence, brg_errmsg());
}

static void no_modules(void **state)
{
	refused("/nowhere/vfio-pci.ko", ENOENT, "/nowhere/vfio-pci.ko");
	refused("/dev/null", EINVAL, "no kernel module");
	refused("/proc/self/exe", EINVAL, "no kernel module");	   /* ELF, but linked */
	refused("/proc/self/cmdline", EINVAL, "no kernel module"); /* not ELF at all */
}

/* The contents of a file. Freed by the caller. */
static char *contents(const char *path, size_t *size)
{
	FILE *f = fopen(path, "r");
	char *data = NULL;
	struct stat st;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	*size = (size_t)st.st_size;
	data = malloc(*size);
	assert_int_equal(fread(data, 1, *size, f), *size);
	fclose(f);
	return data;
}

/* A file in memory, and the path to open it by. */
static int make_file(const void *data, size_t size, char path[64])
{
	int fd = memfd_create("module", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

static bool is_safe(const char *path)
{
	struct brg_bar_handler h;

	return !brg_bar_handler_detect(path, &h) && !h.vulnerable;
}

static void truncated(void **state)
{
	size_t size;
	char *data = contents(MADE("FIXED"), &size);
	char path[64];
	int fd = make_file(data, size, path);

	assert_true(is_safe(path));
	while (size--) {
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
		if (is_safe(path))
			fail_msg("safe when cut to %zu bytes", size);
	}
	close(fd);
	free(data);
}

/* No byte of an unfixed module, whatever it becomes, makes it a safe one. */
static void one_wrong_byte(void **state)
{
	size_t size;
	char *data = contents(MADE("UNFIXED"), &size);
	char path[64];
	int fd = make_file(data, size, path);

	for (size_t i = 0; i < size; i++) {
		const char wrong[] = {0, 1, (char)0xff, (char)(data[i] ^ 1),
				      (char)(data[i] ^ 0x80)};

		for (size_t j = 0; j < sizeof(wrong); j++) {
			assert_int_equal(pwrite(fd, &wrong[j], 1, (off_t)i), 1);
			if (is_safe(path))
				fail_msg("safe with 0x%02x at %zu", (unsigned char)wrong[j], i);
		}
		assert_int_equal(pwrite(fd, &data[i], 1, (off_t)i), 1);
	}
	close(fd);
	free(data);
}

static void check_compressed(const char *suffix, const void *data, size_t size)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/vfio-pci.ko.%s", root, suffix);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	fclose(f);
	check(path, BRG_BAR_ERA_FIXED, false);
	while (size > 10) { /* to where it is not recognised any more */
		size -= size > 200 ? 50 : 1;
		assert_int_equal(truncate(path, (off_t)size), 0);
		refused(path, EINVAL, "cannot be decompressed");
	}
}

static void gzip_is_read(void **state)
{
	char packed[65536];
	z_stream z = {.next_out = (Bytef *)packed, .avail_out = sizeof(packed)};
	size_t size;
	char *data = contents(MADE("FIXED"), &size);

	z.next_in = (Bytef *)data;
	z.avail_in = (uInt)size;
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY),
			 Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	check_compressed("gz", packed, z.total_out);
	free(data);
}

static void xz_is_read(void **state)
{
	uint8_t packed[65536];
	size_t size, packed_size = 0;
	char *data = contents(MADE("FIXED"), &size);

	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, (uint8_t *)data, size,
						 packed, &packed_size, sizeof(packed)),
			 LZMA_OK);
	check_compressed("xz", packed, packed_size);
	free(data);
}

static void zstd_is_read(void **state)
{
	char packed[65536];
	size_t size, packed_size;
	char *data = contents(MADE("FIXED"), &size);

	packed_size = ZSTD_compress(packed, sizeof(packed), data, size, 3);
	assert_false(ZSTD_isError(packed_size));
	check_compressed("zst", packed, packed_size);
	free(data);
}

static int make_tree(void **state)
{
	return new_tree();
}

/* A loaded module as sysfs shows it, with the build ID of a made one. */
static void load(const char *name, const char *made)
{
	char path[256];
	size_t size;
	char *data = contents(made, &size);
	/* The note: sizes of name and hash, type NT_GNU_BUILD_ID, "GNU" (elf.h); SHA-1's 20 bytes.
	 */
	const char head[] = {4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0};
	const char *note = memmem(data, size, head, sizeof(head));
	FILE *f;

	put("live\n", "/sys/module/%s/initstate", name);
	put("", "/sys/module/%s/notes/.note.gnu.build-id", name);
	snprintf(path, sizeof(path), "%s/sys/module/%s/notes/.note.gnu.build-id", root, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_non_null(note);
	assert_int_equal(fwrite(note, 1, sizeof(head) + 20, f), sizeof(head) + 20);
	fclose(f);
	free(data);
}

static void install(const char *file, const char *made)
{
	char target[PATH_MAX];
	struct utsname kernel;

	uname(&kernel);
	assert_non_null(realpath(made, target));
	link_to(target, "/lib/modules/%s/%s.ko", kernel.release, file);
}

static void check_running(enum brg_bar_era era, bool loaded, const char *words)
{
	struct brg_bar_handler h;

	assert_int_equal(brg_bar_handler_detect(NULL, &h), 0);
	assert_string_equal(brg_bar_era_name(h.era), brg_bar_era_name(era));
	assert_int_equal(h.vulnerable, era == BRG_BAR_ERA_UNKNOWN || era == BRG_BAR_ERA_UNFIXED);
	assert_int_equal(h.loaded, loaded);
	if (!strstr(h.evidence, words))
		fail_msg("\"%s\" does not say \"%s\"", h.evidence, words);
}

static void nothing_loaded(void **state)
{
	check_running(BRG_BAR_ERA_UNKNOWN, false, "built into the kernel, or not loaded");
	install("vfio-pci-core", MADE("FIXED"));
	check_running(BRG_BAR_ERA_UNKNOWN, false, "built into the kernel, or not loaded");
	put("Y\n", "/sys/module/vfio_pci/parameters/nointxmask"); /* built in */
	check_running(BRG_BAR_ERA_UNKNOWN, false, "built into the kernel, or not loaded");
}

static void loaded_without_a_file(void **state)
{
	load("vfio_pci_core", MADE("FIXED"));
	check_running(BRG_BAR_ERA_UNKNOWN, false, "there is no module vfio-pci-core in ");
}

static void loaded_is_another(void **state)
{
	struct brg_bar_handler h;

	load("vfio_pci_core", MADE("UNFIXED"));
	install("vfio-pci-core", MADE("FIXED"));
	check_running(BRG_BAR_ERA_UNKNOWN, false, "its build ID is not that of");
	/* Named, it is what it is, only not this kernel's. */
	assert_int_equal(brg_bar_handler_detect(MADE("FIXED"), &h), 0);
	assert_int_equal(h.era, BRG_BAR_ERA_FIXED);
	assert_false(h.loaded);
	assert_int_equal(brg_bar_handler_detect(MADE("UNFIXED"), &h), 0);
	assert_true(h.loaded);
}

static void loaded_without_a_build_id(void **state)
{
	put("live\n", "/sys/module/vfio_pci_core/initstate");
	install("vfio-pci-core", MADE("FIXED"));
	check_running(BRG_BAR_ERA_UNKNOWN, false, "its build ID is not that of");
	put("", "/sys/module/vfio_pci_core/notes/.note.gnu.build-id");
	check_running(BRG_BAR_ERA_UNKNOWN, false, "its build ID is not that of");
}

/* The way of an installed kernel: depmod's index says which file, among several. */
static void loaded_is_found_by_the_index(void **state)
{
	struct utsname kernel;

	uname(&kernel);
	load("vfio_pci_core", MADE("FIXED"));
	install("kernel/drivers/vfio/pci/vfio-pci-core", MADE("UNFIXED"));
	install("updates/dkms/vfio-pci-core", MADE("FIXED"));
	put("kernel/drivers/vfio/pci/vfio-pci-core-more.ko:\n"
	    "updates/dkms/vfio-pci-core.ko: kernel/drivers/vfio/vfio.ko\n",
	    "/lib/modules/%s/modules.dep", kernel.release);
	check_running(BRG_BAR_ERA_FIXED, true, "zap_vma_ptes");
	put("kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/pci/vfio-pci-core.ko\n",
	    "/lib/modules/%s/modules.dep", kernel.release);
	check_running(BRG_BAR_ERA_UNKNOWN, false, "there is no module vfio-pci-core in ");
}

static void loaded_is_known(void **state)
{
	load("vfio_pci_core", MADE("UNFIXED"));
	install("vfio-pci-core", MADE("UNFIXED"));
	/* vfio-pci is loaded on top of it, and is not where the handler is. */
	load("vfio_pci", MADE("NO_FAULT"));
	install("vfio-pci", MADE("NO_FAULT"));
	check_running(BRG_BAR_ERA_UNFIXED, true, "does not call zap_vma_ptes");
}

static void one_module_before_5_15(void **state)
{
	load("vfio_pci", MADE("FIXED"));
	install("vfio-pci", MADE("FIXED"));
	check_running(BRG_BAR_ERA_FIXED, true, "zap_vma_ptes");
}

#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_era),
		cmocka_unit_test(doubt_is_vulnerable),
		cmocka_unit_test(names),
		cmocka_unit_test(no_modules),
		cmocka_unit_test(truncated),
		cmocka_unit_test(one_wrong_byte),
		WITH_TREE(gzip_is_read),
		WITH_TREE(xz_is_read),
		WITH_TREE(zstd_is_read),
		WITH_TREE(nothing_loaded),
		WITH_TREE(loaded_without_a_file),
		WITH_TREE(loaded_is_another),
		WITH_TREE(loaded_without_a_build_id),
		WITH_TREE(loaded_is_known),
		WITH_TREE(loaded_is_found_by_the_index),
		WITH_TREE(one_module_before_5_15),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
