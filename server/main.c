#include "server/core/config.h"
#include "server/core/log.h"
#include "server/schema/presets.h"
#include "server/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
fail(struct buffer *error)
{
    buffer_append_char(error, '\0');
    (void)fprintf(stderr, "segue-server: %s\n", error->data == NULL ? "failed" : error->data);
    buffer_fini(error);
    return EXIT_FAILURE;
}

static void
log_notices(struct buffer *notices)
{
    size_t start = 0;
    for (size_t i = 0; i < notices->size; i++) {
        if (notices->data[i] == '\n') {
            log_line(LOG_LEVEL_NOTICE, "%.*s", (int)(i - start), notices->data + start);
            start = i + 1;
        }
    }
    buffer_fini(notices);
}

static bool
open_log(struct config *config, struct buffer *ret_error)
{
    struct buffer path;
    buffer_init(&path, 0);
    config_string(config, CONFIG_LOGFILE, &path);
    buffer_append_char(&path, '\0');
    bool is_open = log_open(path.data, ret_error);
    buffer_fini(&path);
    log_set_level((enum log_level)config_number(config, CONFIG_LOGLEVEL));
    return is_open;
}

static void
on_loglevel(void *context, const struct config *config, enum config_id id)
{
    (void)context;
    log_set_level((enum log_level)config_number(config, id));
}

/* segue-server --preset help */
static bool
asks_for_presets(int argc, char **argv)
{
    return argc == 3 && strcmp(argv[1], "--preset") == 0 && strcmp(argv[2], "help") == 0;
}

static int
print_presets(void)
{
    struct buffer text;
    buffer_init(&text, 0);
    presets_list(&text);
    (void)fwrite(text.data, 1, text.size, stdout);
    buffer_fini(&text);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    const char *text = config_early_text(argc, argv);
    if (text != NULL) {
        (void)fputs(text, stdout);
        return EXIT_SUCCESS;
    }
    if (asks_for_presets(argc, argv)) {
        return print_presets();
    }
    (void)signal(SIGPIPE, SIG_IGN);
    struct buffer error;
    struct buffer notices;
    buffer_init(&error, 0);
    buffer_init(&notices, 0);
    struct config *config = config_new();
    if (config == NULL) {
        buffer_append_string(&error, "out of memory");
        return fail(&error);
    }
    bool is_done =
        config_load(config, argc, argv, &error, &notices) && open_log(config, &error);
    log_set_role("main");
    log_notices(&notices);
    if (is_done) {
        config_on_change(config, CONFIG_LOGLEVEL, on_loglevel, NULL);
        is_done = server_run(config, &error);
    }
    config_free(config);
    if (!is_done) {
        return fail(&error);
    }
    buffer_fini(&error);
    return EXIT_SUCCESS;
}
