/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_PLOT_H
#define LAB_PLOT_H

/* Pictures of results, drawn by gnuplot as SVG. Both axes are logarithmic unless told otherwise. */

#include <stdbool.h>

struct plot;

/** A picture to be; out of memory ends the program. */
struct plot *plot_new(const char *title, const char *x, const char *y, bool log_y);

/** Begin a line of the picture; the points that follow belong to it. */
void plot_line(struct plot *p, const char *name);
void plot_point(struct plot *p, double x, double y);

/** Draw it into a file, and free it. 0, or -1 after a message. */
int plot_draw(struct plot *p, const char *path);

#endif
