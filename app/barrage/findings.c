/* SPDX-License-Identifier: BSD-3-Clause */
/* The judgement behind barrage health, which knows log pages but no device (Base 5.16.1). */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "health.h"

/* A device is worn out at 100 % of the endurance that its vendor vouches for. */
#define WEAR_WATCH 80
#define WEAR_ACT   100

static void find(struct health *h, enum health_state state, const char *what, const char *advice,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void find(struct health *h, enum health_state state, const char *what, const char *advice,
		 const char *fmt, ...)
{
	va_list ap;

	if (h->nfindings == MOST_FINDINGS)
		return;
	h->findings[h->nfindings].state = state;
	h->findings[h->nfindings].what = what;
	h->findings[h->nfindings].advice = state == HEALTH_OK ? NULL : advice;
	va_start(ap, fmt);
	vsnprintf(h->findings[h->nfindings].text, sizeof(h->findings[0].text), fmt, ap);
	va_end(ap);
	h->nfindings++;
	h->worst = state > h->worst ? state : h->worst;
}

/* Critical Warning (5.16.1.3): bit by bit what the controller itself holds to be wrong. */
static const struct {
	uint8_t bit;
	const char *text, *advice;
} warnings[] = {
	{NVME_SMART_CRIT_SPARE, "available spare is below its threshold",
	 "move the data elsewhere and replace the device: it runs out of spare blocks"},
	{NVME_SMART_CRIT_TEMPERATURE, "temperature is beyond a threshold",
	 "check airflow and heat sink; compare temperature with wctemp and feature temp-thresh"},
	{NVME_SMART_CRIT_DEGRADED, "reliability is degraded by media or internal errors",
	 "move the data elsewhere and replace the device"},
	{NVME_SMART_CRIT_MEDIA, "the media is read-only",
	 "copy the data while it can be read, and replace the device"},
	{NVME_SMART_CRIT_VOLATILE_MEMORY, "the backup of volatile memory has failed",
	 "do not rely on writes that were not flushed; replace the device"},
	{NVME_SMART_CRIT_PMR_RO, "the persistent memory region is read-only or unreliable",
	 "keep nothing in the persistent memory region; replace the device"},
};

static void critical_warning(struct health *h, uint8_t bits)
{
	if (!bits)
		find(h, HEALTH_OK, "critical warnings", NULL, "none");
	for (size_t i = 0; i < sizeof(warnings) / sizeof(warnings[0]); i++)
		if (bits & warnings[i].bit)
			find(h, HEALTH_ACT, "critical warning", warnings[i].advice, "%s",
			     warnings[i].text);
	if (bits >> 6)
		find(h, HEALTH_ACT, "critical warning", "ask the vendor", "unknown bits: %#x",
		     bits);
}

/* WCTEMP and CCTEMP are 0 where the controller does not give them (5.17.2.1). */
static void temperature(struct health *h, const struct nvme_id_ctrl *id, unsigned int kelvin)
{
	static const char advice[] = "check airflow and heat sink";
	int celsius = (int)kelvin - 273;

	if (!kelvin)
		find(h, HEALTH_OK, "temperature", NULL, "not reported");
	else if (id->cctemp && kelvin >= id->cctemp)
		find(h, HEALTH_ACT, "temperature", advice, "%d °C, critical from %d °C", celsius,
		     id->cctemp - 273);
	else if (id->wctemp && kelvin >= id->wctemp)
		find(h, HEALTH_WATCH, "temperature", advice, "%d °C, too warm from %d °C", celsius,
		     id->wctemp - 273);
	else if (id->wctemp)
		find(h, HEALTH_OK, "temperature", NULL, "%d °C, may be up to %d °C", celsius,
		     id->wctemp - 273 - 1);
	else
		find(h, HEALTH_OK, "temperature", NULL, "%d °C", celsius);
}

static void spare(struct health *h, const struct nvme_smart_log *log)
{
	/* A device that has no spare at all, as an emulated one, has no threshold either. */
	if (!log->spare_thresh && !log->avail_spare)
		return;
	find(h, log->avail_spare < log->spare_thresh ? HEALTH_ACT : HEALTH_OK, "spare",
	     "move the data elsewhere and replace the device: it runs out of spare blocks",
	     "%u %% left, threshold %u %%", log->avail_spare, log->spare_thresh);
}

static void wear(struct health *h, unsigned int percent)
{
	enum health_state state = percent >= WEAR_ACT	  ? HEALTH_ACT
				  : percent >= WEAR_WATCH ? HEALTH_WATCH
							  : HEALTH_OK;

	find(h, state, "wear",
	     state == HEALTH_ACT
		     ? "replace the device: it is beyond the endurance its vendor vouches "
		       "for"
		     : "plan to replace the device",
	     "%u %% of the endurance used", percent);
}

void health_smart(struct health *h, const struct nvme_id_ctrl *id, const struct nvme_smart_log *log)
{
	char media[40], unsafe[40], hours[40];

	critical_warning(h, log->critical_warning);
	temperature(h, id, (unsigned int)field_number(log->temperature, 2));
	spare(h, log);
	wear(h, log->percent_used);
	find(h, strcmp(field_big(media, log->media_errors), "0") ? HEALTH_ACT : HEALTH_OK,
	     "media errors",
	     "data was lost or could not be read: compare the data with its backup, run barrage "
	     "self-test, and replace the device if the number grows",
	     "%s", media);
	find(h, HEALTH_OK, "power", NULL, "on for %s h, %s unsafe shutdowns",
	     field_big(hours, log->power_on_hours), field_big(unsafe, log->unsafe_shutdowns));
}

/* Most entries are the fault of who sent the command; a media status is not. */
void health_errors(struct health *h, const struct nvme_error_log_page *entries, size_t n)
{
	const struct nvme_error_log_page *worst = NULL;
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (!entries[i].error_count)
			continue;
		used++;
		if (!worst && nvme_status_code_type(entries[i].status_field >> 1) == NVME_SCT_MEDIA)
			worst = &entries[i];
	}
	if (!used) {
		find(h, HEALTH_OK, "error log", NULL, "empty");
		return;
	}
	if (worst)
		find(h, HEALTH_WATCH, "error log",
		     "barrage log error shows all; read the block again, and write it anew from "
		     "its "
		     "backup",
		     "%s, namespace %" PRIu32 ", block %" PRIu64,
		     brg_nvme_status_str(worst->status_field >> 1), worst->nsid,
		     (uint64_t)worst->lba);
	else
		find(h, HEALTH_OK, "error log", NULL, "%zu entries, none about media; newest: %s",
		     used, brg_nvme_status_str(entries[0].status_field >> 1));
}

void health_self_test(struct health *h, const struct nvme_self_test_log *log)
{
	unsigned int result = log->result[0].dsts & NVME_ST_RESULT_MASK;

	if (result == NVME_ST_RESULT_NOT_USED || !(log->result[0].dsts >> NVME_ST_CODE_SHIFT))
		find(h, HEALTH_OK, "self-test", NULL, "none was run");
	else if (result == NVME_ST_RESULT_FATAL_ERR || result == NVME_ST_RESULT_UNKNOWN_SEG_FAIL ||
		 result == NVME_ST_RESULT_KNOWN_SEG_FAIL)
		find(h, HEALTH_ACT, "self-test",
		     "barrage log self-test shows where; move the data elsewhere and replace the "
		     "device",
		     "the last one failed");
	else
		find(h, HEALTH_OK, "self-test", NULL, "%s",
		     result == NVME_ST_RESULT_NO_ERR ? "the last one passed"
						     : "the last one was aborted");
}

void health_event(struct health *h, const struct brg_nvme_event *event)
{
	/* An error or a health event just now; notices are no illness. */
	find(h, event->type <= NVME_AER_SMART ? HEALTH_ACT : HEALTH_OK, "event",
	     "the controller has reported this just now; its log page says more",
	     "%s (log page %#x)", brg_nvme_event_str(event), event->lid);
}

const char *health_summary(const struct health *h)
{
	static const char *const sentences[] = {
		[HEALTH_OK] = "well",
		[HEALTH_WATCH] = "works, but is worth watching",
		[HEALTH_ACT] = "needs something done",
	};

	return sentences[h->worst];
}
