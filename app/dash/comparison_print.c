/* SPDX-License-Identifier: BSD-3-Clause */
/* A comparison as a table, as Markdown for a pull request, as JSON. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comparison.h"
#include "options.h"
#include "table.h"
#include "text.h"

/* A value in a unit that suits it. Freed by the caller. */
static char *quantity(double value, const char *unit)
{
	static const char *const times[] = {"ns", "us", "ms", "s"};
	int i = 0;

	if (!strcmp(unit, "share"))
		return format("%.3g %%", 100 * value);
	if (strcmp(unit, "ns") != 0)
		return format("%.*g%s%s", strcmp(unit, "instructions") != 0 ? 4 : 12, value,
			      unit[0] ? " " : "", unit);
	while (fabs(value) >= 1000 && i < 3) {
		value /= 1000;
		i++;
	}
	return format("%.4g %s", value, times[i]);
}

/* How far the new is from the old: a percentage, with its interval where that is known. */
static char *change(const struct comparison_row *row)
{
	double ratio = row->outcome.difference.ratio;

	if (!isfinite(ratio))
		return format("from 0");
	if (row->outcome.difference.metric.exact &&
	    row->outcome.difference.before != row->outcome.difference.after)
		return format("%+.12g (%+.3g %%)",
			      row->outcome.difference.after - row->outcome.difference.before,
			      100 * (ratio - 1));
	if (isnan(row->outcome.ratio.low) || isnan(row->outcome.ratio.high))
		return format("%+.1f %%", 100 * (ratio - 1));
	return format("%+.1f %% (%+.1f to %+.1f)", 100 * (ratio - 1),
		      100 * (row->outcome.ratio.low - 1), 100 * (row->outcome.ratio.high - 1));
}

static size_t count(const struct comparison *c, const char *verdict)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += !strcmp(outcome_verdict(&c->rows[i].outcome), verdict);
	return n;
}

/* The sum of it in one sentence. Freed by the caller. */
static char *summary(const struct comparison *c)
{
	char *few = count(c, "too few")
			    ? format(", %zu with too few repetitions to tell", count(c, "too few"))
			    : format("%s", "");
	char *alone = c->without_old ? format(", %zu new", c->without_old) : format("%s", "");
	char *gone = c->without_new ? format(", %zu missing", c->without_new) : format("%s", "");
	char *text =
		format("%zu worse, %zu better, %zu changed, %zu known, %zu as before%s%s%s",
		       count(c, "worse"), count(c, "better"), count(c, "changed"),
		       count(c, "known"), count(c, "same") + count(c, "noise"), few, alone, gone);

	free(few);
	free(alone);
	free(gone);
	return text;
}

static void print_row(struct table *t, const struct comparison_row *row)
{
	char *before = quantity(row->outcome.difference.before, row->unit);
	char *after = quantity(row->outcome.difference.after, row->unit);
	char *by = change(row);

	table_cell(t, "%s", outcome_verdict(&row->outcome));
	table_cell(t, "%s", row->title);
	table_cell(t, "%s", row->handler[0] ? row->handler : "-");
	table_cell(t, "%s", row->metric);
	table_cell(t, "%s", before);
	table_cell(t, "%s", after);
	table_cell(t, "%s", by);
	if (row->outcome.difference.metric.exact)
		table_cell(t, "exact");
	else
		table_cell(t, "%.2g", row->outcome.difference.q);
	table_cell(t, "%.8s", row->fingerprint);
	table_cell(t, "%lld", (long long)row->outcome.result);
	table_cell(t, "%s", row->outcome.triage ? row->outcome.triage : "-");
	free(before);
	free(after);
	free(by);
}

void comparison_print(const struct comparison *c, bool all, FILE *out)
{
	static const char *const heads[] = {"verdict", "benchmark", "handler", "metric",
					    ">before", ">after",    ">change", ">q",
					    "series",  ">result",   "triage",  NULL};
	struct table *t = table_new(heads);
	char *sum = summary(c);
	bool any = false;

	for (size_t i = 0; i < c->n; i++) {
		if (!all && !outcome_matters(&c->rows[i].outcome))
			continue;
		print_row(t, &c->rows[i]);
		any = true;
	}
	fprintf(out, "%s against %s: %s\n", c->new_name, c->old_name, sum);
	if (any) {
		fputc('\n', out);
		table_print(t, out);
	}
	table_free(t);
	free(sum);
}

/* Text that Markdown and HTML leave as it is, within a table's cell. */
static void print_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("\\`*_{}[]<>#|~$", *text))
			fprintf(out, "&#%d;", *text);
		else if (*text == '&')
			fputs("&amp;", out);
		else
			fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
	}
}

static void print_markdown_cell(FILE *out, const char *text)
{
	fputs(" ", out);
	print_escaped(out, text);
	fputs(" |", out);
}

static void print_markdown_row(FILE *out, const struct comparison_row *row)
{
	char *before = quantity(row->outcome.difference.before, row->unit);
	char *after = quantity(row->outcome.difference.after, row->unit);
	char *by = change(row);
	bool worse = !strcmp(outcome_verdict(&row->outcome), "worse");

	fprintf(out, "| %s%s%s |", worse ? "**" : "", outcome_verdict(&row->outcome),
		worse ? "**" : "");
	print_markdown_cell(out, row->title);
	print_markdown_cell(out, row->handler);
	print_markdown_cell(out, row->metric);
	print_markdown_cell(out, before);
	print_markdown_cell(out, after);
	print_markdown_cell(out, by);
	print_markdown_cell(out, row->outcome.triage ? row->outcome.triage : "");
	fputc('\n', out);
	free(before);
	free(after);
	free(by);
}

void comparison_print_markdown(const struct comparison *c, bool all, FILE *out)
{
	char *sum = summary(c);
	bool any = false;

	fprintf(out, "### Performance: %s\n\n",
		c->regressions == 1 ? "a regression"
		: c->regressions    ? "regressions"
				    : "no regression");
	print_escaped(out, c->new_name);
	fputs(" against ", out);
	print_escaped(out, c->old_name);
	fprintf(out, ": %s.\n", sum);
	for (size_t i = 0; i < c->n; i++) {
		if (!all && !outcome_matters(&c->rows[i].outcome))
			continue;
		if (!any)
			fputs("\n| | benchmark | handler | metric | before | after | change | |\n"
			      "|---|---|---|---|---:|---:|---:|---|\n",
			      out);
		any = true;
		print_markdown_row(out, &c->rows[i]);
	}
	free(sum);
}

/* JSON has no infinity and no NaN. */
static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *row_json(const struct comparison_row *row)
{
	const struct stats_difference *d = &row->outcome.difference;

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:[o, o], s:o, s:o,"
			 " s:b, s:s, s:s, s:i, s:i, s:I, s:s?}",
			 "verdict", outcome_verdict(&row->outcome), "series", row->fingerprint,
			 "benchmark", row->title, "handler", row->handler, "machine", row->machine,
			 "metric", row->metric, "unit", row->unit, "before", number(d->before),
			 "after", number(d->after), "ratio", number(d->ratio), "ratio_interval",
			 number(row->outcome.ratio.low), number(row->outcome.ratio.high), "p",
			 number(d->p), "q", number(d->q), "exact", d->metric.exact, "kernel_before",
			 row->outcome.kernel_before, "kernel_after", row->outcome.kernel_after,
			 "repetitions_before", (int)row->outcome.nbefore, "repetitions_after",
			 (int)row->outcome.nafter, "result", (json_int_t)row->outcome.result,
			 "triage", row->outcome.triage);
}

int comparison_print_json(const struct comparison *c)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(rows, row_json(&c->rows[i]));
	return print_json(json_pack("{s:s, s:s, s:I, s:I, s:I, s:o}", "new", c->new_name, "against",
				    c->old_name, "regressions", (json_int_t)c->regressions,
				    "without_baseline", (json_int_t)c->without_old, "missing",
				    (json_int_t)c->without_new, "rows", rows));
}
