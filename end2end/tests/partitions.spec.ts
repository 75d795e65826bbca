// Partitions: days, leaves, filters, jobs started from the page, the forecast; with script and without.
import { expect, expectToast, open, reloadUntil, test } from "../support/test";

const HERE = "/system/partitions";

test("days of every table are drawn, and told as a table", async ({ page, script }) => {
  await open(page, HERE, script);
  await expect(page.getByRole("heading", { level: 1, name: "Partitions" })).toBeVisible();
  await expect(page.getByText("4 of 4")).toBeVisible();
  const strip = page.getByRole("group", { name: "Days of events", exact: true });
  await expect(strip.getByRole("link")).toHaveCount(45);
  await expect(strip.getByRole("link", { name: /rows, open/ })).toHaveCount(1);
  await page.getByText("As a table").click();
  const twin = page.getByRole("table", { name: /^Rows per day/ });
  await expect(twin.getByRole("rowheader").first()).toBeVisible();
  const name = await strip.getByRole("link", { name: /created ahead/ }).first().getAttribute("aria-label");
  await strip.getByRole("link", { name: /created ahead/ }).first().click();
  await expect(page).toHaveURL(/q=day%3A\d{8}/);
  const leaves = page.getByRole("table", { name: /^Leaves and/ });
  await expect(leaves.getByText("Ahead").first()).toBeVisible();
  expect(name).toContain("events, ");
});

test("leaves are filtered, ordered and turned page by page", async ({ page, script }) => {
  await open(page, HERE, script);
  const leaves = page.getByRole("table", { name: /^Leaves and/ });
  await expect(leaves.getByRole("rowheader")).toHaveCount(25);
  await page.getByRole("link", { name: "Next", exact: true }).last().click();
  await expect(page).toHaveURL(/page=2/);
  await page.getByLabel("Filter leaves").last().fill("table:events state:open");
  await page.getByRole("button", { name: "Filter", exact: true }).click();
  await expect(page.getByRole("link", { name: "Remove filter state open" })).toBeVisible();
  await expect(leaves.getByText("Open", { exact: true }).first()).toBeVisible();
  for (const name of await leaves.getByRole("rowheader").allInnerTexts()) expect(name).toMatch(/^events_\d{8}_k\d+$/);
  await page.getByRole("link", { name: "Size", exact: true }).click();
  await expect(page).toHaveURL(/sort=size/);
  await expect(page.getByRole("link", { name: "Remove filter table events" })).toBeVisible();
  await open(page, `${HERE}?q=class:none`, script);
  await expect(page.getByText("No leaf matches the filters.")).toBeVisible();
});

test("days ahead are looked after from the page", async ({ page, script }) => {
  await open(page, HERE, script);
  await page.getByRole("button", { name: "Reconcile now" }).click();
  await expectToast(page, "Run started");
  await reloadUntil(page, async () => {
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Done", { timeout: 1_000 });
  });
});

test("a price is kept and nonsense is refused where it was typed", async ({ page, script }) => {
  await open(page, HERE, script);
  const price = page.getByLabel(/^Price of the archive/);
  await price.fill("cheap");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("must be a number from 0 on", { exact: false })).toBeVisible();
  await price.fill("0.023");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expectToast(page, "Forecast saved");
  await expect(page.getByText(/now, .* in a year/)).toBeVisible();
  await expect(price).toHaveValue("0.023");
});

test("tables are joined only after the words were typed", async ({ page, script }) => {
  await open(page, HERE, script);
  await page.getByText("Back to one heap per table").click();
  const typed = page.getByLabel(/^Type/);
  await typed.fill("one");
  // The browser refuses it by the pattern of the field: nothing is sent.
  await page.getByRole("button", { name: "Join days" }).click();
  expect(await typed.evaluate((input: HTMLInputElement) => input.validity.patternMismatch)).toBe(true);
  await expect(page).toHaveURL(new RegExp(`${HERE}$`));
});
