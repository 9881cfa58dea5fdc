<?php
// extension - direct calls of PHP's redis extension: strings, hashes, expiry, transactions,
// pipelines, scanning, serializers.
//
// usage: php extension.php PORT

require __DIR__ . '/harness.php';

$redis = new Redis();
$redis->connect('127.0.0.1', (int)$argv[1]);
$redis->select(4);

test('php: strings', function () use ($redis) {
    same(true, $redis->set('k', "bytes \0\r\n\xff"));
    same("bytes \0\r\n\xff", $redis->get('k'));
    same(false, $redis->get('absent'));
    same(false, $redis->set('k', 'x', ['nx', 'ex' => 10]));
    same(true, $redis->set('k', 'x', ['xx', 'px' => 10000]));
    same(true, $redis->pttl('k') > 9000);
    same(true, $redis->mSet(['a' => '1', 'b' => '2']));
    same(['1', '2', false], $redis->mGet(['a', 'b', 'absent']));
    same(11, $redis->incrBy('a', 10));
    same(11.5, $redis->incrByFloat('a', 0.5));
    same('11.5', $redis->getSet('a', 'new'));
    same(5, $redis->append('a', '!!'));
    same('ew!', $redis->getRange('a', 1, 3));
    same(Redis::REDIS_STRING, $redis->type('a'));
});

test('php: hashes', function () use ($redis) {
    same(true, $redis->hMSet('h', ['name' => 'Zoë', 'n' => '1']));
    same(6, $redis->hIncrBy('h', 'n', 5));
    same(['name' => 'Zoë', 'n' => '6'], $redis->hGetAll('h'));
    same(['name' => 'Zoë', 'absent' => false], $redis->hMGet('h', ['name', 'absent']));
    same(1, $redis->hDel('h', 'n', 'absent'));
    same(false, $redis->hExists('h', 'n'));
    same(1, $redis->hLen('h'));
    $found = [];
    $cursor = null;
    while ($fields = $redis->hScan('h', $cursor)) {
        $found += $fields;
    }
    same(['name' => 'Zoë'], $found);
});

test('php: keys and expiry', function () use ($redis) {
    $redis->set('e', '1');
    same(-1, $redis->ttl('e'));
    same(true, $redis->expire('e', 100));
    same(true, $redis->persist('e'));
    same(-2, $redis->ttl('absent'));
    same(true, $redis->rename('e', 'e2'));
    same(1, $redis->exists('e2'));
    same(1, $redis->del('e2', 'absent'));
    same(true, $redis->setEx('e', 10, 'v'));
    same(1, $redis->unlink('e'));
});

test('php: transactions', function () use ($redis) {
    same([true, 1, '1'], $redis->multi()->set('t', '0')->incr('t')->get('t')->exec());
    $redis->watch('t');
    (function () use ($redis) {
        $other = new Redis();
        $other->connect('127.0.0.1', $redis->getPort());
        $other->select(4);
        $other->set('t', '9');
    })();
    same(false, $redis->multi()->incr('t')->exec());
    same('9', $redis->get('t'));
});

test('php: pipelines', function () use ($redis) {
    $pipeline = $redis->multi(Redis::PIPELINE);
    for ($i = 0; $i < 500; $i++) {
        $pipeline->set("p:$i", (string)$i)->get("p:$i");
    }
    $replies = $pipeline->exec();
    same(1000, count($replies));
    same('499', $replies[999]);
});

test('php: scanning finds every key once', function () use ($redis) {
    $redis->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
    $found = [];
    $cursor = null;
    while ($keys = $redis->scan($cursor, 'p:*', 50)) {
        foreach ($keys as $key) {
            $found[$key] = true;
        }
    }
    same(500, count($found));
});

test('php: errors are exceptions or false, and the connection stays', function () use ($redis) {
    same(false, $redis->incr('h'));
    same(true, str_starts_with($redis->getLastError(), 'WRONGTYPE'));
    same(false, $redis->rawCommand('NO_SUCH_COMMAND', "a\r\nb"));
    same(true, str_starts_with($redis->getLastError(), "ERR unknown command"));
    same('x', $redis->echo('x'));
});

test('php: a serializer of the extension', function () use ($redis) {
    $redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
    $redis->set('s', ['a' => [1, 2.5, null]]);
    same(['a' => [1, 2.5, null]], $redis->get('s'));
    $redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_NONE);
    same('a:1:{s:1:"a";a:3:{i:0;i:1;i:1;d:2.5;i:2;N;}}', $redis->get('s'));
});

same(true, $redis->flushDB());
done();
