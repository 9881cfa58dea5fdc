<?php
// session - PHP's session handler of the redis extension: reading, lazy writing, destroying,
// strict mode, the serializers, and the ways of save_path to name user, database and prefix.
//
// usage: php session.php PORT PORT_WITH_PASSWORD UNIX_SOCKET [USER]   (password: pw)

require __DIR__ . '/harness.php';

[, $port, $auth_port, $unix_socket] = $argv;
$user = $argv[4] ?? 'default';

ini_set('session.save_handler', 'redis');
ini_set('session.use_cookies', '0');
ini_set('session.cache_limiter', '');
ini_set('session.gc_maxlifetime', '1440');

$redis = new Redis();
$redis->connect('127.0.0.1', (int)$port);

// One request: opens session <$id> under <$save_path>, lets <$body> work on $_SESSION, saves.
function request(string $save_path, string $id, callable $body): mixed
{
    ini_set('session.save_path', $save_path);
    session_id($id);
    session_start();
    $result = $body();
    session_write_close();
    return $result;
}

function expect_round_trip(string $save_path): void
{
    $id = 'r' . bin2hex(random_bytes(8));
    request($save_path, $id, fn() => $_SESSION['user'] = ['id' => 42, 'name' => 'Zoë']);
    same(['id' => 42, 'name' => 'Zoë'], request($save_path, $id, fn() => $_SESSION['user']));
    request($save_path, $id, fn() => session_destroy());
    same([], request($save_path, $id, fn() => $_SESSION));
}

$plain = "tcp://127.0.0.1:$port";

test('php session: write, read, the bytes and the expiry', function () use ($plain, $redis) {
    request($plain, 'first', function () {
        $_SESSION['user'] = ['id' => 42, 'name' => 'Zoë', 'f' => 1.5, 'b' => true, 'nul' => null];
        $_SESSION['n'] = 1;
    });
    for ($i = 2; $i <= 5; $i++) {
        same($i, request($plain, 'first', fn() => ++$_SESSION['n']));
    }
    same('user|a:5:{s:2:"id";i:42;s:4:"name";s:4:"Zoë";s:1:"f";d:1.5;s:1:"b";b:1;s:3:"nul";N;}' .
        'n|i:5;', $redis->get('PHPREDIS_SESSION:first'));
    $ttl = $redis->ttl('PHPREDIS_SESSION:first');
    same(true, $ttl > 1430 && $ttl <= 1440, "ttl $ttl");
});

test('php session: lazy_write only renews the expiry', function () use ($plain, $redis) {
    request($plain, 'lazy', fn() => $_SESSION['n'] = 1);
    $redis->expire('PHPREDIS_SESSION:lazy', 100);
    ini_set('session.lazy_write', '1');
    request($plain, 'lazy', fn() => null);
    same(true, $redis->ttl('PHPREDIS_SESSION:lazy') > 1430);
    ini_set('session.lazy_write', '0');
    $redis->expire('PHPREDIS_SESSION:lazy', 100);
    request($plain, 'lazy', fn() => null);
    same(true, $redis->ttl('PHPREDIS_SESSION:lazy') > 1430);
    ini_set('session.lazy_write', '1');
});

test('php session: destroy deletes, a new id starts empty', function () use ($plain, $redis) {
    request($plain, 'gone', fn() => $_SESSION['n'] = 1);
    request($plain, 'gone', fn() => session_destroy());
    same(0, $redis->exists('PHPREDIS_SESSION:gone'));
    same([], request($plain, 'gone', fn() => $_SESSION));
    request($plain, 'before', fn() => $_SESSION['n'] = 7);
    $new = request($plain, 'before', function () {
        session_regenerate_id(true);
        return session_id();
    });
    same(0, $redis->exists('PHPREDIS_SESSION:before'));
    same(7, request($plain, $new, fn() => $_SESSION['n']));
});

test('php session: strict mode refuses an id it never gave', function () use ($plain) {
    ini_set('session.use_strict_mode', '1');
    $id = request($plain, 'guessed', function () {
        $_SESSION['n'] = 1;
        return session_id();
    });
    same(false, $id === 'guessed');
    same($id, request($plain, $id, fn() => session_id()));
    ini_set('session.use_strict_mode', '0');
});

test('php session: an expired session is empty', function () use ($plain, $redis) {
    request($plain, 'old', fn() => $_SESSION['n'] = 1);
    $redis->pExpire('PHPREDIS_SESSION:old', 50);
    usleep(100000);
    same([], request($plain, 'old', fn() => $_SESSION));
});

test('php session: early_refresh reads with GETEX', function () use ($plain, $redis) {
    request($plain, 'early', fn() => $_SESSION['n'] = 1);
    $redis->expire('PHPREDIS_SESSION:early', 100);
    ini_set('redis.session.early_refresh', '1');
    same(1, request($plain, 'early', fn() => $_SESSION['n']));
    ini_set('redis.session.early_refresh', '0');
    same(true, $redis->ttl('PHPREDIS_SESSION:early') > 1430);
});

foreach (['php_serialize', 'php_binary', 'igbinary'] as $handler) {
    test("php session: serialize_handler $handler", function () use ($plain, $handler) {
        ini_set('session.serialize_handler', $handler);
        expect_round_trip($plain);
    });
}
ini_set('session.serialize_handler', 'php');

test('php session: prefix and database', function () use ($plain, $redis) {
    request("$plain?database=3&prefix=APP1:", 'x', fn() => $_SESSION['n'] = 1);
    same(0, $redis->exists('APP1:x'));
    $redis->select(3);
    same('n|i:1;', $redis->get('APP1:x'));
    $redis->select(0);
    same([], request("$plain?prefix=APP1:", 'x', fn() => $_SESSION));
});

$auth = "tcp://127.0.0.1:$auth_port";
foreach ([
    'a unix socket' => "unix://$unix_socket",
    'persistent connections' => "$plain?persistent=1",
    'two servers by weight' => "$plain?weight=1, $plain?weight=2",
    'auth=' => "$auth?auth=pw",
    'auth[]=' => "$auth?auth[]=$user&auth[]=pw",
    'auth[user]=, auth[pass]=' => "$auth?auth[user]=$user&auth[pass]=pw&database=2&timeout=2.5",
] as $name => $save_path) {
    test("php session: save_path with $name", fn() => expect_round_trip($save_path));
}

test('php session: a wrong password is refused', function () use ($auth) {
    $refused = false;
    try {
        request("$auth?auth=wrong", 'x', fn() => null);
    } catch (Throwable) {
        $refused = true;
    }
    same(true, $refused);
});

done();
