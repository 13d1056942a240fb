/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_SKELETON_H
#define GENSCOPE_SESSION_SKELETON_H

/* The generated skeleton and what it takes for granted. Only user/session/ includes this. */

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "living.h"
#include "object.h"
#include "site.h"

typedef __u64 u64;
typedef __u32 u32;
typedef __u8 u8;

/* bpf/maps.bpf.h */
#define COUNTER_SLOTS 128
struct counter_slot {
	u64 value[16];
};

#include "genscope.skel.h"

#if LIBBPF_MAJOR_VERSION > 1 || (LIBBPF_MAJOR_VERSION == 1 && LIBBPF_MINOR_VERSION >= 3)
#define HAVE_UPROBE_MULTI 1
#endif

#endif
