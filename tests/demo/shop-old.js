// shop-old - a small shop as it runs today: express, express-session, connect-redis, and
// nothing that knows of schema versions. What it keeps in a session:
//
//   { userId, userName: "First Last", lang, city, banner, cart: [{ sku, qty, cents }] }
//
// environment: REDIS_URL

'use strict';
const express = require('express');
const session = require('express-session');
const { RedisStore } = require('connect-redis');
const { createClient } = require('redis');

const cents = { tea: 450, mug: 1299, pot: 3950, tin: 875, jam: 619 };

const app = express();
const client = createClient({ url: process.env.REDIS_URL });
client.on('error', (err) => console.error(err.message));

app.use(session({ store: new RedisStore({ client }), secret: 'shop', resave: false,
    saveUninitialized: false, cookie: { maxAge: 3600000 } }));
app.use(express.json());

function page(req, res) {
    const { userId, userName, lang, city, banner, cart } = req.session;
    if (!userId) return res.json({ shop: 'old', login: false });
    const total = cart.reduce((sum, item) => sum + item.cents * item.qty, 0);
    res.json({ shop: 'old', login: true, userId, userName, lang, city, banner, cart, total });
}

app.get('/', page);

app.post('/login', (req, res, next) => {
    const { user, first, last, lang, city } = req.body;
    req.session.regenerate((err) => {
        if (err) return next(err);
        Object.assign(req.session,
            { userId: user, userName: `${first} ${last}`, lang, city, cart: [] });
        page(req, res);
    });
});

app.post('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.json({ shop: 'old', login: false })));
});

const visitors_only = (req, res, next) => (req.session.userId ? next() : page(req, res));
app.use(visitors_only);

app.post('/profile', (req, res) => {
    const { first, last, lang, city } = req.body;
    req.session.userName = `${first} ${last}`;
    req.session.lang = lang;
    req.session.city = city;
    page(req, res);
});

app.post('/cart/add', (req, res) => {
    const { sku } = req.body;
    const item = req.session.cart.find((i) => i.sku === sku);
    if (item) item.qty++;
    else req.session.cart.push({ sku, qty: 1, cents: cents[sku] });
    page(req, res);
});

app.post('/cart/remove', (req, res) => {
    req.session.cart = req.session.cart.filter((i) => i.sku !== req.body.sku);
    page(req, res);
});

app.post('/cart/discount', (req, res) => {
    for (const item of req.session.cart) item.cents = Math.floor((item.cents * 9) / 10);
    page(req, res);
});

// Only this version has it: the page says which banner the visitor has closed.
app.post('/banner', (req, res) => {
    req.session.banner = req.body.banner;
    page(req, res);
});

app.use((err, req, res, next) => res.status(500).json({ error: err.message }));

client.connect().then(() => {
    const server = app.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
    server.keepAliveTimeout = 65000; // longer than the proxy keeps a connection
    process.on('SIGTERM', () => server.close(() => process.exit(0)));
});
