/* SPDX-License-Identifier: BSD-3-Clause */
/* Put a guest together: kernel, modules, init, job. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embedded.h"
#include "guest.h"
#include "guest/job.h"
#include "text.h"
#include "unpack.h"

/* What every guest loads, with what they depend on; what is built into a kernel is left out. */
static const char *const wanted[] = {
	"virtio_pci", "virtio_console", "nvme", "vfio_iommu_type1", "vfio_pci",
};

int guest_prepare(struct guest *g, const struct handler *handler, const char *kernel,
		  const char *modules, int fail_after)
{
	bool failing = fail_after != NO_FAIL_AFTER;
	int ret;

	*g = (struct guest){0};
	if (!kernel)
		kernel = handler ? handler->kernel : KERNEL_DEFAULT;
	ret = kernel_get(kernel, modules, &g->kernel);
	if (ret == 0 && handler)
		ret = handler_module(handler, &g->kernel, failing, &g->vfio_pci);
	if (failing)
		g->parameters = format("fail_after=%d", fail_after);
	for (size_t i = 0; ret == 0 && i < sizeof(wanted) / sizeof(wanted[0]); i++)
		ret = modules_add(&g->modules, g->kernel.modules, g->vfio_pci, wanted[i]);
	return ret;
}

int guest_prepare_named(struct guest *g, const char *what, bool failing)
{
	int fail_after = failing ? 0 : NO_FAIL_AFTER;
	const struct handler *handler;

	*g = (struct guest){0};
	if (strpbrk(what, ":/")) {
		if (!failing)
			return guest_prepare(g, NULL, what, NULL, fail_after);
		warnx("--fail-after goes with handlers, whose modules the lab builds, not with "
		      "\"%s\"",
		      what);
		return -1;
	}
	handler = handler_find(what);
	return handler ? guest_prepare(g, handler, NULL, NULL, fail_after) : -1;
}

void guest_free(struct guest *g)
{
	modules_free(&g->modules);
	kernel_free(&g->kernel);
	free(g->vfio_pci);
	free(g->parameters);
}

/* The job file, written key by key. */
struct script {
	FILE *out;
	char *text;
	size_t size;
};

static void say(struct script *s, const char *key, const char *value)
{
	fwrite(key, 1, strlen(key) + 1, s->out);
	fwrite(value, 1, strlen(value) + 1, s->out);
}

/* Parameters are those of the handler's module. */
static void say_module(struct script *s, const struct guest *g, const char *path, const char *name)
{
	char *module;

	if (!g->parameters || strcmp(path, g->vfio_pci) != 0) {
		say(s, JOB_MODULE, name);
		return;
	}
	module = format("%s %s", name, g->parameters);
	say(s, JOB_MODULE, module);
	free(module);
}

/* The modules as files in the image, decompressed, and as lines of the job. */
static int add_modules(struct image *image, const struct guest *g, struct script *s)
{
	for (size_t i = 0; i < g->modules.count; i++) {
		const char *path = g->modules.paths[i], *base = strrchr(path, '/') + 1;
		char *name = format(JOB_FOLDER "/%.*s.ko", (int)(strstr(base, ".ko") - base), base);
		size_t size;
		void *data = unpack_file(path, &size);
		int ret = data ? image_add_data(image, name, data, size, 0644) : -1;

		say_module(s, g, path, name);
		free(data);
		free(name);
		if (ret)
			return -1;
	}
	return 0;
}

static int add_program(struct image *image, const struct guest_job *job, struct script *s)
{
	char *path = image_find_program(job->argv[0]);
	int ret = path ? image_add_program(image, path) : -1;

	if (ret == 0) {
		say(s, JOB_ARG, path);
		for (char *const *a = job->argv + 1; *a; a++)
			say(s, JOB_ARG, *a);
	}
	free(path);
	return ret;
}

static int add_extras(struct image *image, const struct guest_job *job)
{
	for (char *const *f = job->files; f && *f; f++) {
		char *path = realpath(*f, NULL);
		int ret = path ? image_add_path(image, path, path) : -1;

		if (!path)
			warn("%s", *f);
		free(path);
		if (ret)
			return -1;
	}
	for (char *const *p = job->programs; p && *p; p++) {
		char *path = image_find_program(*p);
		int ret = path ? image_add_program(image, path) : -1;

		free(path);
		if (ret)
			return -1;
	}
	return 0;
}

/* The further devices go to vfio-pci as well; the program finds their addresses in a variable. */
static void add_devices(const struct vm_config *config, struct script *s)
{
	char *list = format("BARRAGE_DEVICES=");
	int slot = VM_FIRST_SLOT + 1;

	for (char *const *d = config->devices; d && *d; d++, slot++) {
		char *bdf = format("0000:00:%02x.0", slot);
		char *longer = format("%s%s%s", list, d == config->devices ? "" : " ", bdf);

		say(s, JOB_VFIO, bdf);
		free(bdf);
		free(list);
		list = longer;
	}
	say(s, JOB_ENV, list);
	free(list);
}

/* A quarter of the guest's memory as hugepages of 2 MiB. */
static void add_settings(const struct guest_job *job, const struct vm_config *config,
			 struct script *s)
{
	char *pages = format("%u", config->memory_mib / 4 / 2);
	char *address = format("BARRAGE_BDF=%s", vm_nvme_bdf(config));

	say(s, JOB_HUGEPAGES, pages);
	free(pages);
	say(s, JOB_MARK, config->mark);
	if (job->calibrate)
		say(s, JOB_CALIBRATE, "");
	if (!job->keep_driver)
		say(s, JOB_VFIO, vm_nvme_bdf(config));
	say(s, JOB_ENV, address);
	free(address);
	say(s, JOB_ENV, "BARRAGE_RECORDS=" RECORDS_PATH);
	add_devices(config, s);
	for (char *const *e = job->env; e && *e; e++)
		say(s, JOB_ENV, *e);
	if (job->rows) {
		char *size = format("%u %u", job->rows, job->columns);

		say(s, JOB_TTY, size);
		free(size);
	}
}

static int fill_image(struct image *image, const struct guest *g, const struct guest_job *job,
		      const struct vm_config *config)
{
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n";
	struct script s = {0};
	int ret = -1;

	s.out = open_memstream(&s.text, &s.size);
	if (!s.out)
		err(1, NULL);
	if (image_add_data(image, "/init", embedded_barrage_guest_init,
			   (size_t)(embedded_barrage_guest_init_end - embedded_barrage_guest_init),
			   0755) < 0 ||
	    image_add_data(image, "/etc/passwd", passwd, strlen(passwd), 0644) < 0 ||
	    image_add_data(image, "/root/.keep", "", 0, 0644) < 0 || add_modules(image, g, &s) < 0)
		goto out;
	add_settings(job, config, &s);
	if (add_program(image, job, &s) < 0 || add_extras(image, job) < 0)
		goto out;
	fflush(s.out);
	ret = image_add_data(image, JOB_FILE, s.text, s.size, 0644);
out:
	fclose(s.out);
	free(s.text);
	return ret;
}

int guest_run(const struct guest *g, const struct guest_job *job, struct vm_config *config,
	      const struct vm_streams *streams, struct vm_outcome *outcome)
{
	struct image *image = image_new();
	int ret;

	ending_choose(config->mark);
	ret = fill_image(image, g, job, config);
	if (ret == 0) {
		config->image = g->kernel.image;
		config->initramfs = image_finish(image);
		ret = config->initramfs < 0 ? -1 : vm_run(config, streams, outcome);
	}
	image_free(image);
	return ret;
}
