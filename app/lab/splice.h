/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_SPLICE_H
#define LAB_SPLICE_H

/**
 * Take definitions out of a kernel source file and include another file in their place.
 *
 * The handler's text names them in comment lines, either of which may be repeated:
 *
 *     " * Replaces: f g"   f and g, functions or initialised variables, are taken out
 *     " * Wraps: h"        the function h stays, as stock_h
 *
 * Where the handler defines the name anew, a declaration is left behind, so that what comes between
 * there and the include can still use it. The include comes where the last of them was: the handler
 * sees all that they saw.
 *
 * @param source   text of the file, which must have the definitions in the kernel's style: the
 *                 name at a line that starts in column 0, the end a "}" or "};" in column 0.
 * @param handler  text of the handler.
 * @param include  name of the file to include.
 * @return the new text, freed by the caller; NULL after a message.
 */
char *splice(const char *source, const char *handler, const char *include);

#endif
