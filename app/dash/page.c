/* SPDX-License-Identifier: BSD-3-Clause */
/* The page around the data, and JSON that no text can break out of. */

#include <math.h>
#include <string.h>

#include "page.h"

#define EMBEDDED(file)                                                                   \
	extern const char embedded_##file[] __asm__("_binary_app_dash_" #file "_start"); \
	extern const char embedded_##file##_end[] __asm__("_binary_app_dash_" #file "_end");

EMBEDDED(page_html)
EMBEDDED(page_css)
EMBEDDED(page_js)
EMBEDDED(dygraph_css)
EMBEDDED(dygraph_js)

#define PUT(out, file) \
	fwrite(embedded_##file, 1, (size_t)(embedded_##file##_end - embedded_##file), out)

void page_begin(FILE *out)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      /* Nothing is loaded from anywhere, whatever a result may say. */
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<title>Barrage: results</title>\n<style>\n",
	      out);
	PUT(out, dygraph_css);
	PUT(out, page_css);
	fputs("</style>\n</head>\n", out);
	PUT(out, page_html);
}

void page_data_begin(FILE *out, const char *id)
{
	fprintf(out, "<script type=\"application/json\" id=\"%s\">", id);
}

void page_data_end(FILE *out)
{
	fputs("</script>\n", out);
}

void page_end(FILE *out)
{
	fputs("<script>\n", out);
	PUT(out, dygraph_js);
	fputs("</script>\n<script>\n", out);
	PUT(out, page_js);
	fputs("</script>\n</body>\n</html>\n", out);
}

void put_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (const char *c = text ? text : ""; *c; c++) {
		if (*c == '"' || *c == '\\' || *c == '<' || (unsigned char)*c < ' ')
			fprintf(out, "\\u%04x", *c);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

void put_json(FILE *out, const char *json)
{
	if (!json || !*json)
		json = "null";
	for (; *json; json++) {
		if (*json == '<') /* in JSON it can only be part of a string */
			fputs("\\u003c", out);
		else
			fputc(*json, out);
	}
}

void put_number(FILE *out, double value)
{
	if (!isfinite(value))
		fputs("null", out);
	else if (value == floor(value) && fabs(value) < 1e15)
		fprintf(out, "%.0f", value);
	else
		fprintf(out, "%.7g", value);
}
