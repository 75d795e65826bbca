// A receiver that remembers what it got: /ok… answers 200, /fail… answers 503.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Received } from "./site";

export interface Receiver {
  url: string;
  close(): void;
}

export async function startReceiver(): Promise<Receiver> {
  const got = new Map<string, Received[]>();
  const server = createServer((request, response) => void answer(request, response, got));
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => closeNow(server) };
}

async function answer(request: IncomingMessage, response: ServerResponse, got: Map<string, Received[]>): Promise<void> {
  const url = new URL(request.url ?? "/", "http://receiver");
  if (url.pathname === "/received") {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(got.get(url.searchParams.get("path") ?? "") ?? []));
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const one = { headers: request.headers as Record<string, string>, body: Buffer.concat(chunks).toString("utf8") };
  got.set(url.pathname, [...(got.get(url.pathname) ?? []), one]);
  const failing = url.pathname.startsWith("/fail");
  response.writeHead(failing ? 503 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify(failing ? { error: "down for maintenance" } : { received: true }));
}

function closeNow(server: Server): void {
  server.close();
  server.closeAllConnections();
}
