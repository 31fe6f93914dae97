/* SPDX-License-Identifier: BSD-3-Clause */
/* Read the first block of namespace 1: ./read_block 0000:00:04.0 */

#include <brg_nvme.h>
#include <err.h>
#include <rte_malloc.h>
#include <stdio.h>

static void check(int rc)
{
	if (rc < 0)
		errx(1, "%s", brg_errmsg());
}

static void on_read(void *block, const struct brg_nvme_cqe *cqe)
{
	printf("%s: %02x...\n", brg_nvme_status_str(brg_nvme_status(cqe)), *(uint8_t *)block);
}

int main(int argc, char **argv)
{
	struct brg_device *dev;
	struct brg_nvme_ctrl *ctrl;
	struct brg_nvme_qpair *qp;
	struct brg_nvme_ns ns;
	void *block;

	check(brg_env_init(NULL)); /* not needed where EAL is up already */
	check(brg_device_open(argc > 1 ? argv[1] : "", &dev));
	check(brg_nvme_open(dev, NULL, &ctrl));
	check(brg_nvme_ns_get(ctrl, 1, &ns));
	check(brg_nvme_qpair_create(ctrl, NULL, &qp));
	block = rte_malloc(NULL, ns.block_size, 4096);
	check(brg_nvme_read(qp, &ns, block, 0, 1, on_read, block));
	while (brg_nvme_outstanding(qp))
		check(brg_nvme_poll(qp, 0));
	rte_free(block);
	brg_nvme_close(ctrl);
	brg_device_close(dev);
	brg_env_cleanup();
}
