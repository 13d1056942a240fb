// SPDX-License-Identifier: MIT
#include "model/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/hash.h"
#include "model/tree_internal.h"

/* --- names ----------------------------------------------------------------------------------------- */

static size_t without_digits(const char *name)
{
	size_t size = strlen(name);

	while (size && name[size - 1] >= '0' && name[size - 1] <= '9')
		size--;
	return size;
}

/* By what is before the digits, then by their number, then by all of it: an order without cycles. */
int tree_compare_names(const char *a, const char *b)
{
	size_t a_size = without_digits(a), b_size = without_digits(b);
	const char *a_number = a + a_size + strspn(a + a_size, "0");
	const char *b_number = b + b_size + strspn(b + b_size, "0");
	size_t a_digits = strlen(a_number), b_digits = strlen(b_number);
	int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

	if (!order)
		order = (a_size > b_size) - (a_size < b_size);
	if (!order)
		order = (a_digits > b_digits) - (a_digits < b_digits);
	if (!order)
		order = strcmp(a_number, b_number);
	return order ? order : strcmp(a, b);
}

/* --- shapes ---------------------------------------------------------------------------------------- */

static uint64_t hash_object(const struct snapshot_object *object)
{
	uint64_t hash = hash_word((uint64_t)(uintptr_t)object->code,
				  (uint64_t)object->line << 32 | (uint32_t)object->tid);

	hash = hash_word(hash, (uint64_t)object->kind << 24 | (uint64_t)object->state << 16 |
				       (uint64_t)object->awaits_kind << 8 | object->future_state);
	return hash_text(hash, object->awaits_class ? object->awaits_class : "");
}

static bool same_objects(const struct snapshot_object *a, const struct snapshot_object *b)
{
	return a->code == b->code && a->line == b->line && a->tid == b->tid && a->kind == b->kind &&
	       a->state == b->state && a->awaits_kind == b->awaits_kind &&
	       a->future_state == b->future_state &&
	       (a->awaits_class == b->awaits_class ||
		(a->awaits_class && b->awaits_class && !strcmp(a->awaits_class, b->awaits_class)));
}

/* Two that stand elsewhere look alike only when they are the same. */
static bool looks_same(const struct snapshot *snapshot, const struct tree_node *a,
		       const struct tree_node *b)
{
	if (a->what != b->what || a->place != b->place)
		return false;
	if (a->place != TREE_HERE || a->index == b->index)
		return a->index == b->index;
	if (a->what == TREE_TASK)
		return snapshot->tasks[a->index].state == snapshot->tasks[b->index].state;
	return same_objects(&snapshot->objects[a->index], &snapshot->objects[b->index]);
}

static uint64_t hash_look(const struct snapshot *snapshot, const struct tree_node *node)
{
	uint64_t what = (uint64_t)node->place << 1 | node->what;

	if (node->place != TREE_HERE)
		return hash_word(what, node->index);
	if (node->what == TREE_TASK)
		return hash_word(what, snapshot->tasks[node->index].state);
	return hash_word(what, hash_object(&snapshot->objects[node->index]));
}

/* Do both have the same number of branches of each shape? Each shape occurs once in either. */
static bool same_branches(struct tree_builder *builder, const struct tree_node *a,
			  const struct tree_node *b)
{
	const struct tree_branch *branches = builder->tree->branches;

	if (a->branch_count != b->branch_count)
		return false;
	for (uint32_t i = 0; i < a->branch_count; i++) {
		const struct tree_branch *branch = &branches[a->first_branch + i];
		uint32_t shape = builder->shape[branch->node];
		uint32_t at = builder->seen_branch[shape]; /* of b: it was merged last */

		if (at < b->first_branch || at - b->first_branch >= b->branch_count ||
		    builder->shape[branches[at].node] != shape ||
		    branches[at].count != branch->count)
			return false;
	}
	return true;
}

static void widen_names(const struct snapshot *snapshot, struct tree_branch *branch, uint32_t task)
{
	const char *name = snapshot->tasks[task].name;

	if (tree_compare_names(name, snapshot->tasks[branch->first_task].name) < 0)
		branch->first_task = task;
	else if (tree_compare_names(name, snapshot->tasks[branch->last_task].name) > 0)
		branch->last_task = task;
}

/* Puts the node's children together by their shapes, which are known. */
static void merge_children(struct tree_builder *builder, uint32_t n)
{
	struct tree *tree = builder->tree;
	struct tree_node *node = &tree->nodes[n];

	node->first_branch = tree->branch_count;
	for (uint32_t c = builder->child_at[n]; c < builder->child_at[n + 1]; c++) {
		uint32_t child = builder->children[c], shape = builder->shape[child];
		const struct tree_node *look = &tree->nodes[child];
		bool is_task = look->what == TREE_TASK;
		struct tree_branch *branch;

		if (builder->seen[shape] == n) {
			branch = &tree->branches[builder->seen_branch[shape]];
			branch->count++;
			if (is_task)
				widen_names(builder->snapshot, branch, look->index);
			continue;
		}
		builder->seen[shape] = n;
		builder->seen_branch[shape] = tree->branch_count;
		tree->branches[tree->branch_count++] =
			(struct tree_branch){ .node = child,
					      .count = 1,
					      .first_task = is_task ? look->index : NONE,
					      .last_task = is_task ? look->index : NONE };
	}
	node->branch_count = tree->branch_count - node->first_branch;
}

static uint64_t hash_shape(const struct tree_builder *builder, const struct tree_node *node)
{
	uint64_t sum = 0; /* the order of branches does not count */

	for (uint32_t i = 0; i < node->branch_count; i++) {
		const struct tree_branch *branch = &builder->tree->branches[node->first_branch + i];

		sum += hash_word(builder->shape[branch->node], branch->count);
	}
	return hash_word(sum, hash_look(builder->snapshot, node));
}

static void number_shape(struct tree_builder *builder, uint32_t n)
{
	const struct tree_node *node = &builder->tree->nodes[n];
	uint64_t hash = hash_shape(builder, node);
	uint32_t number;

	for (uint32_t i = (uint32_t)hash;; i++) {
		uint32_t *slot = &builder->slots[i & (builder->slot_count - 1)];
		const struct tree_node *other;

		number = *slot - 1;
		if (!*slot) {
			number = builder->shape_count++;
			*slot = number + 1;
			builder->shape_hash[number] = hash;
			builder->shape_node[number] = n;
			break;
		}
		other = &builder->tree->nodes[builder->shape_node[number]];
		if (builder->shape_hash[number] == hash &&
		    looks_same(builder->snapshot, other, node) &&
		    same_branches(builder, other, node))
			break;
	}
	builder->shape[n] = number;
}

static int find_shapes(struct tree_builder *builder)
{
	uint32_t count = builder->count;
	struct tree *tree = builder->tree;

	builder->slot_count = 64;
	while (builder->slot_count < 2 * (uint64_t)count && builder->slot_count < 1u << 31)
		builder->slot_count *= 2;
	builder->slots = calloc(builder->slot_count, sizeof(*builder->slots));
	builder->shape = malloc(count * sizeof(*builder->shape));
	builder->shape_node = malloc(count * sizeof(*builder->shape_node));
	builder->shape_hash = malloc(count * sizeof(*builder->shape_hash));
	builder->seen = malloc(count * sizeof(*builder->seen));
	builder->seen_branch = malloc(count * sizeof(*builder->seen_branch));
	tree->branches = calloc(count, sizeof(*tree->branches));
	if (!builder->slots || !builder->shape || !builder->shape_node || !builder->shape_hash ||
	    !builder->seen || !builder->seen_branch || !tree->branches)
		return -ENOMEM;
	memset(builder->seen, 0xff, count * sizeof(*builder->seen));
	for (uint32_t i = count; i-- > 1;) {
		merge_children(builder, builder->order[i]);
		number_shape(builder, builder->order[i]);
	}
	return 0;
}

/* --- what is shown --------------------------------------------------------------------------------- */

/* Drops the trees without a selected object, by taking their roots away from the root. */
static int choose(struct tree_builder *builder, const struct selection *selection)
{
	uint32_t kept = builder->child_at[builder->root];
	bool *wanted = calloc(builder->count, sizeof(*wanted)), *shown;
	bool all = selection_is_all(selection);

	shown = calloc(builder->objects + 1, sizeof(*shown));
	builder->tree->object_shown = shown;
	if (!wanted || !shown) {
		free(wanted);
		return -ENOMEM;
	}
	for (uint32_t i = builder->count; i-- > 1;) { /* up to the roots… */
		uint32_t n = builder->order[i], object = n - builder->tasks;

		if (!all && n >= builder->tasks && object < builder->objects &&
		    selection_has(selection, &builder->snapshot->objects[object]))
			wanted[n] = true;
		if (wanted[n] && builder->parent[n] != builder->root)
			wanted[builder->parent[n]] = true;
	}
	for (uint32_t i = 1; i < builder->count; i++) { /* …and down from them */
		uint32_t n = builder->order[i], object = n - builder->tasks;

		wanted[n] =
			all || wanted[builder->parent[n] == builder->root ? n : builder->parent[n]];
		if (n >= builder->tasks && object < builder->objects)
			shown[object] = wanted[n];
	}
	for (uint32_t c = kept; c < builder->child_at[builder->root + 1]; c++)
		if (wanted[builder->children[c]])
			builder->children[kept++] = builder->children[c];
	builder->child_at[builder->root + 1] = kept;
	free(wanted);
	return 0;
}

struct ordered {
	struct tree_branch branch;
	const char *name; /* NULL: no task */
	uint32_t at;
};

/* Tasks by name, then the rest as it stands. */
static int compare_branches(const void *left, const void *right)
{
	const struct ordered *a = left, *b = right;
	int order = !a->name - !b->name;

	if (!order && a->name)
		order = tree_compare_names(a->name, b->name);
	return order ? order : (a->at > b->at) - (a->at < b->at);
}

static int sort_branches(struct tree *tree, const struct tree_node *node)
{
	struct tree_branch *branches = tree->branches + node->first_branch;
	struct ordered *sorted;

	if (node->branch_count < 2)
		return 0;
	sorted = malloc(node->branch_count * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < node->branch_count; i++)
		sorted[i] = (struct ordered){
			.branch = branches[i],
			.name = branches[i].first_task == NONE ?
					NULL :
					tree->snapshot->tasks[branches[i].first_task].name,
			.at = i,
		};
	qsort(sorted, node->branch_count, sizeof(*sorted), compare_branches);
	for (uint32_t i = 0; i < node->branch_count; i++)
		branches[i] = sorted[i].branch;
	free(sorted);
	return 0;
}

/* Only when all shapes are known: until then branches are found by their place. */
static int finish(struct tree_builder *builder)
{
	struct tree *tree = builder->tree;
	int err = 0;

	merge_children(builder, builder->root);
	for (uint32_t n = 0; n < builder->count && !err; n++)
		err = sort_branches(tree, &tree->nodes[n]);
	tree->root_count = tree->nodes[builder->root].branch_count;
	tree->roots = tree->branches + tree->nodes[builder->root].first_branch;
	return err;
}

/* --- all of it ------------------------------------------------------------------------------------- */

static void builder_free(struct tree_builder *builder)
{
	free(builder->parent);
	free(builder->links);
	free(builder->child_at);
	free(builder->children);
	free(builder->order);
	free(builder->shape);
	free(builder->shape_node);
	free(builder->shape_hash);
	free(builder->slots);
	free(builder->seen);
	free(builder->seen_branch);
}

int tree_build(const struct snapshot *snapshot, const struct selection *selection,
	       struct tree **out)
{
	struct tree_builder builder = { .snapshot = snapshot,
					.tasks = snapshot->task_count,
					.objects = snapshot->object_count };
	int err;

	builder.tree = calloc(1, sizeof(*builder.tree));
	if (!builder.tree)
		return -ENOMEM;
	builder.tree->snapshot = snapshot;
	err = tree_place_nodes(&builder);
	if (!err)
		err = choose(&builder, selection);
	if (!err)
		err = find_shapes(&builder);
	if (!err)
		err = finish(&builder);
	builder_free(&builder);
	if (err)
		tree_free(builder.tree);
	else
		*out = builder.tree;
	return err;
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;
	free(tree->nodes);
	free(tree->branches);
	free(tree->object_shown);
	free(tree);
}

bool tree_same_step(const struct tree *tree, const struct tree_node *a, const struct tree_node *b)
{
	const struct snapshot_object *one, *other;

	if (a->what != TREE_OBJECT || b->what != TREE_OBJECT || a->place || b->place)
		return false;
	one = &tree->snapshot->objects[a->index];
	other = &tree->snapshot->objects[b->index];
	return one->code == other->code && one->line == other->line && one->kind == other->kind &&
	       one->state == other->state;
}
