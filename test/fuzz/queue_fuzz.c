/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A queue pair with a controller that does and says whatever the input wants: completions of
 * commands that are not in flight, twice, in the wrong place, with any phase. Every command that
 * was accepted must be called back exactly once, and none that was not; a fused one is two to the
 * queue pair.
 */

#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl.h"
#include "prp.h"

#define MAX_TRANSFER  (128 * 1024u)
#define MOST_COMMANDS 512

struct command {
	struct world *world;
	bool accepted, called;
	bool again; /* submits another one from its callback */
};

/* A page of them, of which those of one queue pair are used. */
struct doorbells {
	uint32_t sq, cq;
	uint8_t others[BRG_PRP_PAGE - 8];
};

struct world {
	struct brg_nvme_qpair *qp;
	struct command commands[MOST_COMMANDS];
	unsigned int count, in_flight;
	bool fused; /* writes are compared first */
	/* The controller's side. */
	struct brg_nvme_cqe *cq;
	uint32_t depth, cq_depth, cq_tail;
	uint16_t phase;
	uint32_t sq_doorbell, cq_doorbell;
	struct doorbells shadow, event; /* side by side */
};

static const struct brg_nvme_ns ns = {
	.nsid = 1, .block_size = 512, .blocks = 1000, .simple_end = BRG_SIMPLE_END(512)};
static struct brg_nvme_ctrl ctrl = {.id.fuses = NVME_CTRL_FUSES_COMPARE_AND_WRITE};
static char data_buffer[MAX_TRANSFER + BRG_PRP_PAGE];

static struct brg_nvme_qpair *zeroed(size_t bytes, size_t align)
{
	void *memory = aligned_alloc(align, RTE_ALIGN_CEIL(bytes, align));

	if (!memory)
		abort();
	return memset(memory, 0, bytes);
}

static void on_done(void *arg, const struct brg_nvme_cqe *cqe);

/* Nothing may come back for a command that was refused. */
static void settle(struct command *c, int rc)
{
	if (!rc) {
		c->accepted = true;
		c->world->in_flight++;
		return;
	}
	must(rc == -EAGAIN || rc == -EINVAL || rc == -EIO);
}

static struct command *new_command(struct world *w)
{
	struct command *c;

	if (w->count == MOST_COMMANDS)
		return NULL;
	c = &w->commands[w->count++];
	c->world = w;
	return c;
}

static void flush(struct world *w)
{
	struct command *c = new_command(w);

	if (c)
		settle(c, brg_nvme_flush(w->qp, &ns, on_done, c));
}

static void on_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct command *c = arg;

	(void)brg_nvme_status_str(brg_nvme_status(cqe));
	must(c->accepted && !c->called);
	c->called = true;
	c->world->in_flight--;
	if (c->again)
		flush(c->world);
}

static void transfer(struct world *w, struct input *in, bool write)
{
	struct command *c = new_command(w);
	char *buf = data_buffer + next_word(in) % BRG_PRP_PAGE;
	uint64_t lba = next_word(in);
	uint32_t blocks = next_word(in);

	if (!c)
		return;
	c->again = lba & 1;
	if (!write)
		settle(c, brg_nvme_read(w->qp, &ns, buf, lba, blocks, on_done, c));
	else if (!w->fused)
		settle(c, brg_nvme_write(w->qp, &ns, buf, lba, blocks, on_done, c));
	else
		settle(c, brg_nvme_compare_and_write(w->qp, &ns, data_buffer, buf, lba, blocks,
						     on_done, c));
}

static void submit_raw(struct world *w, struct input *in)
{
	struct brg_nvme_sqe sqe = {.opcode = next_byte(in), .cid = next_word(in)};
	struct command *c = new_command(w);

	if (c)
		settle(c, brg_nvme_submit(w->qp, &sqe, on_done, c));
}

/* Where the next one belongs, and with the right phase: the identifier is the input's. */
static void complete(struct world *w, struct input *in)
{
	struct brg_nvme_cqe *cqe = &w->cq[w->cq_tail];

	cqe->cid = next_byte(in) % (w->depth + 2);
	cqe->status = (uint16_t)(next_byte(in) << 1 | w->phase);
	if (++w->cq_tail == w->cq_depth) {
		w->cq_tail = 0;
		w->phase ^= 1;
	}
}

static void scribble(struct world *w, struct input *in)
{
	struct brg_nvme_cqe *cqe = &w->cq[next_byte(in) % w->cq_depth];

	cqe->cid = next_word(in);
	cqe->sq_head = next_word(in);
	cqe->sq_id = next_word(in);
	cqe->status = next_word(in);
}

static void poll_queue(struct world *w, struct input *in)
{
	unsigned int before = 2 * (w->in_flight + w->count), max = next_byte(in) % 8;
	int rc = brg_nvme_poll(w->qp, max);

	must(rc >= 0 || rc == -EIO);
	must(!max || rc <= (int)max);
	must(rc <= (int)before);
}

/* Of a fused command that is in flight one half may have completed. */
static void check_outstanding(const struct world *w)
{
	unsigned int outstanding = brg_nvme_outstanding(w->qp);

	must(outstanding >= w->in_flight);
	must(outstanding <= w->in_flight * (w->fused ? 2 : 1));
}

static void step(struct world *w, struct input *in)
{
	switch (next_byte(in) % 8) {
	case 0:
	case 1:
		transfer(w, in, false);
		break;
	case 2:
		transfer(w, in, true);
		break;
	case 3:
		submit_raw(w, in);
		break;
	case 4:
		complete(w, in);
		break;
	case 5:
		scribble(w, in);
		break;
	case 6:
		w->event.sq = next_word(in);
		w->event.cq = next_word(in);
		brg_nvme_ring(w->qp);
		break;
	default:
		poll_queue(w, in);
	}
	check_outstanding(w);
}

static void make(struct world *w, struct input *in, struct brg_queue_opts *opts)
{
	uint8_t kind = next_byte(in);

	w->depth = 2 + next_byte(in) % 16;
	w->cq_depth = kind & 1 ? w->depth : 2 * w->depth;
	w->phase = 1;
	w->fused = kind & 8;
	*opts = (struct brg_queue_opts){
		.depth = (uint16_t)w->depth,
		.cq_depth = (uint16_t)w->cq_depth,
		.max_transfer = MAX_TRANSFER,
		.sq_doorbell = &w->sq_doorbell,
		.cq_doorbell = &w->cq_doorbell,
		.manual = kind & 2,
	};
	if (kind & 4) {
		opts->sq_shadow = &w->shadow.sq;
		opts->cq_shadow = &w->shadow.cq;
	}
	opts->dma = zeroed(brg_queue_dma_bytes(opts), BRG_PRP_PAGE);
	w->qp = zeroed(brg_queue_bytes(opts->depth), RTE_CACHE_LINE_SIZE);
	brg_queue_init(w->qp, opts);
	w->qp->ctrl = &ctrl;
	if (brg_fused_init(w->qp))
		abort();
	w->cq = (struct brg_nvme_cqe *)(uintptr_t)w->qp->cq;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = calloc(1, sizeof(*w));
	struct input in = {data, size};
	struct brg_queue_opts opts;

	if (!w)
		abort();
	make(w, &in, &opts);
	while (in.left)
		step(w, &in);
	for (unsigned int i = 0; i < w->count; i++)
		w->commands[i].again = false;
	brg_queue_abort(w->qp);
	must(!w->in_flight && !brg_nvme_outstanding(w->qp));
	for (unsigned int i = 0; i < w->count; i++)
		must(w->commands[i].called == w->commands[i].accepted);
	free(w->qp->halves);
	free(opts.dma);
	free(w->qp);
	free(w);
	return 0;
}
