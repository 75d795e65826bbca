// Every page: reachable by everybody, as wide as the screen, free of complaints, kept as pictures.
import { mkdirSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { type Place, places } from "../support/pages";
import { alive, expect, open, test } from "../support/test";

const ARTEFACTS = "artefacts";
const WIDTHS = [1440, 390];
const THEMES = ["light", "dark"] as const;

let all: Place[] = [];
test.beforeAll(async ({}, info) => {
  test.setTimeout(60_000);
  mkdirSync(ARTEFACTS, { recursive: true });
  // After a failure the tests go on in another process, which needs projects of its own.
  all = await places(info.workerIndex === 0 ? "" : ` ${info.workerIndex}`);
});

/** What axe finds that keeps somebody from using the page. */
async function obstacles(page: Page): Promise<string[]> {
  const found = await new AxeBuilder({ page }).analyze();
  const grave = found.violations.filter((one) => one.impact === "serious" || one.impact === "critical");
  return grave.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
}

async function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

for (const width of WIDTHS) {
  for (const theme of THEMES) {
    test(`pages at ${width} px, ${theme}: usable, not too wide, pictured`, async ({ page, complaints }) => {
      test.setTimeout(300_000);
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
      await page.emulateMedia({ colorScheme: theme });
      for (const place of all) {
        await test.step(place.name, async () => {
          await open(page, place.path, true);
          await expect.soft(page.locator("h1"), place.name).toHaveCount(1);
          expect.soft(await obstacles(page), place.name).toEqual([]);
          expect.soft(await overflow(page), `${place.name} is too wide`).toBeLessThanOrEqual(0);
          await page.screenshot({ path: `${ARTEFACTS}/${place.name}-${width}-${theme}.png`, fullPage: true });
          expect.soft(complaints.splice(0), place.name).toEqual([]);
        });
      }
    });
  }
}

test("the menu of a phone and the palette open, are usable and pictured", async ({ page }) => {
  const overview = all.find((place) => place.name === "overview")?.path ?? "/";
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page, overview, true);
  await page.getByRole("button", { name: /menu/i }).first().click();
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  expect(await obstacles(page)).toEqual([]);
  await page.screenshot({ path: `${ARTEFACTS}/menu-390-light.png` });
  await page.setViewportSize({ width: 1440, height: 900 });
  await open(page, overview, true);
  await page.getByRole("button", { name: "Search or jump to" }).click();
  await expect(page.getByRole("dialog", { name: "Search or jump to" })).toBeVisible();
  expect(await obstacles(page)).toEqual([]);
  await page.screenshot({ path: `${ARTEFACTS}/palette-1440-light.png` });
});

test("pages change without loading again, and the way back works", async ({ page }) => {
  const overview = all.find((place) => place.name === "overview")?.path ?? "/";
  await open(page, overview, true);
  await page.evaluate(() => Object.assign(window, { stays: true }));
  for (const word of ["Events", "Deliveries", "Endpoints", "Subscriptions", "Settings"]) {
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: new RegExp(`^${word}`) }).click();
    await expect(page.getByRole("heading", { level: 1, name: word })).toBeVisible();
  }
  await page.goBack();
  await expect(page.getByRole("heading", { level: 1, name: "Subscriptions" })).toBeVisible();
  expect(await page.evaluate(() => "stays" in window)).toBe(true);
});

test("an address that leads nowhere and an id that is none say so", async ({ page, complaints }) => {
  for (const path of ["/nowhere", "/projects/01932b0c-0000-7000-8000-000000000001", "/projects/none/events"]) {
    const answer = await page.goto(path);
    expect(answer?.status(), path).toBe(404);
    await expect(page.locator("main")).toContainText("Not found");
    await alive(page);
    expect(await obstacles(page), path).toEqual([]);
    // The browser reports the page itself, which is what was asked for.
    const others = complaints.splice(0).filter((one) => !one.includes("status of 404"));
    expect(others, path).toEqual([]);
  }
});
