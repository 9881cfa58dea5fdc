<?php
// symfony - one request of a Symfony application: sets members of the session, prints it as JSON.
//
// usage: php symfony.php URL ID CHANGES

require '/usr/share/php/Symfony/Component/HttpFoundation/autoload.php';

use Symfony\Component\HttpFoundation\Session\Session;
use Symfony\Component\HttpFoundation\Session\Storage\Handler\RedisSessionHandler;
use Symfony\Component\HttpFoundation\Session\Storage\NativeSessionStorage;

[, $url, $id, $changes] = $argv;
$url = parse_url($url);
$redis = new Redis();
$redis->connect($url['host'], $url['port']);
if (isset($url['user'])) {
    $redis->auth([urldecode($url['user']), $url['pass']]);
}
$options = ['use_cookies' => '0', 'use_strict_mode' => '0', 'cache_limiter' => '',
    'gc_maxlifetime' => '3600'];
$session = new Session(new NativeSessionStorage($options, new RedisSessionHandler($redis)));
$session->setId($id);
$session->start();
foreach (json_decode($changes, true) as $name => $value) {
    $session->set($name, $value);
}
$state = $session->all();
$session->save();
echo json_encode((object)$state, JSON_THROW_ON_ERROR), "\n";
