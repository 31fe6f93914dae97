/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_PAGE_H
#define DASH_PAGE_H

/*
 * The page's parts, which the linker put into barrage-dash, and the JSON that goes between them.
 * Data are in script elements of type application/json, one per series, which the page reads only
 * when it shows that series.
 */

#include <stdint.h>
#include <stdio.h>

/** All of the page up to the data: styles, and the elements that the script fills. */
void page_begin(FILE *out);

/** An element of data; what is written up to page_data_end() is its JSON. */
void page_data_begin(FILE *out, const char *id);
void page_data_end(FILE *out);

/** The scripts, and the end. */
void page_end(FILE *out);

/** A JSON string, harmless inside a script element whatever the text is. NULL is "". */
void put_text(FILE *out, const char *text);

/** JSON that is JSON already, made harmless in the same way; "" becomes null. */
void put_json(FILE *out, const char *json);

/** A JSON number, whole ones in full and others to 7 digits; null when it is not finite. */
void put_number(FILE *out, double value);

#endif
