#include "bench/report.h"

static const double percents[] = {50, 90, 99, 99.9, 99.99};
enum { PERCENT_COUNT = sizeof(percents) / sizeof(*percents) };

static double
rate_of(const struct run_result *result, uint64_t count)
{
    return result->seconds > 0 ? (double)count / result->seconds : 0;
}

static double
per_reply_us(const struct run_result *result, double seconds)
{
    return result->replies > 0 ? seconds * 1e6 / (double)result->replies : 0;
}

static void
table_row(const struct run_result *result, const char *name, const struct histogram *latency,
          FILE *out)
{
    (void)fprintf(out, "%-8s %11llu %11.0f %9.1f", name, (unsigned long long)latency->count,
                  rate_of(result, latency->count), histogram_mean(latency) / 1e3);
    for (size_t i = 0; i < PERCENT_COUNT; i++) {
        (void)fprintf(out, " %9.1f", (double)histogram_percentile(latency, percents[i]) / 1e3);
    }
    (void)fprintf(out, " %9.1f\n", (double)latency->maximum / 1e3);
}

void
report_table(const struct options *options, const struct run_result *result, FILE *out)
{
    (void)fprintf(out, "%s, %lld connections, %lld threads, pipeline %lld, ",
                  options->workload->name, (long long)options->connections,
                  (long long)options->threads, (long long)options->pipeline);
    if (options->rate > 0) {
        (void)fprintf(out, "open loop at %.0f/s", options->rate);
    } else {
        (void)fprintf(out, "closed loop");
    }
    (void)fprintf(out, ", %lld keys, values of %lld bytes: %.2f s\n", (long long)options->keys,
                  (long long)options->value_size, result->seconds);
    (void)fprintf(out, "%-8s %11s %11s %9s %9s %9s %9s %9s %9s %9s\n", "latency", "replies",
                  "per second", "mean us", "p50", "p90", "p99", "p99.9", "p99.99", "max");
    size_t kinds = 0;
    for (size_t i = OP_SETUP + 1; i < OP_COUNT; i++) {
        if (result->latency[i].count > 0) {
            table_row(result, op_names[i], &result->latency[i], out);
            kinds++;
        }
    }
    if (kinds != 1) {
        table_row(result, "all", &result->latency[OP_SETUP], out);
    }
    if (result->has_usage) {
        (void)fprintf(out,
                      "server: %.3f us CPU per request (user %.3f, system %.3f), %.1f MiB "
                      "resident\n",
                      per_reply_us(result, result->usage.user_s + result->usage.system_s),
                      per_reply_us(result, result->usage.user_s),
                      per_reply_us(result, result->usage.system_s),
                      (double)result->usage.resident_size / (1 << 20));
    }
    if (result->misses > 0) {
        (void)fprintf(out, "misses: %llu\n", (unsigned long long)result->misses);
    }
    if (result->late > 0) {
        (void)fprintf(out,
                      "late: %llu requests fell due and were not answered by the end; the "
                      "server cannot keep this rate\n",
                      (unsigned long long)result->late);
    }
    if (result->errors > 0 || result->lost > 0) {
        (void)fprintf(out, "errors: %llu, connections lost: %llu; the first: %s\n",
                      (unsigned long long)result->errors, (unsigned long long)result->lost,
                      result->error);
    }
}

/* ---- JSON ---- */

static void
json_string(const char *text, FILE *out)
{
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            (void)fputc('\\', out);
        }
        if (byte < 0x20 || byte > 0x7e) {
            (void)fprintf(out, "\\u%04x", byte);
        } else {
            (void)fputc(byte, out);
        }
    }
    (void)fputc('"', out);
}

static void
json_latency(const struct run_result *result, const char *name, const struct histogram *latency,
             FILE *out)
{
    (void)fprintf(out,
                  "    \"%s\": {\"replies\": %llu, \"per_second\": %.1f, \"mean_us\": %.3f, "
                  "\"min_us\": %.3f, \"max_us\": %.3f, \"percentiles_us\": [",
                  name, (unsigned long long)latency->count, rate_of(result, latency->count),
                  histogram_mean(latency) / 1e3, (double)latency->minimum / 1e3,
                  (double)latency->maximum / 1e3);
    /* Denser towards 100, up to where single requests decide. */
    const char *separator = "";
    double rest = 100;
    for (unsigned i = 0; rest * (double)latency->count >= 100; i++) {
        double percent = 100 - rest;
        (void)fprintf(out, "%s[%.6g, %.3f]", separator, percent,
                      (double)histogram_percentile(latency, percent) / 1e3);
        separator = ", ";
        static const double steps[] = {0.75, 2.0 / 3, 0.5, 0.4};
        rest *= steps[i % 4];
    }
    (void)fprintf(out, "],\n     ");
    for (size_t i = 0; i < PERCENT_COUNT; i++) {
        (void)fprintf(out, "\"p%g_us\": %.3f%s", percents[i],
                      (double)histogram_percentile(latency, percents[i]) / 1e3,
                      i + 1 < PERCENT_COUNT ? ", " : "}");
    }
}

static void
json_options(const struct options *options, FILE *out)
{
    (void)fprintf(out,
                  "  \"workload\": \"%s\", \"threads\": %lld, \"connections\": %lld, "
                  "\"pipeline\": %lld, \"rate\": %.1f, \"keys\": %lld, \"value_size\": %lld, "
                  "\"ttl_s\": %lld, \"zipf\": %g, \"writes\": %lld, \"seed\": %lld,\n",
                  options->workload->name, (long long)options->threads,
                  (long long)options->connections, (long long)options->pipeline, options->rate,
                  (long long)options->keys, (long long)options->value_size,
                  (long long)options->ttl_s, options->zipf, (long long)options->writes,
                  (long long)options->seed);
}

void
report_json(const struct options *options, const struct run_result *result, FILE *out)
{
    (void)fprintf(out, "{\n");
    json_options(options, out);
    (void)fprintf(out,
                  "  \"seconds\": %.6f, \"replies\": %llu, \"per_second\": %.1f, \"misses\": "
                  "%llu, \"errors\": %llu, \"lost\": %llu, \"late\": %llu, \"error\": ",
                  result->seconds, (unsigned long long)result->replies,
                  rate_of(result, result->replies), (unsigned long long)result->misses,
                  (unsigned long long)result->errors, (unsigned long long)result->lost,
                  (unsigned long long)result->late);
    json_string(result->error, out);
    (void)fprintf(out, ",\n");
    if (result->has_usage) {
        (void)fprintf(out,
                      "  \"server\": {\"user_us\": %.4f, \"system_us\": %.4f, "
                      "\"total_us\": %.4f, \"resident_bytes\": %llu},\n",
                      per_reply_us(result, result->usage.user_s),
                      per_reply_us(result, result->usage.system_s),
                      per_reply_us(result, result->usage.user_s + result->usage.system_s),
                      (unsigned long long)result->usage.resident_size);
    }
    (void)fprintf(out, "  \"series\": [");
    for (size_t i = 0; i < result->series_count; i++) {
        (void)fprintf(out, "%s[%llu, %.1f, %.1f]", i == 0 ? "" : ", ",
                      (unsigned long long)result->series[i].replies,
                      (double)result->series[i].slowest_ns / 1e3, result->series[i].share);
    }
    (void)fprintf(out, "],\n  \"latency\": {\n");
    json_latency(result, "all", &result->latency[OP_SETUP], out);
    for (size_t i = OP_SETUP + 1; i < OP_COUNT; i++) {
        if (result->latency[i].count > 0) {
            (void)fprintf(out, ",\n");
            json_latency(result, op_names[i], &result->latency[i], out);
        }
    }
    (void)fprintf(out, "\n  }\n}\n");
}
