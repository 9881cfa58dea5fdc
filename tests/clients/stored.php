<?php
// stored - PHP's own opinion of what the php codec makes: two processes of two versions share
// sessions in the session format and as serialize(), through the redis extension.
//
// usage: php stored.php PORT                  speaks version 1, and starts itself for version 2
//        php stored.php PORT HANDLER ID CODE  version 2: run CODE on $_SESSION, print it as JSON
//
// The schemas are put by stored.py.

require __DIR__ . '/harness.php';

$port = $argv[1];
$user = count($argv) > 2 ? '&auth[user]=web@2&auth[pass]=x' : '';

ini_set('session.save_handler', 'redis');
ini_set('session.use_cookies', '0');
ini_set('session.cache_limiter', '');

// One request of this process' version: <$body> works on $_SESSION, which is returned.
function request(string $handler, string $id, callable $body): array
{
    global $port, $user;
    ini_set('session.save_path', "tcp://127.0.0.1:$port?prefix=$handler:$user");
    ini_set('session.serialize_handler', $handler);
    session_id($id);
    session_start();
    $body();
    $result = $_SESSION;
    session_write_close();
    return $result;
}

// One request of version 2, in a process of its own.
function new_version(string $handler, string $id, string $code = ''): mixed
{
    global $port;
    $words = array_map('escapeshellarg', [PHP_BINARY, __FILE__, $port, $handler, $id, $code]);
    exec(implode(' ', $words), $lines, $status);
    same(0, $status, implode("\n", $lines));
    return json_decode(implode("\n", $lines), true, 64, JSON_THROW_ON_ERROR);
}

if (count($argv) > 2) {
    [, , $handler, $id, $code] = $argv;
    echo json_encode(request($handler, $id, fn() => eval($code)), JSON_THROW_ON_ERROR), "\n";
    exit(0);
}

foreach (['php', 'php_serialize'] as $handler) {
    test("php codec, $handler: two versions share a session", function () use ($handler) {
        request($handler, 'a', function () {
            $_SESSION['user'] = ['id' => 42, 'name' => 'Zoë', 'price' => 19.99, 5 => 1.0E+25];
            $_SESSION['n'] = 1;
            $_SESSION['cart'] = [['sku' => 'a', 'n' => 1], ['sku' => 'b', 'n' => 2]];
        });
        $seen = new_version($handler, 'a');
        same(['id' => 42, 'full_name' => 'Zoë', 'price' => 1999, 5 => 1.0E+25], $seen['user']);
        same(['1', 'light'], [$seen['n'], $seen['theme']]);
        same([['sku' => 'a', 'n' => 1, 'note' => ''], ['sku' => 'b', 'n' => 2, 'note' => '']],
            $seen['cart']);
        new_version($handler, 'a', '$_SESSION["theme"] = "dark"; $_SESSION["n"] = "2";' .
            '$_SESSION["user"]["full_name"] = "Bob"; $_SESSION["cart"][1]["note"] = "gift";' .
            'array_shift($_SESSION["cart"]);');
        $back = request($handler, 'a', fn() => $_SESSION['cart'][] = ['sku' => 'c', 'n' => 3]);
        same(['id' => 42, 'name' => 'Bob', 'price' => 19.99, 5 => 1.0E+25], $back['user']);
        same([2, [['sku' => 'b', 'n' => 2], ['sku' => 'c', 'n' => 3]]], [$back['n'], $back['cart']]);
        $seen = new_version($handler, 'a');
        same(['dark', 'gift', ''],
            [$seen['theme'], $seen['cart'][0]['note'], $seen['cart'][1]['note']]);
    });

    test("php codec, $handler: objects and references arrive as they were", function () use ($handler) {
        request($handler, 'r', function () {
            $_SESSION['user'] = ['id' => 1, 'name' => 'Ada'];
            $_SESSION['when'] = new DateTime('2026-11-23 01:19:56 UTC');
            $_SESSION['again'] = $_SESSION['when'];
            $_SESSION['list'] = [1, 2];
            $_SESSION['alias'] = &$_SESSION['list'];
        });
        $code = 'assert($_SESSION["when"] === $_SESSION["again"]); $_SESSION["list"][] = 3;' .
            'assert($_SESSION["alias"] === [1, 2, 3]); assert($_SESSION["user"]["full_name"] === "Ada");';
        same('2026-11-23 01:19:56.000000', new_version($handler, 'r', $code)['when']['date']);
        request($handler, 'r', function () {
            same(true, $_SESSION['when'] === $_SESSION['again']);
            $_SESSION['alias'][] = 4;
            same([1, 2, 3, 4], $_SESSION['list']);
        });
    });

    test("php codec, $handler: an empty session", function () use ($handler) {
        request($handler, 'e', fn() => $_SESSION['user'] = ['id' => 7]);
        new_version($handler, 'e', '$_SESSION = [];');
        same([], request($handler, 'e', fn() => null));
        request($handler, 'e', fn() => $_SESSION['x'] = []);
        same(['x' => []], new_version($handler, 'e'));
    });
}

test('php codec: whatever serialize() writes is read', function () use ($port) {
    $redis = new Redis();
    $redis->connect('127.0.0.1', (int)$port);
    $new = new Redis();
    $new->connect('127.0.0.1', (int)$port);
    $new->auth(['web@2', 'x']);
    mt_srand(7);
    $make = function (int $depth) use (&$make): mixed {
        switch (mt_rand(0, $depth > 4 ? 6 : 9)) {
            case 0: return null;
            case 1: return mt_rand(0, 1) === 1;
            case 2: return mt_rand(-1000000, 1000000) * mt_rand(1, 5000000000);
            case 3: return mt_rand() / mt_rand(1, 1000) * 10 ** mt_rand(-20, 20);
            case 4: return substr(pack('N3', mt_rand(), mt_rand(), mt_rand()), 0, mt_rand(0, 12));
            case 5: return 'Zoë "};{' . mt_rand();
            case 6: return [INF, -INF, 0.0, -0.0, PHP_INT_MIN, PHP_INT_MAX][mt_rand(0, 5)];
            case 7: return (object)['p' => $make($depth + 1)];
            default:
                $array = [];
                for ($i = mt_rand(0, 5); $i > 0; $i--) {
                    $key = [$i, "k$i", (string)($i * 7), '', -$i][mt_rand(0, 4)];
                    mt_rand(0, 1) ? $array[$key] = $make($depth + 1) : $array[] = $make($depth + 1);
                }
                return $array;
        }
    };
    for ($i = 0; $i < 300; $i++) {
        $session = ['user' => ['name' => 'x', 'more' => $make(0)], 'rest' => $make(0)];
        $redis->set('php_serialize:any', serialize($session));
        $expected = ['user' => ['full_name' => 'x', 'more' => $session['user']['more']],
            'rest' => $session['rest'], 'theme' => 'light'];
        same(serialize($expected), $new->get('php_serialize:any'));
        same(serialize($session), $redis->get('php_serialize:any'));
    }
});

done();
