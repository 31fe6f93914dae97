/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK telemetry under /barrage/: the controllers that are open, and the counters of their queue
 * pairs, for dpdk-telemetry.py and whatever reads its socket. EAL serves it in a thread of its own;
 * an EAL that brg_env_init() has started has no socket.
 */

#include <ctype.h>
#include <errno.h>
#include <rte_telemetry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "ctrl.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct brg_nvme_ctrl *open_ctrls; /* by next */

/* The caller has the lock. @p len bytes of @p bdf count. */
static struct brg_nvme_ctrl *find(const char *bdf, size_t len)
{
	struct brg_nvme_ctrl *ctrl = open_ctrls;

	while (ctrl && (strlen(ctrl->bdf) != len || strncmp(ctrl->bdf, bdf, len) != 0))
		ctrl = ctrl->next;
	return ctrl;
}

static int list(const char *command, const char *params, struct rte_tel_data *d)
{
	const struct brg_nvme_ctrl *ctrl;

	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	pthread_mutex_lock(&lock);
	for (ctrl = open_ctrls; ctrl; ctrl = ctrl->next)
		rte_tel_data_add_array_string(d, ctrl->bdf);
	pthread_mutex_unlock(&lock);
	return 0;
}

/* An identify string: padded with spaces, not terminated. */
static void add_string(struct rte_tel_data *d, const char *name, const char *from, size_t len)
{
	char text[64], *c;

	while (len && from[len - 1] == ' ')
		len--;
	snprintf(text, sizeof(text), "%.*s", (int)len, from);
	for (c = text; *c; c++)
		if (!isprint((unsigned char)*c) || *c == '"' || *c == '\\')
			*c = '?'; /* it goes into JSON as it is */
	rte_tel_data_add_dict_string(d, name, text);
}

static void tell_info(const struct brg_nvme_ctrl *ctrl, struct rte_tel_data *d)
{
	struct rte_tel_data *qids = rte_tel_data_alloc();
	unsigned int qid;

	rte_tel_data_start_dict(d);
	add_string(d, "model", ctrl->id.mn, sizeof(ctrl->id.mn));
	add_string(d, "serial", ctrl->id.sn, sizeof(ctrl->id.sn));
	add_string(d, "firmware", ctrl->id.fr, sizeof(ctrl->id.fr));
	rte_tel_data_add_dict_u64(d, "max_transfer_bytes", ctrl->max_transfer);
	rte_tel_data_add_dict_int(d, "shadow_doorbells", ctrl->shadows != NULL);
	rte_tel_data_add_dict_int(d, "failed", ctrl->failed);
	rte_tel_data_add_dict_u64(d, "queue_pairs_granted", ctrl->granted);
	if (!qids)
		return;
	rte_tel_data_start_array(qids, RTE_TEL_INT_VAL);
	for (qid = 1; qid <= ctrl->granted; qid++)
		if (ctrl->qpairs[qid])
			rte_tel_data_add_array_int(qids, (int)qid);
	rte_tel_data_add_dict_container(d, "queue_pairs", qids, 0);
}

static int tell_qpair(const struct brg_nvme_ctrl *ctrl, unsigned long qid, struct rte_tel_data *d)
{
	const struct brg_nvme_qpair *qp;
	struct brg_nvme_stats stats;

	if (!qid || qid > ctrl->granted || !ctrl->qpairs[qid])
		return -ENOENT;
	qp = ctrl->qpairs[qid];
	brg_nvme_stats_get(qp, &stats);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_u64(d, "depth", qp->path.depth);
	rte_tel_data_add_dict_u64(d, "submitted", stats.submitted);
	rte_tel_data_add_dict_u64(d, "completed", stats.completed);
	rte_tel_data_add_dict_u64(d, "cancelled", stats.cancelled);
	rte_tel_data_add_dict_u64(d, "timeouts", stats.timeouts);
	rte_tel_data_add_dict_u64(d, "aborts", stats.aborts);
	rte_tel_data_add_dict_u64(d, "strays", stats.strays);
	rte_tel_data_add_dict_u64(d, "resets", stats.resets);
	rte_tel_data_add_dict_int(d, "error", qp->error);
	return 0;
}

/* @p params is BDF, or BDF,QID. The controller's lock keeps its queue pairs; -EBUSY rather than to
 * wait for an admin command. */
static int tell(const char *params, bool qpair, struct rte_tel_data *d)
{
	const char *comma = params ? strchr(params, ',') : NULL;
	struct brg_nvme_ctrl *ctrl;
	int err = 0;

	if (!params || !comma != !qpair)
		return -EINVAL;
	pthread_mutex_lock(&lock);
	ctrl = find(params, comma ? (size_t)(comma - params) : strlen(params));
	if (!ctrl)
		err = -ENODEV;
	else if (pthread_mutex_trylock(&ctrl->lock))
		err = -EBUSY;
	if (err)
		goto out;
	if (qpair)
		err = tell_qpair(ctrl, strtoul(comma + 1, NULL, 10), d);
	else
		tell_info(ctrl, d);
	pthread_mutex_unlock(&ctrl->lock);
out:
	pthread_mutex_unlock(&lock);
	return err;
}

static int info(const char *command, const char *params, struct rte_tel_data *d)
{
	return tell(params, false, d);
}

static int qpair(const char *command, const char *params, struct rte_tel_data *d)
{
	return tell(params, true, d);
}

static void register_commands(void)
{
	rte_telemetry_register_cmd("/barrage/list", list, "Controllers that are open.");
	rte_telemetry_register_cmd("/barrage/info", info,
				   "A controller and its queue pairs. Parameter: BDF");
	rte_telemetry_register_cmd("/barrage/qpair", qpair,
				   "Counters of a queue pair. Parameters: BDF,QID");
}

void brg_telemetry_add(struct brg_nvme_ctrl *ctrl)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_commands);
	pthread_mutex_lock(&lock);
	ctrl->next = open_ctrls;
	open_ctrls = ctrl;
	pthread_mutex_unlock(&lock);
}

void brg_telemetry_remove(struct brg_nvme_ctrl *ctrl)
{
	struct brg_nvme_ctrl **link = &open_ctrls;

	pthread_mutex_lock(&lock);
	while (*link && *link != ctrl)
		link = &(*link)->next;
	if (*link)
		*link = ctrl->next;
	pthread_mutex_unlock(&lock);
}
