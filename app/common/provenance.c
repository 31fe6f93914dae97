/* SPDX-License-Identifier: BSD-3-Clause */
/* What results say of the program and the machine they were made with. */

#include <cpuid.h>
#include <ctype.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commit.h" /* made by the build */
#include "provenance.h"
#include "text.h"

const char *build_commit(void)
{
	return BUILD_COMMIT;
}

char *cpu_model(void)
{
	FILE *in = fopen("/proc/cpuinfo", "re");
	char *line = NULL, *name = NULL;
	size_t size = 0;

	while (in && !name && getline(&line, &size, in) > 0)
		if (sscanf(line, "model name : %m[^\n]", &name) != 1)
			name = NULL;
	if (in)
		fclose(in);
	free(line);
	return name ? name : format("unknown");
}

/* CPUID leaf 0x40000000, which hypervisors agreed on: a name of 12 letters. */
const char *hypervisor(void)
{
	static const struct {
		const char *signature, *name;
	} known[] = {
		{"TCGTCGTCGTCG", "tcg"},    {"KVMKVMKVM", "kvm"},    {"Microsoft Hv", "hyper-v"},
		{"VMwareVMware", "vmware"}, {"XenVMMXenVMM", "xen"},
	};
	unsigned int eax, ebx, ecx, edx;
	char signature[13] = "";

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & 1u << 31))
		return "";
	__cpuid(0x40000000, eax, ebx, ecx, edx);
	memcpy(signature, &ebx, 4);
	memcpy(signature + 4, &ecx, 4);
	memcpy(signature + 8, &edx, 4);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(signature, known[i].signature))
			return known[i].name;
	return "virtual";
}

static bool is_plain(const char *word)
{
	for (const char *c = word; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_@%+=:,./-", *c))
			return false;
	return *word;
}

static void write_word(FILE *out, const char *word)
{
	if (is_plain(word)) {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc(*word, out);
	}
	fputc('\'', out);
}

char *command_line(void)
{
	FILE *in = fopen("/proc/self/cmdline", "re"), *out;
	char *text = NULL, *word = NULL;
	size_t text_size, size = 0;
	bool first = true;

	out = open_memstream(&text, &text_size);
	if (!out)
		err(1, NULL);
	while (in && getdelim(&word, &size, '\0', in) > 0) {
		if (!first)
			fputc(' ', out);
		first = false;
		write_word(out, word);
	}
	if (in)
		fclose(in);
	free(word);
	if (fclose(out))
		err(1, NULL);
	return text;
}

char *date_now(void)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[64];

	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &tm);
	return format("%s", text);
}
