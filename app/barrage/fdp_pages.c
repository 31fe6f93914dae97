/* SPDX-License-Identifier: BSD-3-Clause */
/* Pages of flexible data placement (Base 2.1, 5.1.12.1.28 to .31, and I/O Management Receive). */

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "fields.h"
#include "pages.h"
#include "table.h"

#define CONFIG(member) FIELD(nvme_fdp_config_desc, member, FIELD_NUMBER)

static const struct field config_fields[] = {
	CONFIG(fdpa), CONFIG(vss),  CONFIG(nrg),   CONFIG(nruh), CONFIG(maxpids),
	CONFIG(nnss), CONFIG(runs), CONFIG(erutl), {0},
};

/* One of several, which are of various sizes, and where it is in the page. */
struct config {
	struct nvme_fdp_config_desc desc; /* a copy: in the page it need not be aligned */
	const uint8_t *ruhs;
	unsigned int nruhs; /* that it has room for */
	size_t end;
};

/* Take what is behind the one before; false if not all of it is in the page. */
static bool next_config(const struct page_of *p, struct config *c)
{
	const size_t head = sizeof(c->desc), each = sizeof(c->desc.ruhs[0]);
	size_t at = c->end ? c->end : sizeof(struct nvme_fdp_config_log);
	const uint8_t *here = (const uint8_t *)p->page + at;

	if (at + head > p->len)
		return false;
	memcpy(&c->desc, here, head);
	c->end = at + c->desc.size;
	if (c->desc.size < head || c->end > p->len)
		return false;
	c->ruhs = here + head;
	c->nruhs = (unsigned int)((c->desc.size - head) / each);
	if (c->nruhs > c->desc.nruh)
		c->nruhs = c->desc.nruh;
	return true;
}

static uint8_t handle_type(const struct config *c, unsigned int i)
{
	return c->ruhs[i * sizeof(struct nvme_fdp_ruh_desc)];
}

/* 0's based. */
static unsigned int configs(const struct page_of *p)
{
	const struct nvme_fdp_config_log *log = p->page;

	return p->len < sizeof(*log) ? 0 : log->n + 1u;
}

static json_t *config_json(const struct config *c)
{
	json_t *json = json_object(), *ruhs = json_array();

	fields_to_json(json, config_fields, &c->desc);
	for (unsigned int i = 0; i < c->nruhs; i++)
		json_array_append_new(ruhs, json_pack("{s:i}", "ruht", handle_type(c, i)));
	json_object_set_new(json, "ruhs", ruhs);
	return json;
}

json_t *fdp_configs_json(const struct page_of *p)
{
	unsigned int n = configs(p);
	json_t *array = json_array();
	struct config c = {.end = 0};

	for (unsigned int i = 0; i < n && next_config(p, &c); i++)
		json_array_append_new(array, config_json(&c));
	return json_pack("{s:i, s:o}", "n", n ? n - 1 : 0, "configs", array);
}

static const char *type_name(uint8_t type)
{
	return type == NVME_FDP_RUHT_INITIALLY_ISOLATED	     ? "initially isolated"
	       : type == NVME_FDP_RUHT_PERSISTENTLY_ISOLATED ? "persistently isolated"
							     : "of an unknown type";
}

/* One line for those of one type that follow each other: most have only one type. */
static void print_handles(FILE *out, const struct config *c)
{
	for (unsigned int first = 0, end; first < c->nruhs; first = end) {
		for (end = first + 1; end < c->nruhs; end++)
			if (handle_type(c, end) != handle_type(c, first))
				break;
		fprintf(out, "  handles %u to %u are %s\n", first, end - 1,
			type_name(handle_type(c, first)));
	}
}

void fdp_configs_print(FILE *out, const struct page_of *p)
{
	unsigned int n = configs(p);
	struct config c = {.end = 0};

	for (unsigned int i = 0; i < n && next_config(p, &c); i++) {
		fprintf(out, "configuration %u%s\n", i,
			c.desc.fdpa >> NVME_FDP_CONFIG_FDPA_VALID_SHIFT ? "" : ", not valid");
		fields_print(out, config_fields, &c.desc);
		print_handles(out, &c);
	}
}

/* Handles of the usage page that are in it. */
static unsigned int used_handles(const struct page_of *p)
{
	const struct nvme_fdp_ruhu_log *log = p->page;
	size_t room = p->len < sizeof(*log) ? 0 : (p->len - sizeof(*log)) / sizeof(log->ruhus[0]);

	return room && log->nruh < room ? log->nruh : (unsigned int)room;
}

json_t *fdp_usage_json(const struct page_of *p)
{
	const struct nvme_fdp_ruhu_log *log = p->page;
	unsigned int n = used_handles(p);
	json_t *array = json_array();

	for (unsigned int i = 0; i < n; i++)
		json_array_append_new(array, json_pack("{s:i}", "ruha", log->ruhus[i].ruha));
	return json_pack("{s:i, s:o}", "nruh", n, "ruhus", array);
}

static const char *handle_use(uint8_t attributes)
{
	static const char *const uses[] = {"unused", "a namespace's, by the host's choice",
					   "a namespace's, by the controller's choice",
					   "a namespace's"};

	return uses[attributes & 3];
}

void fdp_usage_print(FILE *out, const struct page_of *p)
{
	const struct nvme_fdp_ruhu_log *log = p->page;
	unsigned int n = used_handles(p);

	for (unsigned int i = 0; i < n; i++)
		fprintf(out, "handle %u : %#x (%s)\n", i, log->ruhus[i].ruha,
			handle_use(log->ruhus[i].ruha));
}

static const struct field stats_fields[] = {
	FIELD(nvme_fdp_stats_log, hbmw, FIELD_BIG),
	FIELD(nvme_fdp_stats_log, mbmw, FIELD_BIG),
	FIELD(nvme_fdp_stats_log, mbe, FIELD_BIG),
	{0},
};

json_t *fdp_stats_json(const struct page_of *p)
{
	json_t *json = json_object();

	fields_to_json(json, stats_fields, p->page);
	return json;
}

void fdp_stats_print(FILE *out, const struct page_of *p)
{
	fields_print(out, stats_fields, p->page);
}

static unsigned int events(const struct nvme_fdp_events_log *log)
{
	unsigned int room = sizeof(log->events) / sizeof(log->events[0]);

	return log->n < room ? log->n : room;
}

/* Milliseconds, 48 bits; what follows is how they came about. */
static uint64_t time_of(const struct nvme_fdp_event *event)
{
	return field_number(event->ts.timestamp, sizeof(event->ts.timestamp));
}

/* libnvme 1.3 has the block's address four bytes further on than the specification. */
static uint64_t moved_lba(const struct nvme_fdp_event *event)
{
	return field_number(event->type_specific + 4, 8);
}

static bool has_lba(const struct nvme_fdp_event *event)
{
	return event->type_specific[0] & NVME_FDP_EVENT_REALLOC_F_LBAV;
}

static json_t *event_json(const struct nvme_fdp_event *event)
{
	json_t *json = json_pack("{s:i, s:i, s:i, s:o, s:o, s:i, s:i}", "type", event->type,
				 "fdpef", event->flags, "pid", event->pid, "timestamp",
				 field_json(time_of(event)), "nsid", field_json(event->nsid),
				 "rgid", event->rgid, "ruhid", event->ruhid);

	if (event->type != NVME_FDP_EVENT_REALLOC)
		return json;
	json_object_set_new(json, "nlbam", field_json(field_number(event->type_specific + 2, 2)));
	if (has_lba(event))
		json_object_set_new(json, "lba", field_json(moved_lba(event)));
	return json;
}

json_t *fdp_events_json(const struct page_of *p)
{
	const struct nvme_fdp_events_log *log = p->page;
	json_t *array = json_array();

	for (unsigned int i = 0; i < events(log); i++)
		json_array_append_new(array, event_json(&log->events[i]));
	return json_pack("{s:i, s:o}", "n", events(log), "events", array);
}

static const char *event_name(uint8_t type)
{
	switch (type) {
	case NVME_FDP_EVENT_RUNFW:
		return "reclaim unit not fully written";
	case NVME_FDP_EVENT_RUTLE:
		return "reclaim unit open for too long";
	case NVME_FDP_EVENT_RESET:
		return "a reset moved the handles on";
	case NVME_FDP_EVENT_PID:
		return "invalid placement identifier";
	case NVME_FDP_EVENT_REALLOC:
		return "data moved by the controller";
	case NVME_FDP_EVENT_MODIFY:
		return "handle moved on by the controller";
	default:
		return "unknown";
	}
}

/* A number where the event's flags say that it is valid. */
static void event_cell(struct table *t, const struct nvme_fdp_event *event,
		       enum nvme_fdp_event_flags flag, uint32_t value)
{
	if (event->flags & flag)
		table_cell(t, "%" PRIu32, value);
	else
		table_cell(t, "-");
}

void fdp_events_print(FILE *out, const struct page_of *p)
{
	static const char *const heads[] = {">ms since 1970", "event",	 ">nsid", ">pid",
					    ">group",	      ">handle", ">lba",  NULL};
	const struct nvme_fdp_events_log *log = p->page;
	struct table *t = table_new(heads);

	for (unsigned int i = 0; i < events(log); i++) {
		const struct nvme_fdp_event *e = &log->events[i];

		table_cell(t, "%" PRIu64, time_of(e));
		table_cell(t, "%s", event_name(e->type));
		event_cell(t, e, NVME_FDP_EVENT_F_NSIDV, e->nsid);
		event_cell(t, e, NVME_FDP_EVENT_F_PIV, e->pid);
		event_cell(t, e, NVME_FDP_EVENT_F_LV, e->rgid);
		event_cell(t, e, NVME_FDP_EVENT_F_LV, e->ruhid);
		if (e->type == NVME_FDP_EVENT_REALLOC && has_lba(e))
			table_cell(t, "%" PRIu64, moved_lba(e));
		else
			table_cell(t, "-");
	}
	if (events(log))
		table_print(t, out);
	else
		fprintf(out, "no events in the log\n");
	table_free(t);
}

/* Descriptors that are in the page. */
static unsigned int statuses(const struct page_of *p)
{
	const struct nvme_fdp_ruh_status *status = p->page;
	size_t room = p->len < sizeof(*status)
			      ? 0
			      : (p->len - sizeof(*status)) / sizeof(status->ruhss[0]);

	return room && status->nruhsd < room ? status->nruhsd : (unsigned int)room;
}

#define STATUS(member) FIELD(nvme_fdp_ruh_status_desc, member, FIELD_NUMBER)

static const struct field status_fields[] = {
	STATUS(pid), STATUS(ruhid), STATUS(earutr), STATUS(ruamw), {0},
};

json_t *ruh_status_json(const struct page_of *p)
{
	const struct nvme_fdp_ruh_status *status = p->page;
	unsigned int n = statuses(p);
	json_t *array = json_array();

	for (unsigned int i = 0; i < n; i++) {
		json_t *json = json_object();

		fields_to_json(json, status_fields, &status->ruhss[i]);
		json_array_append_new(array, json);
	}
	return json_pack("{s:i, s:o}", "nruhsd", n, "ruhss", array);
}

void ruh_status_print(FILE *out, const struct page_of *p)
{
	static const char *const heads[] = {">placement", ">handle", ">blocks left",
					    ">seconds left", NULL};
	const struct nvme_fdp_ruh_status *status = p->page;
	struct table *t = table_new(heads);

	for (unsigned int i = 0; i < statuses(p); i++) {
		const struct nvme_fdp_ruh_status_desc *d = &status->ruhss[i];

		table_cell(t, "%u", d->pid);
		table_cell(t, "%u", d->ruhid);
		table_cell(t, "%" PRIu64, (uint64_t)d->ruamw);
		if (d->earutr) /* 0: not reported */
			table_cell(t, "%" PRIu32, (uint32_t)d->earutr);
		else
			table_cell(t, "-");
	}
	table_print(t, out);
	table_free(t);
}
