// Storage: a policy is tried out, saved, replaced and refused; with script and without.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, expectToast, open, test } from "../support/test";

let folder = "";
test.beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "longhaul-end2end-storage-"));
});
test.afterAll(() => rmSync(folder, { recursive: true, force: true }));

const settings = (id: string) => `/projects/${id}/settings/storage`;
const versions = (page: Page) => page.getByRole("table", { name: /^Versions of the storage policy/ });

async function chooseFolder(page: Page, path: string): Promise<void> {
  await page.getByText("On-premises", { exact: true }).first().click();
  await page.getByLabel("Path", { exact: true }).fill(path);
}

test("a project's own folder is tested, saved, and given up for the instance's", async ({ page, own, script }) => {
  const place = join(folder, own.id);
  await open(page, settings(own.id), script);
  await expect(page.getByText("This project uses the instance's storage")).toBeVisible();
  await expect(page.getByText("The project has no policy of its own yet.")).toBeVisible();

  await chooseFolder(page, place);
  await page.getByRole("button", { name: "Test connection" }).click();
  await expect(page.getByText("Ready for backup and archive")).toBeVisible();
  await expect(page.locator(".probe > li").first()).toContainText("ms");
  // Nothing was saved, and what was entered is still there.
  await expect(page.getByText("The project has no policy of its own yet.")).toBeVisible();
  await expect(page.getByLabel("Path", { exact: true })).toHaveValue(place);

  await page.getByRole("button", { name: "Save policy" }).click();
  await expectToast(page, "Storage policy saved");
  await expect(versions(page).getByRole("row", { name: /^1 Writing/ })).toContainText(place);
  await expect(page.getByText("This project uses its own storage")).toBeVisible();
  await expect(page.getByText('"type": "on_prem"')).toBeVisible();

  await page.getByRole("button", { name: "Use the instance's storage" }).click();
  await expectToast(page, "Storage chosen");
  await expect(versions(page).getByRole("row", { name: /^1 Empty/ })).toBeVisible();
  await page.getByRole("button", { name: "Use the project's own" }).click();
  await expect(page.getByText("This project uses its own storage")).toBeVisible();
});

test("a policy that does not work is not saved and says what to change", async ({ page, own, script }) => {
  await open(page, settings(own.id), script);
  await chooseFolder(page, "relative/path");
  await page.getByRole("button", { name: "Save policy" }).click();
  await expect(page.getByText("Write the whole path, from the root", { exact: false })).toBeVisible();

  await open(page, settings(own.id), script);
  await page.getByLabel("Bucket").fill("longhaul-archive");
  await page.getByLabel("Region").fill("eu-central-1");
  // Nothing listens on the first port.
  await page.getByLabel(/^Endpoint/).fill("http://127.0.0.1:1");
  await page.getByLabel("Access key").fill("LHARCHIVE01");
  await page.getByLabel(/^Secret key/).fill("hidden-secret");
  await page.getByRole("button", { name: "Save policy" }).click();
  await expect(page.getByText("Not saved: a test failed.")).toBeVisible();
  await expect(page.locator('.probe > li[data-state="failure"]').first()).toContainText("Failed");
  await expect(page.getByText("Not ready for backup and archive")).toBeVisible();
  await expect(page.getByText("The project has no policy of its own yet.")).toBeVisible();
  // The secret is not in the page, and counts all the same.
  await expect(page.getByLabel("Bucket")).toHaveValue("longhaul-archive");
  expect(await page.content()).not.toContain("hidden-secret");
  await expect(page.getByText("As typed for the test.", { exact: false })).toBeVisible();
  await page.getByRole("button", { name: "Test connection" }).click();
  await expect(page.getByText("Not saved: a test failed.")).toHaveCount(0);
  await expect(page.getByText("Not ready for backup and archive")).toBeVisible();
});

test("the instance's storage is saved in versions and shown as configuration", async ({ page, script }) => {
  await open(page, "/system/storage", script);
  await expect(page.getByRole("heading", { level: 1, name: "Storage" })).toBeVisible();
  const before = await versions(page).getByRole("rowheader").count();
  const place = join(folder, `instance-${script}`);
  await chooseFolder(page, place);
  await page.getByRole("button", { name: "Save policy" }).click();
  await expectToast(page, "Storage policy saved");
  await expect(versions(page).getByRole("rowheader")).toHaveCount(before + 1);
  await expect(versions(page).getByRole("row", { name: /Writing/ })).toContainText(place);
  await expect(page.getByText(`CONVOY_STORAGE_PREM_PATH=${place}`)).toBeVisible();
  await expect(page.getByText("Ready for backup and archive")).toBeVisible();
});
