/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_CMD_REPORT_SLOW_H
#define GENSCOPE_CMD_REPORT_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/options.h"
#include "model/select.h"
#include "model/slow.h"
#include "model/table.h"
#include "sink/sink.h"

/* What `report` says of slow steps and suspects: with --slow as `genscope slow` would have, and on the page. */

struct report_slow {
	bool listed; /* --slow */
	uint64_t over_ns, parked_ns;
	const struct options *options;
	const struct selection *selection;
	struct sink *sink; /* --slow: where lines go; borrowed */
	struct sink *page; /* NULL: none is wanted */
	struct slow *slow;
	struct table waiting; /* of struct waiting, by id: outermost objects that are suspended */
	uint64_t steps, suspects;
	int err;
};

/* Nothing happens where neither a list nor a page is wanted. -ENOMEM. */
int report_slow_open(struct report_slow *report);
/* Every event of the recording. What stopped it, -ENOMEM. */
int report_slow_event(struct report_slow *report, const struct event *event);
/* What still waits at the end is looked at. */
void report_slow_end(struct report_slow *report, uint64_t now_ns);
void report_slow_close(struct report_slow *report);

#endif
