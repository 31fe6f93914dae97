/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SR-IOV virtual functions of a real controller, which vfio-pci has as it has the physical one:
 * enabled, given queues, and each used by an lcore of its own.
 */

#include "disk.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "pattern.h"

#define VFS  2
#define PAGE 4096

static struct brg_device *pf;
static struct brg_nvme_ctrl *primary;
static struct brg_nvme_ns ns;

struct vf {
	struct brg_device *dev;
	struct brg_nvme_ctrl *ctrl;
	struct brg_nvme_qpair *qp;
	uint8_t *buf;
	unsigned int index;
	bool ok;
};

/* A switch of the whole kernel: "0" or "1". */
static void enable_sriov(const char *on)
{
	FILE *file = fopen("/sys/module/vfio_pci/parameters/enable_sriov", "w");

	assert_non_null(file);
	assert_true(fputs(on, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int start(void **state)
{
	if (brg_env_init(NULL) || brg_device_open(test_bdf(), &pf) ||
	    brg_nvme_open(pf, NULL, &primary) || brg_nvme_ns_get(primary, 1, &ns)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	return 0;
}

static int stop(void **state)
{
	brg_nvme_close(primary);
	brg_device_close(pf);
	brg_env_cleanup();
	return 0;
}

static void what_is_refused(void **state)
{
	struct brg_device *other;
	char bdf[16];

	assert_fails(brg_device_set_vfs(pf, VFS + 1), EINVAL, "at most 2");
	assert_fails(brg_device_set_vfs(pf, VFS), EPERM, "enable_sriov");
	assert_fails(brg_device_vf(pf, 0, bdf), ENOENT, "it has 0 now");
	assert_fails(brg_nvme_secondary_online(primary, 77, 2, 1), EIO, "Controller Identifier");

	assert_works(brg_device_open(getenv("BARRAGE_DEVICES"), &other));
	assert_fails(brg_device_set_vfs(other, 1), ENOTSUP, "SR-IOV");
	brg_device_close(other);
}

static void set_up(struct vf *vf)
{
	const struct brg_nvme_opts opts = {.io_queues = 1};
	uint16_t cntlid = vf->index + 1;
	char bdf[16];

	assert_works(brg_nvme_secondary_online(primary, cntlid, 2, 1));
	assert_works(brg_device_vf(pf, vf->index, bdf));
	assert_works(brg_device_open(bdf, &vf->dev));
	assert_works(brg_nvme_open(vf->dev, &opts, &vf->ctrl));
	assert_int_equal(brg_nvme_id_ctrl(vf->ctrl)->cntlid, cntlid);
	assert_works(brg_nvme_qpair_create(vf->ctrl, NULL, &vf->qp));
	vf->buf = rte_zmalloc(NULL, PAGE, PAGE);
	assert_non_null(vf->buf);
}

static void tear_down(struct vf *vf)
{
	rte_free(vf->buf);
	brg_nvme_close(vf->ctrl);
	brg_device_close(vf->dev);
}

static bool finish(struct vf *vf, struct io *io)
{
	while (brg_nvme_outstanding(vf->qp))
		if (brg_nvme_poll(vf->qp, 0) < 0)
			return false;
	return io->calls == 1 && !io->status;
}

/* On an lcore: write pages of a pattern, each its own, and read them back. */
static int work(void *arg)
{
	struct vf *vf = arg;
	uint32_t nblocks = PAGE / ns.block_size;

	for (unsigned int i = 0; i < 50; i++) {
		uint64_t lba = (vf->index * 1000 + i) * nblocks;
		struct io out = {0}, in = {0};

		pattern_fill(vf->buf, PAGE, vf->index, i * PAGE);
		if (brg_nvme_write(vf->qp, &ns, vf->buf, lba, nblocks, io_done, &out) ||
		    !finish(vf, &out))
			return -1;
		memset(vf->buf, 0, PAGE);
		if (brg_nvme_read(vf->qp, &ns, vf->buf, lba, nblocks, io_done, &in) ||
		    !finish(vf, &in) || !pattern_is(vf->buf, PAGE, vf->index, i * PAGE))
			return -1;
	}
	return 0;
}

static void one_per_lcore(void **state)
{
	unsigned int other = rte_get_next_lcore(rte_lcore_id(), 1, 0);
	struct vf vfs[VFS] = {{.index = 0}, {.index = 1}};
	uint8_t *page = rte_zmalloc(NULL, PAGE, PAGE);
	struct brg_nvme_qpair *qp;

	enable_sriov("1");
	assert_works(brg_device_set_vfs(pf, VFS));
	assert_works(brg_device_set_vfs(pf, VFS)); /* as it is */
	for (int i = 0; i < VFS; i++)
		set_up(&vfs[i]);
	assert_int_equal(rte_eal_remote_launch(work, &vfs[1], other), 0);
	assert_int_equal(work(&vfs[0]), 0);
	assert_int_equal(rte_eal_wait_lcore(other), 0);

	/* The physical function sees what both have written. */
	assert_works(brg_nvme_qpair_create(primary, NULL, &qp));
	for (unsigned int i = 0; i < VFS; i++) {
		uint64_t lba = (i * 1000 + 49) * (PAGE / ns.block_size);

		assert_int_equal(read_blocks(qp, &ns, page, lba, PAGE / ns.block_size), 0);
		assert_true(pattern_is(page, PAGE, i, 49 * PAGE));
	}
	for (int i = 0; i < VFS; i++)
		tear_down(&vfs[i]);
	assert_works(brg_nvme_secondary_offline(primary, 1));
	assert_works(brg_device_set_vfs(pf, 0));
	rte_free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(one_per_lcore),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
