/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APP_FOLDER_H
#define APP_FOLDER_H

/** mkdir -p. 0, or -1 after a message. */
int make_folders(const char *path);

#endif
