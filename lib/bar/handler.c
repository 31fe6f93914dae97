/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which fault handler vfio-pci has, told by what the module's code calls. Distributions backport,
 * so a version number proves nothing. What cannot be told for certain is vulnerable.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bar.h"
#include "base.h"
#include "brg_bar.h"
#include "module.h"
#include "sysfs.h"

#define FAULT	   "vfio_pci_mmap_fault"
#define HUGE_FAULT "vfio_pci_mmap_huge_fault"

const char *brg_bar_era_name(enum brg_bar_era era)
{
	static const char *const names[] = {
		[BRG_BAR_ERA_UNKNOWN] = "unknown",
		[BRG_BAR_ERA_UNFIXED] = "unfixed",
		[BRG_BAR_ERA_SKIP_EXISTING] = "skip-existing",
		[BRG_BAR_ERA_FIXED] = "fixed",
		[BRG_BAR_ERA_INSERT_PFN] = "insert-pfn",
		[BRG_BAR_ERA_EAGER] = "eager",
		[BRG_BAR_ERA_ADDRESS_SPACE] = "address-space",
		[BRG_BAR_ERA_HUGE] = "huge",
	};

	return (unsigned int)era < sizeof(names) / sizeof(names[0]) ? names[era] : "unknown";
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

/* What fills a whole range and takes an entry that is there already for a kernel BUG. */
static const char *const remappers[] = {
	"remap_pfn_range", "io_remap_pfn_range", "vm_iomap_memory",
	"dma_mmap_attrs",  "dma_mmap_pages",	 NULL,
};

/* What a function refers to that does nothing but return: ftrace's hook, and a safe return. */
static const char *const frame[] = {"__fentry__", "__x86_return_thunk", NULL};

struct references {
	bool remaps;
	unsigned int zaps;
	bool inserts;
	bool others; /* than a function's frame */
};

static void note(const char *name, void *arg)
{
	struct references *r = arg;

	r->remaps |= is_one_of(name, remappers);
	r->zaps += !strcmp(name, "zap_vma_ptes");
	r->inserts |= !strcmp(name, "vmf_insert_pfn");
	r->others |= !is_one_of(name, frame);
}

static bool can_remap(const struct brg_module *m)
{
	for (const char *const *name = remappers; *name; name++)
		if (brg_module_imports(m, *name))
			return true;
	return false;
}

/* Safe by name, so that an era yet to come is vulnerable until somebody says that it is not. */
static bool is_safe(enum brg_bar_era era)
{
	return era == BRG_BAR_ERA_FIXED || era == BRG_BAR_ERA_INSERT_PFN ||
	       era == BRG_BAR_ERA_EAGER || era == BRG_BAR_ERA_ADDRESS_SPACE ||
	       era == BRG_BAR_ERA_HUGE;
}

static void set_era(struct brg_bar_handler *h, enum brg_bar_era era)
{
	h->era = era;
	h->vulnerable = !is_safe(era);
}

static void add_evidence(struct brg_bar_handler *h, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void add_evidence(struct brg_bar_handler *h, const char *fmt, ...)
{
	size_t len = strlen(h->evidence);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h->evidence + len, sizeof(h->evidence) - len, fmt, ap);
	va_end(ap);
}

static void decide(struct brg_bar_handler *h, enum brg_bar_era era, const char *evidence)
{
	set_era(h, era);
	add_evidence(h, "%s", evidence);
}

/*
 * Safe is what is proven by the function's own code, or by what the whole module never calls: a
 * call of a static function in the same section is seen in neither.
 *
 * 6a45ece4c9af zaps in two places: when the fill fails, and when there is no memory to record the
 * VMA. The proposal before it has the second alone. A compiler that merges the two makes fixed look
 * like that; none is known that makes two calls of one.
 */
static void classify(const struct brg_module *m, struct brg_bar_handler *h)
{
	unsigned int faults = brg_module_count(m, FAULT);
	unsigned int huge = brg_module_count(m, HUGE_FAULT);
	bool remappable = can_remap(m);
	struct references r = {0};

	if (faults + huge == 0)
		return decide(h, BRG_BAR_ERA_UNKNOWN, "it has no function " FAULT);
	if (faults + huge > 1)
		return decide(h, BRG_BAR_ERA_UNKNOWN, "it has several functions " FAULT);
	if (huge && !remappable && brg_module_imports(m, "vmf_insert_pfn"))
		return decide(h, BRG_BAR_ERA_HUGE,
			      "it has " HUGE_FAULT ", and vmf_insert_pfn is all it fills with");

	brg_module_references(m, FAULT, note, &r);
	if (r.remaps && r.zaps > 1)
		return decide(h, BRG_BAR_ERA_FIXED,
			      FAULT " calls remap_pfn_range, and zap_vma_ptes in two places");
	if (r.remaps && r.zaps)
		return decide(h, BRG_BAR_ERA_SKIP_EXISTING,
			      FAULT " calls remap_pfn_range, and zap_vma_ptes in one place only");
	if (r.remaps)
		return decide(h, BRG_BAR_ERA_UNFIXED,
			      FAULT " calls remap_pfn_range, and does not call zap_vma_ptes");
	if (r.inserts && !remappable && brg_module_imports(m, "unmap_mapping_range"))
		return decide(h, BRG_BAR_ERA_ADDRESS_SPACE,
			      FAULT " calls vmf_insert_pfn, and unmap_mapping_range takes away");
	if (r.inserts && !remappable)
		return decide(h, BRG_BAR_ERA_INSERT_PFN,
			      FAULT " calls vmf_insert_pfn, and nothing calls remap_pfn_range");
	if (faults && !r.others && remappable && brg_module_is_straight(m, FAULT))
		return decide(h, BRG_BAR_ERA_EAGER,
			      FAULT " does nothing but return, and others call remap_pfn_range");
	decide(h, BRG_BAR_ERA_UNKNOWN, "what its fault handler calls is none of the known ways");
}

/* vfio-pci was split in two in 5.15 (7fa005caa35e); the fault handler is in vfio-pci-core. */
static const struct module_name {
	const char *name; /* in sysfs */
	const char *file;
} module_names[] = {
	{"vfio_pci_core", "vfio-pci-core"},
	{"vfio_pci", "vfio-pci"},
};

/* The module that holds the handler; NULL when none is loaded. What is built in has no state. */
static const struct module_name *loaded_module(void)
{
	for (size_t i = 0; i < sizeof(module_names) / sizeof(module_names[0]); i++) {
		char state[16];

		if (!brg_sysfs_read(state, sizeof(state), "/sys/module/%s/initstate",
				    module_names[i].name))
			return &module_names[i];
	}
	return NULL;
}

/* The file that modprobe would load: modules.dep(5) has one for each name. */
static bool find_indexed(const char *folder, const char *file, char *path, size_t size)
{
	char index[PATH_MAX + 16];
	size_t len = strlen(file);
	char *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *in;

	snprintf(index, sizeof(index), "%s/modules.dep", folder);
	in = fopen(index, "re");
	if (!in)
		return false;
	while (!found && getline(&line, &room, in) > 0) {
		const char *base;

		line[strcspn(line, ":")] = '\0';
		base = strrchr(line, '/') ? strrchr(line, '/') + 1 : line;
		found = !strncmp(base, file, len) && !strncmp(base + len, ".ko", 3);
	}
	if (found)
		found = (size_t)snprintf(path, size, "%s%s%s", line[0] == '/' ? "" : folder,
					 line[0] == '/' ? "" : "/", line) < size;
	free(line);
	fclose(in);
	return found;
}

/*
 * Where depmod has made no index, as in a guest of barrage-lab, the module may lie in the folder
 * itself. A wrong file does no harm: it has another build ID.
 */
static int find_file(const struct module_name *module, char *path, size_t size)
{
	char folder[PATH_MAX];
	struct utsname kernel;

	uname(&kernel);
	brg_sysfs_path(folder, sizeof(folder), "/lib/modules/%s", kernel.release);
	if (find_indexed(folder, module->file, path, size))
		return 0;
	if ((size_t)snprintf(path, size, "%s/%s.ko", folder, module->file) < size &&
	    !access(path, R_OK))
		return 0;
	path[0] = '\0';
	return brg_fail(ENOENT, "there is no module %s in %s", module->file, folder);
}

/*
 * The linker's build ID is a hash of all that is loaded. The kernel shows the notes of a module as
 * they are in its file (since 2.6.23).
 */
static bool is_loaded(const struct brg_module *m, const struct module_name *module)
{
	static const char section[] = ".note.gnu.build-id";
	char path[PATH_MAX], note[256];
	const void *own;
	ssize_t len;
	size_t size;
	int fd;

	brg_sysfs_path(path, sizeof(path), "/sys/module/%s/notes/%s", module->name, section);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, note, sizeof(note));
	close(fd);
	own = brg_module_section(m, section, &size);
	return own && len > 0 && (size_t)len == size && !memcmp(own, note, size);
}

static int detect_running(struct brg_bar_handler *h)
{
	const struct module_name *module = loaded_module();
	struct brg_module m;

	if (!module) {
		decide(h, BRG_BAR_ERA_UNKNOWN, "vfio-pci is built into the kernel, or not loaded");
		return 0;
	}
	if (find_file(module, h->module, sizeof(h->module)) || brg_module_open(h->module, &m)) {
		decide(h, BRG_BAR_ERA_UNKNOWN, brg_errmsg());
		return 0;
	}
	h->loaded = is_loaded(&m, module);
	if (h->loaded)
		classify(&m, h);
	else
		decide(h, BRG_BAR_ERA_UNKNOWN,
		       "its build ID is not that of the module that is loaded");
	brg_module_close(&m);
	return 0;
}

static int detect_file(const char *path, struct brg_bar_handler *h)
{
	const struct module_name *module = loaded_module();
	struct brg_module m;
	int rc;

	snprintf(h->module, sizeof(h->module), "%s", path);
	rc = brg_module_open(path, &m);
	if (rc) {
		decide(h, BRG_BAR_ERA_UNKNOWN, brg_errmsg());
		return rc;
	}
	h->loaded = module && is_loaded(&m, module);
	classify(&m, h);
	brg_module_close(&m);
	return 0;
}

int brg_bar_handler_detect(const char *module, struct brg_bar_handler *h)
{
	*h = (struct brg_bar_handler){0};
	return module ? detect_file(module, h) : detect_running(h);
}

#define TOUCHES 4

static long thread_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

/* Pages that lie in one VMA, at the start of the BAR's first area. */
static int map_pages(struct brg_device *dev, unsigned int index, struct brg_bar **bar,
		     unsigned int *pages)
{
	const struct brg_region *region = brg_device_region(dev, index);
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct brg_bar_opts opts = {.policy = BRG_BAR_LAZY};
	int rc;

	rc = brg_bar_check_decode(dev);
	if (rc)
		return rc;
	if (region && region->nareas) {
		opts.offset = region->areas[0].offset;
		opts.length = region->areas[0].size;
	}
	if (opts.length > TOUCHES * page)
		opts.length = TOUCHES * page;
	rc = brg_bar_map(dev, index, &opts, bar);
	if (!rc)
		*pages = (unsigned int)((*bar)->length / page);
	return rc;
}

/* AddressSanitizer would look up each address in memory of its own, and fault there as well. */
__attribute__((no_sanitize_address)) static void touch(const struct brg_bar *bar,
						       unsigned int pages, long taken[])
{
	uint64_t page = bar->length / pages;

	thread_faults(); /* what this call itself faults in is not to be counted */
	for (unsigned int i = 0; i < pages; i++) {
		long before = thread_faults();

		(void)*(volatile uint32_t *)(bar->base + bar->offset + i * page);
		taken[i] = thread_faults() - before;
	}
}

/* The mapping is too small for a huge page: the handlers of 6.12 on take a fault per page. */
static long expected(enum brg_bar_era era, unsigned int page)
{
	if (era == BRG_BAR_ERA_EAGER)
		return 0;
	return era == BRG_BAR_ERA_HUGE || page == 0;
}

int brg_bar_handler_confirm(struct brg_bar_handler *h, struct brg_device *dev, unsigned int index)
{
	long taken[TOUCHES];
	struct brg_bar *bar;
	unsigned int pages;
	bool agrees = true;
	int rc;

	rc = map_pages(dev, index, &bar, &pages);
	if (rc)
		return rc;
	touch(bar, pages, taken);
	brg_bar_unmap(bar);

	add_evidence(h, "; faults per page touched:");
	for (unsigned int i = 0; i < pages; i++) {
		add_evidence(h, " %ld", taken[i]);
		agrees &= taken[i] == expected(h->era, i);
	}
	if (!agrees)
		set_era(h, BRG_BAR_ERA_UNKNOWN);
	return 0;
}
