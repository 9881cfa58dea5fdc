// proxy - a round-robin HTTP proxy on a loopback port, whose backends come and go under load.

'use strict';
const http = require('node:http');

exports.Proxy = class Proxy {
    #server = http.createServer((req, res) => this.#forward(req, res));
    #backends = []; // { port, agent, in_flight, on_idle }
    #next = 0;

    async listen() {
        this.#server.keepAliveTimeout = 65000;
        await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
        return this.#server.address().port;
    }

    add(port) {
        const agent = new http.Agent({ keepAlive: true, timeout: 60000 });
        this.#backends.push({ port, agent, in_flight: 0, on_idle: null });
    }

    // Send nothing more to <port>; resolves when its last request has been answered.
    async remove(port) {
        const backend = this.#backends.find((b) => b.port === port);
        this.#backends = this.#backends.filter((b) => b !== backend);
        if (backend.in_flight) await new Promise((resolve) => { backend.on_idle = resolve; });
        backend.agent.destroy();
    }

    close() {
        this.#server.close();
        this.#server.closeAllConnections();
        for (const backend of this.#backends) backend.agent.destroy();
    }

    #forward(req, res) {
        const backend = this.#backends[this.#next++ % this.#backends.length];
        backend.in_flight++;
        let done = false;
        const finish = () => {
            if (done) return;
            done = true;
            if (--backend.in_flight === 0 && backend.on_idle) backend.on_idle();
        };
        const forwarded = http.request({ host: '127.0.0.1', port: backend.port, agent: backend.agent,
            method: req.method, path: req.url, headers: req.headers }, (answer) => {
            res.writeHead(answer.statusCode, answer.rawHeaders);
            answer.pipe(res);
            answer.on('close', finish);
        });
        forwarded.on('error', (err) => {
            finish();
            if (!res.headersSent) res.writeHead(502);
            res.end(JSON.stringify({ error: err.message }));
        });
        req.pipe(forwarded);
    }
};
