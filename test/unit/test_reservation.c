/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reservations: what is sent, with which keys, and what is refused unsent; and the identifier of
 * the host. The controller keeps what it was sent, and fills in a report.
 */

#include "unit.h"

#include <errno.h>

#include "fake_admin.h"
#include "fake_ctrl.h"

#define KEY   UINT64_C(0x1122334455667788)
#define OTHER UINT64_C(0x99aabbccddeeff00)

static struct brg_nvme_sqe sent;
static uint64_t keys[2];
static struct brg_nvme_ns reserved;

static void keep(struct fake *f, struct ring *r, const struct brg_nvme_sqe *sqe)
{
	static const struct nvme_resv_status report = {.gen = 5, .rtype = 3, .regctl = {2}};
	bool conflict;

	sent = *sqe;
	if (sqe->opcode == nvme_cmd_resv_report) {
		memcpy((void *)(uintptr_t)sqe->prp1, &report, sizeof(report));
		post(r, sqe->cid, 0, 0);
		return;
	}
	memcpy(keys, (void *)(uintptr_t)sqe->prp1,
	       sqe->opcode == nvme_cmd_resv_release ? 8 : sizeof(keys));
	conflict = keys[0] && keys[0] != KEY;
	post(r, sqe->cid, conflict ? NVME_SC_DNR | NVME_SC_RESERVATION_CONFLICT : 0, 0);
}

static struct fake *reserving(void)
{
	struct fake *f = fake_new();

	f->io = keep;
	f->ctrl.id.oncs = NVME_CTRL_ONCS_RESERVATIONS;
	reserved = ns;
	reserved.id.rescap = NVME_NS_RESCAP_WE | NVME_NS_RESCAP_WERO | NVME_NS_RESCAP_EAAR;
	return f;
}

/* How the one command that was submitted with on_done(&c) ended. */
#define error_of(call)                                \
	({                                            \
		status = 0xffff;                      \
		assert_int_equal((call), 0);          \
		assert_int_equal(drain(qp), 0);       \
		assert_int_not_equal(status, 0xffff); \
		brg_nvme_status_errno(status);        \
	})

static uint16_t status;

static void on_status(void *arg, const struct brg_nvme_cqe *cqe)
{
	assert_int_equal(status, 0xffff);
	status = brg_nvme_status(cqe);
}

static void registers(void **state)
{
	struct fake *f = reserving();
	struct brg_nvme_qpair *qp = qpair(f);

	/* Each with the memory of another identifier. */
	for (unsigned int i = 0; i < 2 * DEPTH; i++) {
		assert_int_equal(
			error_of(brg_nvme_resv_register(
				qp, &reserved, NVME_RESERVATION_RREGA_REGISTER_KEY, 0, KEY + i,
				false, NVME_RESERVATION_CPTPL_CLEAR, on_status, NULL)),
			0);
		assert_int_equal(sent.opcode, nvme_cmd_resv_register);
		assert_int_equal(sent.nsid, 1);
		assert_true(sent.cdw10 == UINT32_C(2) << 30);
		assert_true(keys[0] == 0 && keys[1] == KEY + i);
	}
	assert_int_equal(error_of(brg_nvme_resv_register(
				 qp, &reserved, NVME_RESERVATION_RREGA_REPLACE_KEY, KEY, OTHER,
				 true, NVME_RESERVATION_CPTPL_NO_CHANGE, on_status, NULL)),
			 0);
	assert_int_equal(sent.cdw10, 1 << 3 | 2);
	assert_true(keys[0] == KEY && keys[1] == OTHER);
	assert_int_equal(error_of(brg_nvme_resv_register(
				 qp, &reserved, NVME_RESERVATION_RREGA_UNREGISTER_KEY, OTHER, 0,
				 false, NVME_RESERVATION_CPTPL_NO_CHANGE, on_status, NULL)),
			 -EBUSY);
	assert_int_equal(sent.cdw10, 1);
	fake_free(f);
}

static void acquires_and_releases(void **state)
{
	struct fake *f = reserving();
	struct brg_nvme_qpair *qp = qpair(f);

	assert_int_equal(error_of(brg_nvme_resv_acquire(
				 qp, &reserved, NVME_RESERVATION_RACQA_PREEMPT_AND_ABORT,
				 NVME_RESERVATION_RTYPE_WERO, KEY, OTHER, on_status, NULL)),
			 0);
	assert_int_equal(sent.opcode, nvme_cmd_resv_acquire);
	assert_int_equal(sent.cdw10, 3 << 8 | 2);
	assert_true(keys[0] == KEY && keys[1] == OTHER);
	assert_int_equal(
		error_of(brg_nvme_resv_release(qp, &reserved, NVME_RESERVATION_RRELA_RELEASE,
					       NVME_RESERVATION_RTYPE_EAAR, KEY, on_status, NULL)),
		0);
	assert_int_equal(sent.opcode, nvme_cmd_resv_release);
	assert_int_equal(sent.cdw10, 6 << 8);
	assert_true(keys[0] == KEY);
	assert_int_equal(error_of(brg_nvme_resv_release(qp, &reserved, NVME_RESERVATION_RRELA_CLEAR,
							0, KEY, on_status, NULL)),
			 0);
	assert_int_equal(sent.cdw10, 1);
	fake_free(f);
}

static void reports(void **state)
{
	struct nvme_resv_status *report = aligned_alloc(4096, 4096);
	struct fake *f = reserving();
	struct brg_nvme_qpair *qp = qpair(f);

	assert_non_null(report);
	memset(report, 0, 4096);
	assert_int_equal(
		error_of(brg_nvme_resv_report(qp, &reserved, false, report, 24, on_status, NULL)),
		0);
	assert_int_equal(sent.opcode, nvme_cmd_resv_report);
	assert_int_equal(sent.cdw10, 24 / 4 - 1);
	assert_int_equal(sent.cdw11, 0);
	assert_int_equal(report->gen, 5);
	assert_int_equal(report->rtype, NVME_RESERVATION_RTYPE_WERO);
	assert_int_equal(report->regctl[0], 2);
	assert_int_equal(
		error_of(brg_nvme_resv_report(qp, &reserved, true, report, 4096, on_status, NULL)),
		0);
	assert_int_equal(sent.cdw10, 4096 / 4 - 1);
	assert_int_equal(sent.cdw11, 1);
	assert_fails(brg_nvme_resv_report(qp, &reserved, false, report, 20, on_status, NULL),
		     EINVAL, "20 bytes for a report of reservations: it takes 24");
	assert_fails(brg_nvme_resv_report(qp, &reserved, true, report, 60, on_status, NULL), EINVAL,
		     "it takes 64");
	assert_fails(brg_nvme_resv_report(qp, &reserved, true, report, 66, on_status, NULL), EINVAL,
		     "multiple of 4");
	fake_free(f);
	free(report);
}

static int acquire(struct brg_nvme_qpair *qp, enum nvme_resv_rtype type)
{
	return brg_nvme_resv_acquire(qp, &reserved, NVME_RESERVATION_RACQA_ACQUIRE, type, KEY, 0,
				     on_status, NULL);
}

static void refusals(void **state)
{
	struct fake *f = reserving();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls c = {0};

	assert_fails(acquire(qp, NVME_RESERVATION_RTYPE_EA), ENOTSUP,
		     "namespace 1 does not support reservations of type 2 (RESCAP 0x4a)");
	assert_fails(acquire(qp, 0), EINVAL, "type 0");
	assert_fails(acquire(qp, 7), EINVAL, "type 7");
	assert_fails(brg_nvme_resv_register(qp, &reserved, NVME_RESERVATION_RREGA_REGISTER_KEY, 0,
					    KEY, false, NVME_RESERVATION_CPTPL_PERSIST, on_status,
					    NULL),
		     ENOTSUP, "persist through power loss");
	f->io = NULL;
	f->mood = HOLD;
	submit(qp, &c, COMMANDS);
	assert_int_equal(acquire(qp, NVME_RESERVATION_RTYPE_WE), -EAGAIN);
	reserved.id.rescap = 0;
	assert_fails(brg_nvme_resv_release(qp, &reserved, NVME_RESERVATION_RRELA_CLEAR, 0, KEY,
					   on_status, NULL),
		     ENOTSUP, "namespace 1 does not support reservations (RESCAP 0)");
	f->ctrl.id.oncs = 0;
	assert_fails(acquire(qp, NVME_RESERVATION_RTYPE_WE), ENOTSUP, "reservations (ONCS 0)");
	assert_int_equal(brg_nvme_outstanding(qp), COMMANDS);
	brg_nvme_qpair_free(qp);
	assert_int_equal(c.aborted, COMMANDS);
	fake_free(f);
}

static uint8_t host[16];
static size_t host_bytes;

static uint16_t host_device(struct fake_admin *f, const struct brg_nvme_sqe *sqe, uint32_t *dw0)
{
	host_bytes = sqe->cdw11 & 1 ? 16 : 8;
	if (sqe->cdw10 != NVME_FEAT_FID_HOST_ID)
		return NVME_SC_INVALID_FIELD;
	if (sqe->opcode == nvme_admin_set_features)
		memcpy(host, fake_data(sqe, host_bytes, 0), host_bytes);
	else
		memcpy(fake_data(sqe, host_bytes, 0), host, host_bytes);
	return 0;
}

static void host_identifiers(void **state)
{
	struct fake_admin *f = fake_admin_new(host_device);
	uint8_t id[16];

	assert_int_equal(brg_nvme_host_id_set(&f->ctrl, "01234567", 8), 0);
	assert_int_equal(host_bytes, 8);
	assert_int_equal(brg_nvme_host_id_get(&f->ctrl, id, 8), 0);
	assert_memory_equal(id, "01234567", 8);
	assert_fails(brg_nvme_host_id_set(&f->ctrl, "0123456789abcdef", 16), ENOTSUP,
		     "128 bits (CTRATT 0)");
	assert_int_equal(f->nseen, 2);
	f->ctrl.id.ctratt = NVME_CTRL_CTRATT_128_ID;
	assert_int_equal(brg_nvme_host_id_set(&f->ctrl, "0123456789abcdef", 16), 0);
	assert_int_equal(host_bytes, 16);
	assert_int_equal(brg_nvme_host_id_get(&f->ctrl, id, 16), 0);
	assert_memory_equal(id, "0123456789abcdef", 16);
	assert_fails(brg_nvme_host_id_get(&f->ctrl, id, 12), EINVAL, "12 bytes");
	fake_admin_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers),	    cmocka_unit_test(acquires_and_releases),
		cmocka_unit_test(reports),	    cmocka_unit_test(refusals),
		cmocka_unit_test(host_identifiers),
	};

	return cmocka_run_group_tests(tests, start_small_eal, NULL);
}
