// `test` with what every test of the dashboard wants: a signed-in browser, a project of its own, and
// a failure whenever the browser complains about anything.
import { type BrowserContext, expect, type Page, test as base } from "@playwright/test";
import { EMAIL, PASSWORD, type Project, project, site } from "./site";

interface Fixtures {
  /** Whether the browser is signed in from the start. */
  signedIn: boolean;
  /** Whether pages run their script. */
  script: boolean;
  /** A project of the test's own. */
  own: Project;
  /** Fails the test when the browser complained. */
  complaints: string[];
}

interface WorkerFixtures {
  session: string;
}

/** The session cookie of a fresh sign-in. */
export async function signIn(): Promise<string> {
  const answer = await fetch(`${site().url}/ui/sign_in`, {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/x-www-form-urlencoded", accept: "text/html" },
    body: new URLSearchParams({ "form[email]": EMAIL, "form[password]": PASSWORD, "form[next]": "/" }),
  });
  const cookie = answer.headers.getSetCookie().find((line) => line.startsWith("longhaul_session="));
  const value = cookie?.match(/^longhaul_session=([^;]+)/)?.[1];
  if (!value) throw new Error(`no session: ${answer.status} ${await answer.text()}`);
  return value;
}

export async function useSession(context: BrowserContext, value: string): Promise<void> {
  await context.addCookies([{ name: "longhaul_session", value, url: site().url }]);
}

export const test = base.extend<Fixtures, WorkerFixtures>({
  session: [async ({}, use) => use(await signIn()), { scope: "worker" }],
  signedIn: [true, { option: true }],
  baseURL: async ({}, use) => use(site().url),
  script: async ({ javaScriptEnabled }, use) => use(javaScriptEnabled ?? true),
  context: async ({ context, session, signedIn, script }, use) => {
    if (signedIn) await useSession(context, session);
    if (script) await context.addInitScript(markHydration);
    await use(context);
  },
  own: async ({}, use, info) => use(await project(`${info.titlePath.slice(1).join(" ")} ${info.project.name}`.slice(-60))),
  complaints: [
    async ({ page, script }, use) => {
      const complaints: string[] = [];
      listen(page, complaints, script);
      await use(complaints);
      expect(complaints, "the browser complained").toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

function listen(page: Page, complaints: string[], script: boolean): void {
  page.on("pageerror", (error) => complaints.push(`page error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    // What the script would have used stays unused without it.
    if (!script && message.text().includes("was preloaded using link preload but not used")) return;
    complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
  });
  page.on("response", (answer) => {
    if (answer.status() >= 500) complaints.push(`${answer.status()} ${answer.url()}`);
  });
}

declare global {
  interface Window {
    hydrated?: boolean;
  }
}

/** Sets `window.hydrated` once the router has mounted: it listens to `popstate` while the page is
 * hydrated, which happens in one go. */
function markHydration(): void {
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (this: EventTarget, ...args: Parameters<typeof add>) {
    if (args[0] === "popstate") setTimeout(() => (window.hydrated = true), 0);
    return add.apply(this, args);
  } as typeof add;
}

/** Opens a page and, with script, waits until it is alive. */
export async function open(page: Page, path: string, script: boolean): Promise<void> {
  await page.goto(path);
  if (script) await alive(page);
}

export async function alive(page: Page): Promise<void> {
  await page.waitForFunction(() => window.hydrated === true);
}

/** Expects the message that a change leaves behind. */
export async function expectToast(page: Page, text: string): Promise<void> {
  await expect(page.locator(".toast")).toContainText(text);
}

/** Loads the page again until what is looked for is there: work in the background takes its time. */
export async function reloadUntil(page: Page, look: () => Promise<void>): Promise<void> {
  await expect(async () => {
    await page.reload();
    await look();
  }).toPass({ timeout: 30_000 });
}
