/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_ERROR_H
#define GENSCOPE_HTTP_ERROR_H

/* Functions of this room that fail for a reason a user can do something about put one line without an
 * end into an array of this size: what went wrong, and where it is not plain, what to do about it. */
#define HTTP_ERROR_BYTES 512

#endif
