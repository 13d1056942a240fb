// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "sites/cut.h"
#include "sites/finder.h"
#include "sites/slide.h"

/* By condition code. */
static const char *const conditions[] = {
	"overflow",  "no overflow", "below",       "not below",    "equal",  "not equal",
	"not above", "above",       "negative",    "not negative", "parity", "no parity",
	"less",      "not less",    "not greater", "greater",
};

static void edges_text(const struct found_site *site, char *out, size_t room)
{
	const struct site_proof *proof = &site->proof;
	char condition[32] = "";

	if (site->site.condition)
		snprintf(condition, sizeof(condition), ", when %s",
			 conditions[(site->site.condition - 1) & 15]);
	snprintf(
		out, room,
		"before the store: %u of the %u way%s into a region of %u block%s (%u instructions "
		"before the store) that leads nowhere else%s",
		proof->part, proof->parts, proof->parts == 1 ? "" : "s", proof->blocks,
		proof->blocks == 1 ? "" : "s", proof->passed, condition);
}

void sites_proof_text(const struct found_site *site, char *out, size_t room)
{
	const struct site_proof *proof = &site->proof;

	switch (proof->rule) {
	case PROOF_STORE:
		if (site->site.stepped)
			snprintf(out, room, "on the store: behind it %s; before it %s",
				 slide_stop_text(proof->stop), cut_obstacle_text(proof->obstacle));
		else
			snprintf(out, room, "on the store");
		return;
	case PROOF_FORWARD:
		snprintf(out, room, "behind the store: %u instructions in a straight line",
			 proof->passed);
		return;
	case PROOF_PUSH:
		snprintf(out, room, "before the store: %u instructions in a straight line",
			 proof->passed);
		return;
	case PROOF_RETURN:
		snprintf(out, room, "behind the call of the evaluation loop, in a straight line");
		return;
	case PROOF_EDGES:
		edges_text(site, out, room);
		return;
	}
	snprintf(out, room, "%s", "");
}
