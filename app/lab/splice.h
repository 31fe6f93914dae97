/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_SPLICE_H
#define LAB_SPLICE_H

/**
 * Take functions out of a kernel source file and include another file in their place.
 *
 * The handler's text names them in a comment line " * Replaces: f g". The include comes where the
 * last of them was, so that the handler sees all that they saw.
 *
 * @param source   text of the file, which must define the functions in the kernel's style: the
 *                 name at a line that starts in column 0, the end a "}" in column 0.
 * @param handler  text of the handler.
 * @param include  name of the file to include.
 * @return the new text, freed by the caller; NULL after a message.
 */
char *splice(const char *source, const char *handler, const char *include);

#endif
