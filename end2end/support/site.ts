// The running gateway, as tests reach it.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Where everything is; made once by start.ts and handed to the tests in the environment. */
export interface Site {
  url: string;
  receiver: string;
  binary: string;
  env: Record<string, string>;
}

/** What the user of the tests signs in with. */
export const EMAIL = "operator@harbour.example";
export const PASSWORD = "correct-horse-battery";

const VARIABLE = "LONGHAUL_END2END_SITE";

export function publish(site: Site): void {
  process.env[VARIABLE] = JSON.stringify(site);
}

export function site(): Site {
  const text = process.env[VARIABLE];
  if (!text) throw new Error("the gateway was not started");
  return JSON.parse(text) as Site;
}

/** Runs a command of the binary and returns what it printed. */
export async function longhaul(at: Site, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(at.binary, args, { env: at.env, cwd: "/tmp" });
  return stdout;
}

/** A project with its key, and the API behind it. */
export interface Project {
  id: string;
  name: string;
  key: string;
}

/** Makes a project of this name, or finds it, with a key that the gateway knows. */
export async function project(name: string): Promise<Project> {
  const args = ["bootstrap", "--email", EMAIL, "--password", PASSWORD, "--project", name, "--new-key", "--format", "json"];
  const made = JSON.parse(await longhaul(site(), ...args));
  const found = { id: made.project.uid, name: made.project.name, key: made.api_key };
  // The command is another process: the gateway is told a moment later.
  await eventually(`the key of ${name} is known`, () => call(found, "GET", "").catch(() => undefined));
  return found;
}

/** Looks again and again until something is found. */
async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 300; tries++) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((again) => setTimeout(again, 100));
  }
  throw new Error(`${what}: not in time`);
}

/** Calls the API of a project; fails on refusals. */
export async function call(at: Project, method: string, path: string, body?: unknown): Promise<any> {
  const answer = await fetch(`${site().url}/api/v1/projects/${at.id}${path}`, {
    method,
    headers: { authorization: `Bearer ${at.key}`, "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text).data;
}

/** An endpoint with a subscription to everything. */
export async function endpoint(at: Project, name: string, url: string): Promise<any> {
  const made = await call(at, "POST", "/endpoints", { name, url });
  await call(at, "POST", "/subscriptions", { name: `Everything to ${name}`, endpoint_id: made.uid });
  return made;
}

/** Sends an event and returns its id. */
export async function send(at: Project, to: string, type: string, data: unknown): Promise<string> {
  const made = await call(at, "POST", "/events", { endpoint_id: to, event_type: type, data });
  return made.uid;
}

/** Waits until an event's only delivery stands in a state, and returns it. */
export async function delivery(at: Project, event: string, state: string): Promise<any> {
  return eventually(`a delivery of ${event} stands in ${state}`, async () => {
    const found = (await call(at, "GET", `/eventdeliveries?eventId=${event}`)).content;
    return found.length === 1 && found[0].status === state ? found[0] : undefined;
  });
}

/** A request that the receiver got. */
export interface Received {
  headers: Record<string, string>;
  body: string;
}

/** What the receiver got on a path, oldest first. */
export async function received(path: string): Promise<Received[]> {
  const answer = await fetch(`${site().receiver}/received?path=${encodeURIComponent(path)}`);
  return (await answer.json()) as Received[];
}
