// Jobs: started from the page, with script and without.
import { expect, expectToast, open, reloadUntil, test } from "../support/test";

test("a job is run from the page and its run tells what it did", async ({ page, script }) => {
  await open(page, "/system/jobs", script);
  await expect(page.getByRole("heading", { level: 1, name: "Jobs" })).toBeVisible();
  const job = page.getByRole("table", { name: /^Jobs with/ }).getByRole("row", { name: /Keep partitions ahead/ });
  await expect(job).toContainText("Every 10");
  await job.getByRole("button", { name: "Run now" }).click();
  await expectToast(page, "Run started");
  await reloadUntil(page, async () => {
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Done", { timeout: 1_000 });
  });
  await expect(page.getByText("By hand")).toBeVisible();

  await page.getByRole("link", { name: "All runs of this job" }).click();
  const runs = page.getByRole("table", { name: "Runs, newest first" });
  await expect(runs.getByRole("row", { name: /By hand/ }).first()).toBeVisible();
  await expect(runs.getByRole("row", { name: /Forget/ })).toHaveCount(0);
});
