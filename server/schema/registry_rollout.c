/* Changes of where a rollout stands: wished backfills, and versions withdrawn. */
#include "server/schema/registry_draft.h"

const struct registry_withdrawal *
registry_withdrawal(const struct registry_schema *schema, unsigned version)
{
    const struct registry_rollout *rollout = &schema->rollout;
    for (size_t i = 0; i < rollout->withdrawal_count; i++) {
        if (rollout->withdrawals[i].version == version) {
            return &rollout->withdrawals[i];
        }
    }
    return NULL;
}

/* One change of a schema in a draft; false with the error reply. */
struct change {
    bool (*apply)(const struct change *change, struct draft *draft, struct draft_schema *schema,
                  struct buffer *ret_error);
    const struct registry_backfill *backfill;
    const struct registry_withdrawal *withdrawal;
    unsigned version;
};

/* <schema>: of the epoch that is current, NULL: gone. */
static bool
commit_locked(struct registry_holder *holder, const struct registry *registry,
              const struct registry_schema *schema, const struct change *change,
              const struct registry **ret_old, struct buffer *ret_error)
{
    struct draft draft;
    if (!draft_from_registry(&draft, registry)) {
        buffer_append_string(ret_error, "OOM no memory to change the registry");
        return false;
    }
    size_t index = draft_find(&draft, lens_schema_name(schema->lens));
    bool ok = change->apply(change, &draft, &draft.schemas[index], ret_error) &&
              registry_commit_locked(holder, &draft, ret_old, ret_error);
    draft_fini(&draft);
    return ok;
}

static bool
commit(struct registry_holder *holder, struct slice name, const struct change *change,
       const struct registry **ret_old, struct buffer *ret_error)
{
    bool ok = false;
    *ret_old = NULL;
    const struct registry *registry = registry_lock(holder);
    const struct registry_schema *schema = registry_schema_by_name(registry, name);
    if (schema == NULL) {
        buffer_append_string(ret_error, "NOSCHEMA no schema is called ");
        buffer_append_slice(ret_error, name);
    } else {
        ok = commit_locked(holder, registry, schema, change, ret_old, ret_error);
    }
    registry_unlock(holder);
    return ok;
}

static bool
has_version(const struct draft_schema *schema, unsigned version, struct buffer *ret_error)
{
    if (version <= lens_schema_version_count(schema->shared->lens)) {
        return true;
    }
    buffer_append_string(ret_error, "NOVERSION schema ");
    buffer_append_slice(ret_error, lens_schema_name(schema->shared->lens));
    buffer_printf(ret_error, " has no version %u", version);
    return false;
}

static bool
apply_backfill(const struct change *change, struct draft *draft, struct draft_schema *schema,
               struct buffer *ret_error)
{
    (void)draft;
    schema->rollout.backfill = *change->backfill;
    return has_version(schema, change->backfill->version, ret_error);
}

bool
registry_set_backfill(struct registry_holder *holder, struct slice name,
                      const struct registry_backfill *backfill, const struct registry **ret_old,
                      struct buffer *ret_error)
{
    const struct change change = {.apply = apply_backfill, .backfill = backfill};
    return commit(holder, name, &change, ret_old, ret_error);
}

bool
registry_end_backfill(struct registry_holder *holder, uint32_t id, unsigned version,
                      const struct registry **ret_old, struct buffer *ret_error)
{
    static const struct registry_backfill none = {.state = REGISTRY_BACKFILL_NONE};
    const struct change change = {.apply = apply_backfill, .backfill = &none};
    bool ok = true;
    *ret_old = NULL;
    const struct registry *registry = registry_lock(holder);
    const struct registry_schema *schema = registry_schema_by_id(registry, id);
    if (schema != NULL && schema->rollout.backfill.state != REGISTRY_BACKFILL_NONE &&
        schema->rollout.backfill.version == version) {
        ok = commit_locked(holder, registry, schema, &change, ret_old, ret_error);
    }
    registry_unlock(holder);
    return ok;
}

/* The withdrawals of <schema> but for <version>, with room for one more; NULL: no memory. */
static struct registry_withdrawal *
withdrawals_without(struct draft *draft, const struct draft_schema *schema, unsigned version,
                    size_t *ret_count)
{
    const struct registry_rollout *rollout = &schema->rollout;
    struct registry_withdrawal *copies =
        arena_calloc(&draft->arena, rollout->withdrawal_count + 1, sizeof(*copies));
    *ret_count = 0;
    for (size_t i = 0; copies != NULL && i < rollout->withdrawal_count; i++) {
        if (rollout->withdrawals[i].version != version) {
            copies[(*ret_count)++] = rollout->withdrawals[i];
        }
    }
    return copies;
}

/* What must not be under a withdrawal, whatever is forced; false with the error reply. */
static bool
may_withdraw(const struct draft_schema *schema, unsigned version, struct buffer *ret_error)
{
    const struct registry_backfill *backfill = &schema->rollout.backfill;
    if (version == lens_schema_default_version(schema->shared->lens)) {
        buffer_printf(ret_error,
                      "GATE version %u is the default version: SCHEMA PUT another "
                      "one as default_version first",
                      version);
        return false;
    }
    if (backfill->state != REGISTRY_BACKFILL_NONE && backfill->version == version) {
        buffer_printf(ret_error,
                      "GATE a backfill to version %u is under way: SCHEMA BACKFILL CANCEL it "
                      "first",
                      version);
        return false;
    }
    return true;
}

static bool
apply_withdrawal(const struct change *change, struct draft *draft, struct draft_schema *schema,
                 struct buffer *ret_error)
{
    size_t count;
    unsigned version = change->version;
    if (!has_version(schema, version, ret_error)) {
        return false;
    }
    if (change->withdrawal != NULL && !may_withdraw(schema, version, ret_error)) {
        return false;
    }
    struct registry_withdrawal *copies = withdrawals_without(draft, schema, version, &count);
    if (copies == NULL) {
        buffer_append_string(ret_error, "OOM no memory to change the registry");
        return false;
    }
    bool was_withdrawn = count < schema->rollout.withdrawal_count;
    if (was_withdrawn == (change->withdrawal != NULL)) {
        buffer_printf(ret_error,
                      was_withdrawn ? "GATE version %u is retired already"
                                    : "GATE version %u is not retired",
                      version);
        return false;
    }
    if (change->withdrawal != NULL) {
        copies[count++] = *change->withdrawal;
    }
    schema->rollout.withdrawals = copies;
    schema->rollout.withdrawal_count = count;
    return true;
}

bool
registry_withdraw(struct registry_holder *holder, struct slice name,
                  const struct registry_withdrawal *withdrawal, const struct registry **ret_old,
                  struct buffer *ret_error)
{
    const struct change change = {
        .apply = apply_withdrawal, .withdrawal = withdrawal, .version = withdrawal->version};
    return commit(holder, name, &change, ret_old, ret_error);
}

bool
registry_readmit(struct registry_holder *holder, struct slice name, unsigned version,
                 const struct registry **ret_old, struct buffer *ret_error)
{
    const struct change change = {.apply = apply_withdrawal, .version = version};
    return commit(holder, name, &change, ret_old, ret_error);
}
