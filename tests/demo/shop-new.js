// shop-new - the next version of the shop, with another idea of a session; and nothing that
// knows of schema versions, either. What it keeps:
//
//   { user_id, firstName, lastName, language, address: { city }, theme, recovery,
//     cart: [{ sku, qty, price, gift }] }
//
// environment: REDIS_URL

'use strict';
const express = require('express');
const session = require('express-session');
const { RedisStore } = require('connect-redis');
const { createClient } = require('redis');

const prices = { tea: 4.5, mug: 12.99, pot: 39.5, tin: 8.75, jam: 6.19 };

const app = express();
const client = createClient({ url: process.env.REDIS_URL });
client.on('error', (err) => console.error(err.message));

app.use(session({ store: new RedisStore({ client }), secret: 'shop', resave: false,
    saveUninitialized: false, cookie: { maxAge: 3600000 } }));
app.use(express.json());

function page(req, res) {
    const { user_id, firstName, lastName, language, address, theme, recovery, cart } = req.session;
    if (!user_id) return res.json({ shop: 'new', login: false });
    const total = cart.reduce((sum, item) => sum + item.price * item.qty, 0);
    res.json({ shop: 'new', login: true, user_id, firstName, lastName, language, address, theme,
        recovery, cart, total: Math.round(total * 100) / 100 });
}

app.get('/', page);

app.post('/login', (req, res, next) => {
    const { user, first, last, lang, city } = req.body;
    req.session.regenerate((err) => {
        if (err) return next(err);
        Object.assign(req.session, { user_id: user, firstName: first, lastName: last,
            language: lang, address: { city }, theme: 'light', cart: [] });
        page(req, res);
    });
});

app.post('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.json({ shop: 'new', login: false })));
});

const visitors_only = (req, res, next) => (req.session.user_id ? next() : page(req, res));
app.use(visitors_only);

app.post('/profile', (req, res) => {
    const { first, last, lang, city } = req.body;
    req.session.firstName = first;
    req.session.lastName = last;
    req.session.language = lang;
    req.session.address.city = city;
    page(req, res);
});

app.post('/cart/add', (req, res) => {
    const { sku } = req.body;
    const item = req.session.cart.find((i) => i.sku === sku);
    if (item) item.qty++;
    else req.session.cart.push({ sku, qty: 1, price: prices[sku] });
    page(req, res);
});

app.post('/cart/remove', (req, res) => {
    req.session.cart = req.session.cart.filter((i) => i.sku !== req.body.sku);
    page(req, res);
});

app.post('/cart/discount', (req, res) => {
    for (const item of req.session.cart)
        item.price = Math.floor((Math.round(item.price * 100) * 9) / 10) / 100;
    page(req, res);
});

// Only this version has these three.
app.post('/cart/gift', (req, res) => {
    const item = req.session.cart.find((i) => i.sku === req.body.sku);
    if (item) item.gift = req.body.gift;
    page(req, res);
});

app.post('/theme', (req, res) => {
    req.session.theme = req.body.theme;
    page(req, res);
});

app.post('/recovery', (req, res) => {
    req.session.recovery = { code: req.body.code, sent: true };
    page(req, res);
});

app.use((err, req, res, next) => res.status(500).json({ error: err.message }));

client.connect().then(() => {
    const server = app.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
    server.keepAliveTimeout = 65000; // longer than the proxy keeps a connection
    process.on('SIGTERM', () => server.close(() => process.exit(0)));
});
