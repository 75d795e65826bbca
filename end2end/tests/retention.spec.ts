// Retention of a project: preview, typed name, holds, and deletion turned on; with script and without.
import { alive, expect, expectToast, open, test } from "../support/test";

const settings = (id: string) => `/projects/${id}/settings/retention`;

test("a shorter period is shown first, wants the typed name and can be undone", async ({ page, own, script }) => {
  const here = settings(own.id);
  await open(page, here, script);
  await expect(page.getByRole("heading", { level: 1, name: "Settings" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Retention" })).toHaveAttribute("aria-current", "page");
  const days = page.getByRole("textbox", { name: "Days to keep" });
  await days.fill("99999");
  await page.getByRole("button", { name: "Preview", exact: true }).click();
  await expect(page.getByText(/1 to 3650 days/).first()).toBeVisible();
  await expect(page.getByText("Some fields need a change")).toBeVisible();

  await page.goto(`${here}?days=7`);
  if (script) await alive(page);
  await expect(page.getByRole("heading", { name: "Preview: for ever to 7 days" })).toBeVisible();
  await expect(page.getByText("Was for ever.")).toBeVisible();
  await expect(page.getByText(/at the next run, .* UTC/)).toBeVisible();
  await expect(page.getByRole("link", { name: "Keep for ever" })).toBeVisible();

  const typed = page.getByRole("textbox", { name: /^Type/ });
  await typed.fill(own.name);
  await page.getByRole("button", { name: /^Save and/ }).click();
  await expectToast(page, "Retention saved");
  await expect(page.getByText("Saved, not in effect yet")).toBeVisible();
  await expect(days).toHaveValue("7");

  await page.getByRole("link", { name: "Back to for ever" }).click();
  await expect(page.getByRole("heading", { name: "Preview: 7 days to for ever" })).toBeVisible();
  await page.getByRole("button", { name: "Save retention" }).click();
  await expectToast(page, "Retention saved");
  await expect(page.getByText("Saved, not in effect yet")).toHaveCount(0);
  await expect(page.getByRole("switch", { name: /^Off, last changed/ })).not.toBeChecked();
});

test("saving a shorter period without the typed name shows what it does", async ({ page, own, script }) => {
  await open(page, settings(own.id), script);
  await page.getByRole("textbox", { name: "Days to keep" }).fill("30");
  const on = page.getByRole("switch", { name: /^O(n|ff)/ }).first();
  await on.check();
  if (script) {
    // The preview follows the form by itself.
    await expect(page.getByRole("heading", { name: "Preview: for ever to 30 days" })).toBeVisible();
  } else {
    await page.getByRole("button", { name: "Save retention" }).click();
    await expect(page.getByRole("heading", { name: "Preview: for ever to 30 days" })).toBeVisible();
  }
  await page.getByRole("link", { name: "7 days", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Preview: for ever to 7 days" })).toBeVisible();
  await expect(page.getByRole("textbox", { name: "Days to keep" })).toHaveValue("7");
  await page.getByRole("link", { name: "Keep for ever" }).click();
  await expect(page.getByRole("heading", { name: /^Preview/ })).toHaveCount(0);
  await expect(on).not.toBeChecked();
});

test("what cannot be saved is not previewed and says why", async ({ page, own, script }) => {
  await open(page, `${settings(own.id)}?form=1&days=30&on=true&storage=own`, script);
  await expect(page.getByText(/Needs a storage policy of this project/)).toBeVisible();
  await expect(page.getByRole("heading", { name: /^Preview/ })).toHaveCount(0);
  await open(page, `${settings(own.id)}?days=0`, script);
  await expect(page.getByText("Enter 1 to 3650 days, or turn deleting off")).toBeVisible();
});

test("a hold is placed and released", async ({ page, own, script }) => {
  await open(page, settings(own.id), script);
  await expect(page.getByText("No holds.")).toBeVisible();
  await page.getByText("New hold").click();
  await page.getByLabel("Name", { exact: true }).fill("Chargeback 2026-118");
  await page.getByLabel("Events accepted from").fill("2026-11-09");
  await page.getByLabel("Up to").fill("soon");
  await page.getByRole("button", { name: "Place hold" }).click();
  await expect(page.getByText(/Enter a day or an instant/)).toBeVisible();
  await page.getByLabel("Name", { exact: true }).fill("Chargeback 2026-118");
  await page.getByLabel("Events accepted from").fill("2026-11-09");
  await page.getByLabel("Up to").fill("2026-11-09");
  await page.getByRole("button", { name: "Place hold" }).click();
  await expectToast(page, "Hold placed");
  await expect(page.getByText("On hold", { exact: true })).toBeVisible();
  await expect(page.getByText(/9\sNov.*, 00:00 to 10\sNov.*, 00:00 UTC, placed by/)).toBeVisible();

  await page.getByRole("button", { name: "Release Chargeback 2026-118" }).click();
  const dialog = page.getByRole("dialog", { name: "Release Chargeback 2026-118" });
  await dialog.getByRole("button", { name: "Keep hold" }).click();
  await expect(dialog).toBeHidden();
  await page.getByRole("button", { name: "Release Chargeback 2026-118" }).click();
  await dialog.getByRole("button", { name: "Release hold" }).click();
  await expectToast(page, "Hold released");
  await expect(dialog).toBeHidden();
  await expect(page.getByText("Released", { exact: true })).toBeVisible();
});

test("deletion is turned on for the instance by its admin, and off again", async ({ page, own, script }) => {
  await open(page, settings(own.id), script);
  await expect(page.getByText("Nothing is deleted yet")).toBeVisible();
  await expect(page.getByText(/CONVOY_ENABLE_FEATURE_FLAG=retention-policy/)).toBeVisible();
  await page.getByRole("button", { name: "Turn on for this instance" }).click();
  await expectToast(page, "Deletion turned on");
  await expect(page.getByText("Nothing is deleted yet")).toHaveCount(0);
  await open(page, "/system/storage", script);
  await page.getByRole("button", { name: "Turn off for this instance" }).click();
  await expectToast(page, "Deletion turned off");
  await expect(page.getByText("Nothing is deleted yet")).toBeVisible();
});
