<?php
// harness - names a test, runs it, prints "ok - name" or "not ok - name" with the reason: what
// tests/clients/run reads from its children.

error_reporting(E_ALL);
set_error_handler(function ($level, $message, $file, $line) {
    throw new ErrorException($message, 0, $level, $file, $line);
});

$failures = 0;

function test(string $name, callable $body): void
{
    global $failures;
    try {
        $body();
        fwrite(STDOUT, "ok - $name\n");
    } catch (Throwable $error) {
        $failures++;
        fwrite(STDOUT, "not ok - $name\n    " . str_replace("\n", "\n    ", (string)$error) . "\n");
    }
}

function same(mixed $expected, mixed $actual, string $what = ''): void
{
    if ($expected !== $actual) {
        throw new Exception("$what: expected " . var_export($expected, true) .
            ', not ' . var_export($actual, true));
    }
}

function done(): never
{
    global $failures;
    exit($failures ? 1 : 0);
}
