/*
 * version - who we say we are.
 *
 * Clients look at redis_version to decide which commands they may send: it names the release
 * of Redis whose commands and replies we follow.
 */
#ifndef SERVER_CORE_VERSION_H
#define SERVER_CORE_VERSION_H

#define SEGUE_VERSION "0.1.0"
#define SEGUE_REDIS_VERSION "7.2.4"

#endif
