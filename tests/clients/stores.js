// stores - express-session stores over the clients under test, as their manuals open them:
// connect-redis 9 (node-redis) and connect-redis 8 (the last that takes ioredis).

'use strict';
const { RedisStore } = require('connect-redis');
const { RedisStore: RedisStore8 } = require('connect-redis8');
const { createClient } = require('redis');
const { Redis: Ioredis5 } = require('ioredis5');
const { Redis: Ioredis6 } = require('ioredis6');

const clients = {
    'node-redis 6': async (url) => {
        const client = createClient({ url });
        client.on('error', () => {});
        await client.connect();
        return { client, Store: RedisStore, close: () => client.close() };
    },
    'ioredis 5': (url) => ioredis(Ioredis5, url),
    'ioredis 6': (url) => ioredis(Ioredis6, url),
};

async function ioredis(Client, url) {
    const client = new Client(url, { maxRetriesPerRequest: 1 });
    client.on('error', () => {});
    return { client, Store: RedisStore8, close: () => client.quit() };
}

exports.names = Object.keys(clients);

// Connect client <name> to <url>: { client, Store, close }.
exports.open = (name, url) => clients[name](url);
