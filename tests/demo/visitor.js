// visitor - a person with a cookie, one request at a time, who remembers what they did and
// looks at every page whether the shop still knows it.

'use strict';
const http = require('node:http');

const agent = new http.Agent({ keepAlive: true });

// One request; resolves to { status, body } (status 0: no answer) and keeps the cookie.
function request(port, method, path, jar, body) {
    return new Promise((resolve) => {
        const text = body ? JSON.stringify(body) : '';
        const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
        if (jar.cookie) headers.cookie = jar.cookie;
        const req = http.request({ host: '127.0.0.1', port, method, path, headers, agent, timeout: 30000 },
            (res) => {
                const chunks = [];
                res.on('data', (chunk) => chunks.push(chunk));
                res.on('error', () => resolve({ status: 0, body: 'broken answer' }));
                res.on('end', () => {
                    const set = (res.headers['set-cookie'] || [])[0];
                    if (set) jar.cookie = set.split(';')[0];
                    const answer = Buffer.concat(chunks).toString();
                    try {
                        resolve({ status: res.statusCode, body: JSON.parse(answer) });
                    } catch {
                        resolve({ status: res.statusCode === 404 ? 404 : 0, body: answer });
                    }
                });
            });
        req.on('timeout', () => req.destroy(new Error('timeout')));
        req.on('error', (err) => resolve({ status: 0, body: err.message }));
        req.end(text);
    });
}

// The pages of both shops in the terms of what the visitor did. A member that is not there
// is undefined.
const readers = {
    old: (page) => ({
        user: page.userId,
        name: page.userName,
        lang: page.lang,
        city: page.city,
        banner: page.banner,
        total: page.total,
        cart: (page.cart || []).map((i) => ({ sku: i.sku, qty: i.qty, cents: i.cents })),
    }),
    new: (page) => ({
        user: page.user_id,
        name: page.firstName && `${page.firstName} ${page.lastName}`,
        lang: page.language,
        city: page.address && page.address.city,
        theme: page.theme,
        recovery: page.recovery && page.recovery.code,
        total: page.total && Math.round(page.total * 100),
        cart: (page.cart || []).map((i) => ({ sku: i.sku, qty: i.qty, gift: i.gift,
            cents: i.price && Number((i.price * 100).toFixed(6)) })),
    }),
};

// What each shop should show of what is known: what the other one alone has stays hidden.
const expectations = {
    old: ({ theme, recovery, ...rest }) =>
        ({ ...rest, cart: rest.cart.map(({ gift, ...item }) => item) }),
    new: ({ banner, ...rest }) => rest,
};

const names = [['Zoë', 'van Dam'], ['Bob', 'Ray'], ['Ann', 'O’Neil'], ['李', '小龙'],
    ['Eve', 'Q. "X" Smith']];
const cities = ['Utrecht', 'Málaga', 'Lyon\n2e', '東京', 'Łódź'];
const langs = ['nl', 'es', 'fr', 'ja', 'pl'];
const skus = ['tea', 'mug', 'pot', 'tin', 'jam'];
const cents = { tea: 450, mug: 1299, pot: 3950, tin: 875, jam: 619 };

exports.Visitor = class Visitor {
    #jar = {};
    #known = null; // what this visitor did; null: not logged in
    #random;

    // <tell> is called as tell(kind, what): kinds request, error, logged_out, lost, corrupted.
    constructor(id, port, tell) {
        this.id = id;
        this.port = port;
        this.tell = tell;
        this.#random = id * 2654435761 + 1;
    }

    #pick(list) {
        this.#random = (Math.imul(this.#random, 1103515245) + 12345) >>> 0;
        return list[(this.#random >>> 8) % list.length];
    }

    // Look and act until <is_over>(), a short while between two requests.
    async stroll(is_over, pause_ms) {
        while (!is_over()) {
            await this.act();
            await new Promise((r) => setTimeout(r, pause_ms * (0.5 + this.#pick([0, 1, 2, 3]) / 3)));
        }
    }

    // One thing that people do in shops; what a shop does not have answers 404.
    async act() {
        if (!this.#known) return this.login();
        const [first, last] = this.#pick(names);
        const sku = this.#pick(skus);
        const profile = { first, last, lang: this.#pick(langs), city: this.#pick(cities) };
        const item = (k) => k.cart.find((i) => i.sku === sku);
        const action = this.#pick(['look', 'look', 'look', 'add', 'add', 'add', 'remove', 'profile',
            'discount', 'banner', 'theme', 'recovery', 'gift', 'gift', 'logout', 'look']);
        switch (action) {
        case 'look':
            return this.#do('GET', '/', null, () => {});
        case 'add':
            return this.#do('POST', '/cart/add', { sku }, (k) => {
                if (item(k)) item(k).qty++;
                else k.cart.push({ sku, qty: 1, gift: undefined, cents: cents[sku] });
            });
        case 'remove':
            return this.#do('POST', '/cart/remove', { sku }, (k) => {
                k.cart = k.cart.filter((i) => i.sku !== sku);
            });
        case 'discount':
            return this.#do('POST', '/cart/discount', {}, (k) => {
                for (const i of k.cart) i.cents = Math.floor((i.cents * 9) / 10);
            });
        case 'profile':
            return this.#do('POST', '/profile', profile, (k) =>
                Object.assign(k, { name: `${first} ${last}`, lang: profile.lang, city: profile.city }));
        case 'banner': {
            const banner = this.#pick(['sale', 'cookies']);
            return this.#do('POST', '/banner', { banner }, (k) => { k.banner = banner; });
        }
        case 'theme': {
            const theme = this.#pick(['light', 'dark', 'sepia']);
            return this.#do('POST', '/theme', { theme }, (k) => { k.theme = theme; });
        }
        case 'recovery': {
            const code = `r${this.#pick([1, 2, 3])}-${this.id}`;
            return this.#do('POST', '/recovery', { code }, (k) => { k.recovery = code; });
        }
        case 'gift': {
            const gift = this.#pick(['red', 'blue']);
            return this.#do('POST', '/cart/gift', { sku, gift }, (k) => {
                if (item(k)) item(k).gift = gift;
            });
        }
        case 'logout': // seldom: a session that lives long has more to lose
            if (this.#pick([0, 1, 2, 3])) return this.#do('GET', '/', null, () => {});
            this.#known = null;
            return this.#send(this.port, 'POST', '/logout', {});
        }
    }

    async login() {
        const [first, last] = this.#pick(names);
        const form = { user: 1000 + this.id, first, last, lang: this.#pick(langs), city: this.#pick(cities) };
        this.#known = { user: form.user, name: `${first} ${last}`, lang: form.lang, city: form.city,
            banner: undefined, theme: 'light', recovery: undefined, cart: [] };
        const page = await this.#send(this.port, 'POST', '/login', form);
        if (page && page.login) this.#compare(page);
        else this.#known = null;
    }

    // Ask one process of the shop, past the proxy, what the session holds.
    async check(port) {
        if (!this.#known) return;
        const page = await this.#send(port, 'GET', '/');
        if (page) this.#compare(page);
    }

    async #do(method, path, body, learn) {
        const page = await this.#send(this.port, method, path, body);
        if (!page) return;
        if (page.login) learn(this.#known);
        if (!this.#compare(page)) await this.login();
    }

    // The page, or undefined where there is none to read: an error, or 404.
    async #send(port, method, path, body) {
        this.tell('request');
        const { status, body: page } = await request(port, method, path, this.#jar, body);
        if (status === 200) return page;
        if (status !== 404) this.tell('error', `${method} ${path}: ${status} ${JSON.stringify(page)}`);
    }

    // Tell what <page> lacks or has wrong; false if it does not know the visitor.
    #compare(page) {
        const who = (what) => `visitor ${this.id}, ${page.shop} shop: ${what}`;
        const total = this.#known.cart.reduce((sum, i) => sum + i.cents * i.qty, 0);
        const expected = flat(expectations[page.shop]({ ...this.#known, total }));
        const found = page.login ? flat(readers[page.shop](page)) : {};
        if (!page.login) this.tell('logged_out', who('login'));
        for (const name of new Set([...Object.keys(expected), ...Object.keys(found)])) {
            if (expected[name] === found[name]) continue;
            const kind = found[name] === undefined || found[name] === null ? 'lost' : 'corrupted';
            this.tell(kind, who(name),
                `${JSON.stringify(found[name])} instead of ${JSON.stringify(expected[name])}`);
        }
        return page.login;
    }
};

// Members by name, those of the cart as "cart.<sku>.<member>", and the order of the cart.
function flat({ cart, ...members }) {
    const result = { ...members };
    for (const { sku, ...item } of cart)
        for (const name of Object.keys(item)) result[`cart.${sku}.${name}`] = item[name];
    result['cart'] = cart.map((i) => i.sku).join(' ');
    return result;
}

exports.close = () => agent.destroy();
