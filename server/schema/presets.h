/*
 * presets - ready schemas for what frameworks store: one row per framework in presets.def.
 *
 *   preset express-session               with the keys that the framework uses by itself
 *   preset laravel shop_cache_:*         with others
 *
 * A preset is a schema of its name with one version. It is put at the start, where no schema of
 * that name is; from then on it is a schema like any other, and versions are appended to it.
 *
 * Thread:   at the start, before there are others.
 */
#ifndef SERVER_SCHEMA_PRESETS_H
#define SERVER_SCHEMA_PRESETS_H

#include "server/core/config.h"
#include "server/schema/registry.h"

/*
 * Put what the directive `preset` names. A schema of the same name stays as it is, and keys
 * that another schema has stay with that one: a line of the log says so. False with a message
 * for people in <ret_error>: an unknown name (with a list of those there are), keys that are no
 * patterns, a registry that cannot be written.
 */
bool presets_put(struct config *config, struct registry_holder *registries,
                 struct buffer *ret_error);

/*
 * The schema document of a line of the directive. False with a message for people in
 * <ret_error>.
 */
bool presets_document(struct slice line, struct buffer *ret_json, struct buffer *ret_error);

/* A line per preset: its name, what it is, its keys. */
void presets_list(struct buffer *ret_text);

#endif
