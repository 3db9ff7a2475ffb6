// Opens the key-value store's HTTP door on loopback, with the token asked for on every path.
//
// The package's own server listens on every network interface and asks for the token on "/" only, which leaves
// "/pipeline" open to anyone who can reach the port. Its application is therefore mounted behind a guard here.
import { serve } from "@hono/node-server";
import { createApp } from "@humanwhocodes/upstash-redis-server";
import { Hono } from "hono";
import { bearerAuth } from "hono/bearer-auth";

const { KV_PORT, KV_TOKEN, REDIS_URL } = process.env;

const door = new Hono();
door.use("*", bearerAuth({ token: KV_TOKEN }));
door.route("/", createApp({ token: KV_TOKEN, redisUrl: REDIS_URL }));
const server = serve({ fetch: door.fetch, hostname: "127.0.0.1", port: Number(KV_PORT) });

process.once("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
