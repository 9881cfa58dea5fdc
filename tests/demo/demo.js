// demo - a shop is upgraded for real, twice side by side: its sessions in Segue, and in
// redis-server as the control. Old and new processes behind a proxy, visitors under load.

'use strict';
const { spawn, execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Proxy } = require('./proxy');
const { Visitor, close: close_visitors } = require('./visitor');

const usage = `usage: tests/demo/run [SERVER]     (default: build/segue-server)

Deploys an old and a new version of a small shop (express, express-session, connect-redis;
the new one keeps its sessions in another shape) on SERVER and on redis-server side by side:
the old version, a canary of the new one rolled back after it has written, a rolling upgrade
process by process, a rollback of all, the upgrade again. Visitors remember what they did;
at each step both versions are asked for every visitor's session.

Succeeds if nothing is lost, corrupted or logged out on SERVER, and something is on
redis-server, the control.

environment:
  DEMO_SECONDS   seconds under load, in all (default 14)
  DEMO_VISITORS  visitors of each shop (default 24)
  DEMO_VERBOSE   1: print the first findings of each step
`;

const load_ms = Number(process.env.DEMO_SECONDS || 14) * 1000;
const visitor_count = Number(process.env.DEMO_VISITORS || 24);
const verbose = process.env.DEMO_VERBOSE === '1';
const process_count = 3; // behind each proxy
const pause_ms = 200; // of a visitor, between two requests
const password = 'demo';
const new_release = 'shop@2026.11';

const children = new Set();
let is_closing = false;

// Where the processes of the shop share what V8 compiled: the first pays.
const compiled = fs.mkdtempSync(path.join(os.tmpdir(), 'segue-demo-compiled-'));
process.on('exit', () => fs.rmSync(compiled, { recursive: true, force: true }));

// --- processes -----------------------------------------------------------------------------

function start(command, args, options) {
    if (is_closing) throw new Error('the demo is closing');
    const child = spawn(command, args, options);
    children.add(child);
    child.ended = new Promise((resolve) => child.on('close', (status) => {
        children.delete(child);
        resolve(status);
    }));
    child.on('error', () => {});
    return child;
}

async function stop(child) {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 30000);
    const status = await child.ended;
    clearTimeout(timer);
    return status;
}

function free_port() {
    return new Promise((resolve) => {
        const probe = net.createServer().listen(0, '127.0.0.1', () => {
            const { port } = probe.address();
            probe.close(() => resolve(port));
        });
    });
}

function answers(port) {
    return new Promise((resolve) => {
        const conn = net.connect(port, '127.0.0.1', () => conn.write('PING\r\n'));
        conn.on('data', () => { resolve(true); conn.destroy(); });
        conn.on('error', () => resolve(false));
    });
}

const end_of = (dir, name) => fs.readFileSync(path.join(dir, name), 'utf8').slice(-3000);

async function start_server(binary, dir, ...options) {
    for (let attempt = 0; attempt < 3; attempt++) { // the free port may be taken meanwhile
        const port = await free_port();
        const log = fs.openSync(path.join(dir, 'log'), 'w');
        const child = start(binary, ['--port', port, '--bind', '127.0.0.1', '--dir', dir, '--save', '',
            '--requirepass', password, ...options], { stdio: ['ignore', log, log], cwd: dir });
        fs.closeSync(log);
        let ended = false;
        child.ended.then(() => { ended = true; });
        for (let i = 0; i < 200 && !ended; i++, await sleep(25))
            if (await answers(port)) return { child, port };
        if (!ended) await stop(child);
    }
    throw new Error(`${binary} does not start: ${end_of(dir, 'log')}`);
}

function cli(port, ...args) {
    try {
        execFileSync('redis-cli', ['-e', '-p', port, ...args], { encoding: 'utf8', timeout: 5000,
            stdio: 'pipe', env: { ...process.env, REDISCLI_AUTH: password } });
    } catch (err) {
        throw new Error(`${args[0]} ${args[1]}: ${(err.stderr || err.message).trim()}`);
    }
}

// --- one deployment ------------------------------------------------------------------------

class Deployment {
    constructor(name, binary) {
        this.name = name;
        this.binary = binary;
        this.steps = []; // per step, what happened
    }

    async open() {
        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'segue-demo-'));
        const control = this.name === 'redis-server';
        // Redis, too, knows the new version's user: both run the same URLs.
        const options = control ? ['--user', new_release, 'on', `>${password}`, '~*', '&*', '+@all'] : [];
        this.shop_log = fs.openSync(path.join(this.dir, 'shops'), 'a');
        this.server = await start_server(this.binary, this.dir, ...options);
        this.urls = {
            old: `redis://default:${password}@127.0.0.1:${this.server.port}`,
            new: `redis://${encodeURIComponent(new_release)}:${password}@127.0.0.1:${this.server.port}`,
        };
        this.proxy = new Proxy();
        const port = await this.proxy.listen();
        this.shops = await Promise.all(Array.from({ length: process_count }, () => this.#start_shop('old')));
        for (const shop of this.shops) this.proxy.add(shop.port);
        this.inspectors = { old: await this.#start_shop('old') };
        this.visitors = Array.from({ length: visitor_count }, (_, i) =>
            new Visitor(i + 1, port, (...what) => this.#on_tell(...what)));
    }

    // What an operator types before the first process of the new version starts.
    async announce() {
        if (this.name !== 'redis-server') {
            const schema = fs.readFileSync(path.join(__dirname, 'schema.json'), 'utf8');
            cli(this.server.port, 'SCHEMA', 'PUT', schema);
            cli(this.server.port, 'RELEASE', 'SET', new_release, 'session', '2');
        }
        this.inspectors.new = await this.#start_shop('new');
    }

    // Visitors stroll for <load_ms>, and on for as long as <change> takes; then everybody
    // stands still, and each of the <versions> is asked for every session.
    async step(name, versions, load_ms, change) {
        this.now = { name, requests: 0, errors: new Set(), logged_out: new Set(), lost: new Set(),
            corrupted: new Set(), samples: [] };
        this.steps.push(this.now);
        let until = Date.now() + load_ms;
        let changed = !change;
        const is_over = () => changed && Date.now() >= until;
        const strolls = Promise.all(this.visitors.map((v) => v.stroll(is_over, pause_ms)));
        if (change) {
            try {
                await change(this);
            } finally {
                until = Math.max(until, Date.now() + 200);
                changed = true;
            }
        }
        await strolls;
        await this.check(versions);
    }

    async check(versions) {
        for (const version of versions)
            await Promise.all(this.visitors.map((v) => v.check(this.inspectors[version].port)));
    }

    // Replace <count> of the processes that are not of <version> by one of it, one by one.
    async roll(version, count = process_count) {
        for (const [index, shop] of this.shops.entries()) {
            if (shop.version === version || count-- <= 0) continue;
            const next = await this.#start_shop(version);
            this.proxy.add(next.port);
            this.shops[index] = next;
            await this.proxy.remove(shop.port);
            const status = await stop(shop.child);
            if (status !== 0) this.#on_tell('error', `a process of the ${shop.version} shop: ${status}`);
        }
    }

    async close() {
        if (this.proxy) this.proxy.close();
        const shops = [...(this.shops || []), ...Object.values(this.inspectors || {})];
        await Promise.all(shops.map((shop) => stop(shop.child)));
        if (!this.server) return;
        const died = this.server.child.exitCode !== null || this.server.child.signalCode !== null;
        const status = await stop(this.server.child);
        if (died || status !== 0)
            this.failure = `${this.name} ended with ${status}:\n${end_of(this.dir, 'log')}`;
    }

    async #start_shop(version) {
        const child = start(process.execPath, [path.join(__dirname, `shop-${version}.js`)],
            { stdio: ['ignore', 'pipe', this.shop_log], env: { ...process.env, NODE_ENV: 'production',
                NODE_COMPILE_CACHE: compiled, REDIS_URL: this.urls[version] } });
        const port = await new Promise((resolve, reject) => {
            child.stdout.on('data', (line) => resolve(Number(String(line).match(/port (\d+)/)[1])));
            child.ended.then((status) => reject(new Error(`a ${version} shop on ${this.name} ended ` +
                `with ${status}: ${end_of(this.dir, 'shops')}`)));
        });
        return { child, version, port };
    }

    #on_tell(kind, what, detail) {
        if (kind === 'request') {
            this.now.requests++;
            return;
        }
        const set = { error: this.now.errors, logged_out: this.now.logged_out, lost: this.now.lost,
            corrupted: this.now.corrupted }[kind];
        // An error counts each time, a loss once per visitor, version and member.
        const key = kind === 'error' ? `${set.size} ${what}` : what;
        if (!set.has(key) && this.now.samples.length < 8)
            this.now.samples.push(`${kind}: ${what} ${detail || ''}`);
        set.add(key);
    }
}

// --- the run -------------------------------------------------------------------------------

// Name, versions that are asked at the end, what is done meanwhile.
const both = ['old', 'new'];
const plan = [
    ['old version alone', ['old'], null],
    ['canary: one process new', both, (d) => d.roll('new', 1)],
    ['canary rolled back', both, (d) => d.roll('old')],
    ['rolling upgrade', both, (d) => d.roll('new')],
    ['new version alone', both, null],
    ['all rolled back', both, (d) => d.roll('old')],
    ['upgraded again', both, (d) => d.roll('new')],
];

const columns = ['requests', 'errors', 'logged_out', 'lost', 'corrupted'];
const titles = ['requests', 'errors', 'logged out', 'lost', 'corrupted'];

const counts = (step) => columns.map((c) => (c === 'requests' ? step.requests : step[c].size));
const sum = (steps) => steps.map(counts).reduce((a, b) => a.map((x, i) => x + b[i]));

const widths = [9, 7, 11, 6, 10];

function row(name, cells) {
    const text = cells.map((list) => list.map((c, i) => String(c).padStart(widths[i])).join(''));
    console.log(`${name.padEnd(24)}|${text.join(' |')}`);
}

function rule(count) {
    row('-'.repeat(24), Array(count).fill(widths.map((width) => '-'.repeat(width))));
}

async function play(deployments) {
    await Promise.all(deployments.map((d) => d.open()));
    const title = (name) => name.padStart(22).padEnd(43);
    console.log(`${visitor_count} visitors, ${process_count} processes of the shop on each server; ` +
        'members are counted once a step,\nper visitor and version that misses them\n');
    console.log(`${''.padEnd(24)}|${deployments.map((d) => title(d.name)).join(' |')}`);
    row('', deployments.map(() => titles));
    rule(deployments.length);
    for (const [name, versions, change] of plan) {
        if (versions === both && !deployments[0].inspectors.new)
            await Promise.all(deployments.map((d) => d.announce()));
        const step_ms = load_ms / plan.length;
        await Promise.all(deployments.map((d) => d.step(name, versions, step_ms, change)));
        row(name, deployments.map((d) => counts(d.now)));
        if (verbose)
            for (const d of deployments)
                for (const sample of d.now.samples) console.log(`    ${d.name}: ${sample}`);
    }
    rule(deployments.length);
    row('all steps', deployments.map((d) => sum(d.steps)));
}

// What is wrong with the outcome: lines for people, none if all is well.
function verdict([segue, control]) {
    const problems = [];
    const [requests, ...harm] = sum(segue.steps);
    const [, errors, logged_out, lost] = sum(control.steps);
    if (harm.some((n) => n !== 0)) {
        problems.push(`${segue.name} is not at zero:`);
        for (const step of segue.steps)
            for (const sample of step.samples) problems.push(`  ${step.name}: ${sample}`);
    }
    if (requests < visitor_count * plan.length) problems.push('too few requests to tell anything');
    if (segue.steps.some((step, i) => i > 0 && step.requests === 0)) problems.push('a step without requests');
    if (logged_out === 0 || lost === 0)
        problems.push('redis-server shows no losses: this demo proves nothing');
    for (const d of [segue, control]) if (d.failure) problems.push(d.failure);
    return problems;
}

async function main() {
    const args = process.argv.slice(2);
    if (args.includes('--help') || args.includes('-h')) return process.stdout.write(usage);
    if (args.length > 1) {
        process.stderr.write(usage);
        process.exitCode = 2;
        return;
    }
    const binary = path.resolve(args[0] || path.join(__dirname, '../../build/segue-server'));
    const deployments = [new Deployment('segue', binary), new Deployment('redis-server', 'redis-server')];
    const started = Date.now();

    // Whatever happens, no process and no directory stays behind.
    let closing;
    const close = () => (closing ??= (async () => {
        is_closing = true;
        await Promise.all(deployments.map((d) => d.close()));
        await Promise.all([...children].map(stop));
        close_visitors();
        for (const d of deployments) if (d.dir) fs.rmSync(d.dir, { recursive: true, force: true });
    })());
    for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]])
        process.once(signal, () => close().finally(() => process.exit(status)));
    try {
        await play(deployments);
    } finally {
        await close();
    }

    const problems = verdict(deployments);
    const seconds = ((Date.now() - started) / 1000).toFixed(0);
    console.log(problems.length ? `\nFAILED (${seconds} s)\n${problems.join('\n')}` :
        `\nSegue kept every session across every step; redis-server did not. (${seconds} s)`);
    if (problems.length) process.exitCode = 1;
}

main().catch((err) => {
    console.error(`the demo stopped: ${err.message || err}`);
    process.exit(1);
});
