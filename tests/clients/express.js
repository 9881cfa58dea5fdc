// express - express + express-session + connect-redis, unmodified, with node-redis 6 and
// ioredis 5 and 6: login, counter, touch, rolling, destroy, regenerate; all, length, clear.
//
// usage: node express.js REDIS_URL

'use strict';
const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');
const express = require('express');
const session = require('express-session');
const stores = require('./stores');
const { test, exit, Visitor } = require('./harness');

const url = process.argv[2];

function listen(store, options) {
    const app = express();
    app.use(session({ store, secret: 'test', resave: false, saveUninitialized: false,
        cookie: { maxAge: 60000 }, ...options }));
    app.get('/login/:name', (req, res, next) => {
        req.session.regenerate((err) => {
            if (err) return next(err);
            req.session.user = { name: req.params.name };
            req.session.count = 0;
            res.json({ name: req.params.name });
        });
    });
    app.get('/count', (req, res) => {
        req.session.count = (req.session.count || 0) + 1;
        res.json({ user: req.session.user, count: req.session.count });
    });
    app.get('/look', (req, res) => res.json({ user: req.session.user, count: req.session.count }));
    app.get('/logout', (req, res, next) => {
        req.session.destroy((err) => (err ? next(err) : res.json({})));
    });
    app.use((err, req, res, next) => res.status(500).send(err.message));
    return new Promise((resolve) => {
        const server = app.listen(0, '127.0.0.1', () => resolve({
            server, base: `http://127.0.0.1:${server.address().port}`,
        }));
    });
}

const call = (store, method, ...args) => new Promise((resolve, reject) => {
    store[method](...args, (err, result) => (err ? reject(err) : resolve(result)));
});

async function play(name) {
    const { client, Store, close } = await stores.open(name, url);
    const prefix = `${name.replace(' ', '')}:`;
    const store = new Store({ client, prefix });
    const plain = await listen(store);
    const rolling = await listen(store, { rolling: true });
    const key_of = (visitor) =>
        prefix + decodeURIComponent(visitor.cookie).match(/s:([^.]*)\./)[1];

    await test(`express, ${name}: login, counter, another visitor`, async () => {
        const zoe = new Visitor(plain.base);
        const bob = new Visitor(plain.base);
        await zoe.get('/login/Zo%C3%AB');
        await bob.get('/login/Bob');
        for (let i = 1; i <= 5; i++)
            assert.deepEqual(await zoe.get('/count'), { user: { name: 'Zoë' }, count: i });
        assert.deepEqual(await bob.get('/count'), { user: { name: 'Bob' }, count: 1 });
        assert.deepEqual(await new Visitor(plain.base).get('/look'), {});
        assert.match(String(await client.get(key_of(zoe))),
            /^{"cookie":{.*},"user":{"name":"Zoë"},"count":5}$/);
    });

    await test(`express, ${name}: a look touches the session`, async () => {
        const visitor = new Visitor(plain.base);
        await visitor.get('/login/Ann');
        await client.expire(key_of(visitor), 20);
        assert.ok(await client.ttl(key_of(visitor)) <= 20);
        await visitor.get('/look');
        const ttl = await client.ttl(key_of(visitor));
        assert.ok(ttl > 50 && ttl <= 60, `ttl ${ttl}`);
    });

    await test(`express, ${name}: rolling sessions renew the cookie`, async () => {
        const visitor = new Visitor(rolling.base);
        await visitor.get('/login/Ann');
        await visitor.get('/look');
        assert.match(visitor.set_cookie || '', /Expires=/);
        await new Visitor(plain.base, visitor.cookie).get('/look');
    });

    await test(`express, ${name}: a session expires`, async () => {
        const visitor = new Visitor(plain.base);
        await visitor.get('/login/Ann');
        await client.expire(key_of(visitor), 1);
        await sleep(1100);
        assert.deepEqual(await visitor.get('/look'), {});
    });

    await test(`express, ${name}: logout destroys, login changes the id`, async () => {
        const visitor = new Visitor(plain.base);
        await visitor.get('/login/Ann');
        const old = visitor.cookie;
        await visitor.get('/login/Ann');
        assert.notEqual(visitor.cookie, old);
        assert.deepEqual(await new Visitor(plain.base, old).get('/look'), {});
        await visitor.get('/logout');
        assert.equal(await client.exists(key_of(visitor)), 0);
        assert.deepEqual(await new Visitor(plain.base, visitor.cookie).get('/look'), {});
    });

    await test(`express, ${name}: all, ids, length and clear of the store`, async () => {
        await call(store, 'clear');
        assert.equal(await call(store, 'length'), 0);
        const session_of = (i) => ({ cookie: { originalMaxAge: 60000,
            expires: new Date(Date.now() + 60000).toISOString() }, n: i });
        await Promise.all(Array.from({ length: 300 }, (_, i) =>
            call(store, 'set', `id${i}`, session_of(i))));
        await client.set('other', '1');
        assert.equal(await call(store, 'length'), 300);
        assert.equal((await call(store, 'ids')).length, 300);
        const all = await call(store, 'all');
        assert.deepEqual(all.map((s) => s.n).sort((a, b) => a - b),
            Array.from({ length: 300 }, (_, i) => i));
        await call(store, 'clear');
        assert.equal(await call(store, 'length'), 0);
        assert.equal(await client.get('other'), '1');
    });

    await test(`express, ${name}: 40 visitors at once`, async () => {
        await Promise.all(Array.from({ length: 40 }, async (_, i) => {
            const visitor = new Visitor(plain.base);
            await visitor.get(`/login/v${i}`);
            for (let n = 1; n <= 10; n++)
                assert.deepEqual(await visitor.get('/count'), { user: { name: `v${i}` }, count: n });
        }));
    });

    plain.server.close();
    rolling.server.close();
    await close();
}

(async () => {
    for (const name of stores.names) await play(name);
    exit();
})();
