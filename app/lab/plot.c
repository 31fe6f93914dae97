/* SPDX-License-Identifier: BSD-3-Clause */
/* A script for gnuplot, with the data in it. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "plot.h"
#include "text.h"

struct plot {
	char *data, *command; /* the lines' points, and the plot command that names them */
	size_t data_size, command_size;
	FILE *data_out, *command_out;
	int lines;
};

struct plot *plot_new(const char *title, const char *x, const char *y, bool log_y)
{
	struct plot *p = calloc(1, sizeof(*p));

	if (!p || !(p->data_out = open_memstream(&p->data, &p->data_size)) ||
	    !(p->command_out = open_memstream(&p->command, &p->command_size)))
		err(1, NULL);
	fprintf(p->command_out,
		"set terminal svg size 900,560 font 'sans-serif,14' background '#ffffff'\n"
		"set title \"%s\"\nset xlabel \"%s\"\nset ylabel \"%s\"\n"
		"set logscale x\n%sset key outside right top noenhanced\nset grid\nplot ",
		title, x, y, log_y ? "set logscale y\n" : "set yrange [0:1]\n");
	return p;
}

void plot_line(struct plot *p, const char *name)
{
	if (p->lines)
		fprintf(p->data_out, "EOD\n");
	fprintf(p->data_out, "$line%d << EOD\n", p->lines);
	fprintf(p->command_out, "%s$line%d with linespoints pointsize 0.5 linewidth 2 title \"%s\"",
		p->lines ? ", " : "", p->lines, name);
	p->lines++;
}

void plot_point(struct plot *p, double x, double y)
{
	fprintf(p->data_out, "%.9g %.9g\n", x, y);
}

/* gnuplot takes the script on its standard input. */
static int feed(const struct plot *p, const char *path)
{
	FILE *gnuplot;
	int ret = -1;

	if (!p->lines) {
		warnx("nothing was measured that %s could show", path);
		return 0;
	}
	setenv("PICTURE", path, 1);
	gnuplot = popen("gnuplot > \"$PICTURE\"", "w");
	if (gnuplot) {
		fprintf(gnuplot, "%sEOD\n%s\n", p->data, p->command);
		ret = pclose(gnuplot) == 0 ? 0 : -1;
	}
	if (ret)
		warnx("gnuplot did not draw %s; is gnuplot-nox installed?", path);
	return ret;
}

int plot_draw(struct plot *p, const char *path)
{
	int ret;

	fclose(p->data_out);
	fclose(p->command_out);
	ret = feed(p, path);
	free(p->data);
	free(p->command);
	free(p);
	return ret;
}
