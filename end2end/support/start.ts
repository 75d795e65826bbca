// Starts what all tests share: a database, a Redis, a receiver and the gateway; stops it at the end.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startReceiver } from "./receiver";
import { EMAIL, longhaul, PASSWORD, publish, type Site } from "./site";

const PATIENCE_MS = 60_000;

export default async function start(): Promise<() => Promise<void>> {
  const binary = needed("LONGHAUL_BIN");
  const server = needed("DATABASE_URL");
  const folder = mkdtempSync(join(tmpdir(), "longhaul-end2end-"));
  const name = `longhaul_end2end_${process.pid}`;
  const undo: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const step of undo.reverse()) await step();
  };
  try {
    psql(server, `CREATE DATABASE ${name}`);
    undo.push(() => psql(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    const redis = await startRedis(folder);
    undo.push(() => ended(redis.child));
    const receiver = await startReceiver();
    undo.push(() => receiver.close());
    const port = await freePort();
    const database = new URL(server);
    database.pathname = `/${name}`;
    const site: Site = {
      url: `http://localhost:${port}`,
      receiver: receiver.url,
      binary,
      env: environment(database.href, redis.url, port),
    };
    await longhaul(site, "migrate", "up");
    await longhaul(site, "bootstrap", "--email", EMAIL, "--password", PASSWORD, "--project", "Checkout");
    const log = join(folder, "gateway.log");
    const output = openSync(log, "a");
    const gateway = spawn(binary, ["all"], { env: site.env, cwd: folder, stdio: ["ignore", output, output] });
    undo.push(() => ended(gateway));
    await until("the gateway is ready", async () => {
      if (gateway.exitCode !== null) throw new Error(`the gateway ended:\n${readFileSync(log, "utf8")}`);
      return (await fetch(`${site.url}/readyz`)).ok;
    });
    publish(site);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

function needed(variable: string): string {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set; run scripts/e2e.sh`);
  return value;
}

function environment(database: string, redis: string, port: number): Record<string, string> {
  return {
    PATH: process.env.PATH ?? "",
    DATABASE_URL: database,
    REDIS_URL: redis,
    LONGHAUL_SECRET_KEY: "6b1d8f4d5a0e2c93b7a61f0c8e5d4b3a29187f6e5d4c3b2a1908f7e6d5c4b3a2",
    LONGHAUL_SERVER_BIND: "127.0.0.1",
    LONGHAUL_SERVER_PORT: String(port),
    LONGHAUL_DELIVERY_ALLOW_ADDRESSES: "127.0.0.0/8",
    LONGHAUL_PARTITIONS_DAYS_AHEAD: "4",
    LEPTOS_SITE_ROOT: needed("LEPTOS_SITE_ROOT"),
    LEPTOS_SITE_PKG_DIR: "pkg",
    LEPTOS_OUTPUT_NAME: "longhaul",
    // Pages as customers get them: nothing waits for a development server.
    LEPTOS_ENV: "PROD",
  };
}

function psql(url: string, statement: string): void {
  execFileSync("psql", ["-XAtq", "-d", url, "-c", statement], { stdio: ["ignore", "ignore", "inherit"] });
}

async function startRedis(folder: string): Promise<{ url: string; child: ChildProcess }> {
  const port = await freePort();
  const args = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder, "--save", "", "--appendonly", "yes"];
  const child = spawn("redis-server", args, { stdio: "ignore" });
  await until("Redis answers", async () => {
    const said = execFileSync("redis-cli", ["-p", String(port), "ping"], { stdio: ["ignore", "pipe", "ignore"] });
    return said.toString().trim() === "PONG";
  });
  return { url: `redis://127.0.0.1:${port}/0`, child };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((ready) => probe.listen(0, "127.0.0.1", ready));
  const address = probe.address();
  await new Promise((closed) => probe.close(closed));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const end = new Promise((gone) => child.once("exit", gone));
  child.kill("SIGTERM");
  await end;
}

/** Asks again and again until the answer is yes; a failed question counts as a no. */
async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  let last: unknown;
  while (Date.now() < end) {
    try {
      if (await look()) return;
    } catch (error) {
      if (error instanceof Error && error.message.includes("ended")) throw error;
      last = error;
    }
    await new Promise((again) => setTimeout(again, 100));
  }
  throw new Error(`${what}: not in time (${last})`);
}
