// harness - names a test, runs it, prints "ok - name" or "not ok - name" with the reason: what
// tests/clients/run reads from its children.

'use strict';
const failures = [];

// Run <body> within <seconds>; a failure is printed and the next test goes on.
exports.test = async function test(name, body, seconds = 10) {
    let timer;
    const deadline = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no end after ${seconds} s`)), seconds * 1000);
    });
    try {
        await Promise.race([body(), deadline]);
        console.log(`ok - ${name}`);
    } catch (error) {
        failures.push(name);
        console.log(`not ok - ${name}`);
        console.log(String(error.stack || error).replace(/^/gm, '    '));
    } finally {
        clearTimeout(timer);
    }
};

exports.exit = () => process.exit(failures.length ? 1 : 0);

// A visitor: fetch with a cookie jar of one cookie.
exports.Visitor = class Visitor {
    constructor(base, cookie) {
        this.base = base;
        this.cookie = cookie;
    }
    async get(path) {
        const headers = this.cookie ? { cookie: this.cookie } : {};
        const response = await fetch(this.base + path, { headers });
        const set = response.headers.getSetCookie().find((c) => c.startsWith('connect.sid='));
        this.set_cookie = set;
        if (set) this.cookie = set.split(';')[0];
        const text = await response.text();
        if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text}`);
        return JSON.parse(text);
    }
};
