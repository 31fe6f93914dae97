/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_HEALTH_H
#define BARRAGE_HEALTH_H

/* What log pages say about a device's health: findings, the worst of them, and advice. */

#include <stddef.h>

#include "brg_nvme.h"

enum health_state {
	HEALTH_OK,
	HEALTH_WATCH, /* nothing to do yet */
	HEALTH_ACT,
};

#define MOST_FINDINGS 24

struct health {
	struct {
		enum health_state state;
		const char *what;
		char text[120];
		const char *advice; /* NULL: none */
	} findings[MOST_FINDINGS];
	size_t nfindings;
	enum health_state worst;
};

void health_smart(struct health *h, const struct nvme_id_ctrl *id,
		  const struct nvme_smart_log *log);

/** @param entries  newest first; those with a count of 0 were never used. */
void health_errors(struct health *h, const struct nvme_error_log_page *entries, size_t n);

void health_self_test(struct health *h, const struct nvme_self_test_log *log);

void health_event(struct health *h, const struct brg_nvme_event *event);

/** "well", or what there is to do, in a sentence. */
const char *health_summary(const struct health *h);

#endif
