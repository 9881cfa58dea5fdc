// versions - two versions of an express application share sessions, neither knows of the other:
// node-redis 6 and ioredis 5 and 6, with the release as user or client name of the URL.
//
// usage: node versions.js PORT [PASSWORD]

'use strict';
const assert = require('node:assert/strict');
const express = require('express');
const session = require('express-session');
const { createClient } = require('redis');
const stores = require('./stores');
const { test, exit, Visitor } = require('./harness');

const [, , port, password] = process.argv;
const release = encodeURIComponent('web@2026.11');
const note = password ? ', password' : '';
const default_login = password ? `default:${password}@` : '';
const old_url = `redis://${default_login}127.0.0.1:${port}`;
const user_url = `redis://${release}:${password || 'x'}@127.0.0.1:${port}`;
const name_url = `${old_url}?connectionName=${release}`;

async function listen(name, url, routes) {
    const { client, Store, close } = await stores.open(name, url);
    const app = express();
    app.use(session({ store: new Store({ client }), secret: 'test', resave: false,
        saveUninitialized: false, cookie: { maxAge: 60000 } }));
    routes(app);
    app.use((err, req, res, next) => res.status(500).send(err.message));
    const server = await new Promise((resolve) => {
        const opened = app.listen(0, '127.0.0.1', () => resolve(opened));
    });
    return { base: `http://127.0.0.1:${server.address().port}`,
        async close() { server.close(); await close(); } };
}

const view = ({ cookie, ...members }) => members;

function old_version(app) {
    app.get('/login', (req, res) => {
        Object.assign(req.session, { userId: 7, userName: 'Zoë', cart: [] });
        res.json({});
    });
    app.get('/buy', (req, res) => {
        req.session.cart.push({ sku: req.query.sku, cents: 1999 });
        res.json({});
    });
    app.get('/name', (req, res) => { req.session.userName = req.query.name; res.json({}); });
    app.get('/', (req, res) => res.json(view(req.session)));
}

function new_version(app) {
    app.get('/theme', (req, res) => { req.session.theme = req.query.theme; res.json({}); });
    app.get('/gift', (req, res) => {
        req.session.cart.find((i) => i.sku === req.query.sku).gift = true;
        res.json({});
    });
    app.get('/', (req, res) => res.json(view(req.session)));
}

async function share(name, new_url) {
    const before = await listen(name, old_url, old_version);
    const after = await listen(name, new_url, new_version);
    try {
        const on_old = new Visitor(before.base);
        await on_old.get('/login');
        await on_old.get('/buy?sku=tea');
        const on_new = new Visitor(after.base, on_old.cookie);
        assert.deepEqual(await on_new.get('/'), { userId: 7, user_name: 'Zoë',
            cart: [{ sku: 'tea', price: 19.99 }], theme: 'light' });
        await on_new.get('/theme?theme=dark');
        await on_new.get('/gift?sku=tea');
        assert.deepEqual(await on_old.get('/'), { userId: 7, userName: 'Zoë',
            cart: [{ sku: 'tea', cents: 1999 }] });
        await on_old.get('/buy?sku=mug');
        await on_old.get('/name?name=Ann');
        assert.deepEqual(await on_new.get('/'), { userId: 7, user_name: 'Ann', theme: 'dark',
            cart: [{ sku: 'tea', price: 19.99, gift: true }, { sku: 'mug', price: 19.99 }] });
    } finally {
        await before.close();
        await after.close();
    }
}

(async () => {
    for (const name of stores.names)
        await test(`versions, express, ${name}: the user of the URL${note}`, () => share(name, user_url));
    for (const name of stores.names.filter((n) => n.startsWith('ioredis')))
        await test(`versions, express, ${name}: connectionName in the URL${note}`,
            () => share(name, name_url));

    await test(`versions, node-redis 6: the option name, RESP2 and RESP3${note}`, async () => {
        const old = await createClient({ url: old_url }).connect();
        await old.set('sess:named', '{"userName":"Zoë"}');
        for (const RESP of [2, 3]) {
            const client = createClient({ url: old_url, name: 'web@2026.11', RESP });
            await client.connect();
            assert.equal(await client.get('sess:named'), '{"user_name":"Zoë","theme":"light"}');
            client.destroy();
        }
        old.destroy();
    });

    await test(`versions, node-redis 6: an unknown release is refused${note}`, async () => {
        const url = user_url.replace('2026.11', '2026.99');
        const client = createClient({ url, socket: { reconnectStrategy: false } });
        client.on('error', () => {});
        await assert.rejects(client.connect(), /NORELEASE/);
    });
    exit();
})();
