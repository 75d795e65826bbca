// The whole way: sign in, make an endpoint and a subscription, send, see it delivered, send again.
import { Webhook } from "standardwebhooks";
import { EMAIL, PASSWORD, received, site } from "../support/site";
import { alive, expect, expectToast, open, reloadUntil, test } from "../support/test";

test.use({ signedIn: false });

test("an operator gets from the sign-in to a delivery whose signature an independent library verifies", async ({
  page,
  own,
  script,
}) => {
  const path = `/ok-${own.id}`;
  await open(page, `/projects/${own.id}/endpoints`, script);
  await expect(page).toHaveURL(/\/login\?next=/);
  await page.getByLabel("Email").fill(EMAIL);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(new RegExp(`/projects/${own.id}/endpoints`));
  await expect(page.getByRole("heading", { level: 1, name: "Endpoints" })).toBeVisible();
  await expect(page.getByText("No endpoints yet")).toBeVisible();

  await page.getByRole("link", { name: "New endpoint" }).first().click();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("Warehouse");
  await page.getByLabel("Address").fill(`${site().receiver}${path}`);
  await page.getByRole("radio", { name: /Standard Webhooks/ }).check();
  await page.getByRole("button", { name: "Create endpoint" }).click();
  await expectToast(page, "Endpoint created");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Warehouse");
  await expect(page.locator("code", { hasText: "whsec_" }).first()).toBeVisible();
  const endpoint = new URL(page.url()).pathname;
  const secret = (await page.locator("code", { hasText: "whsec_" }).first().textContent()) ?? "";
  await page.reload();
  await expect(page.getByText(secret)).toHaveCount(0);

  await page.getByRole("link", { name: "Add one" }).click();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("Everything to the warehouse");
  await expect(page.getByLabel("Endpoint", { exact: true })).toHaveValue(endpoint.split("/").pop() ?? "");
  await page.getByRole("button", { name: "Create subscription" }).click();
  await expectToast(page, "Subscription created");

  await open(page, endpoint, script);
  await page.getByRole("button", { name: "Send test event" }).click();
  await expectToast(page, "Test event sent");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("longhaul.test");
  await reloadUntil(page, () => expect(page.getByRole("row", { name: /Delivered/ })).toBeVisible({ timeout: 1000 }));
  if (script) await alive(page);
  await page.getByRole("table", { name: "Deliveries of this event" }).getByRole("link", { name: "longhaul.test" }).click();

  await expect(page.getByRole("heading", { level: 1 })).toContainText("Delivered");
  await expect(page.getByRole("heading", { name: "Attempt 1" })).toBeVisible();
  await expect(page.getByText(`${site().receiver}${path}`).first()).toBeVisible();
  await page.getByRole("radiogroup", { name: "Part of the attempt" }).getByText("Response").click();
  await expect(page.getByText(/^200/).first()).toBeVisible();
  await page.getByRole("radiogroup", { name: "Part of the attempt" }).getByText("Signature").click();
  await expect(page.getByText("webhook-signature: v1,")).toBeVisible();

  const [first] = await received(path);
  expect(new Webhook(secret).verify(first.body, first.headers)).toMatchObject({ test: true, endpoint: "Warehouse" });
  expect(() => new Webhook(secret).verify(first.body.replace("true", "false"), first.headers)).toThrow();

  await page.getByRole("button", { name: "Send again" }).click();
  await expectToast(page, "Delivery resent");
  await reloadUntil(page, () => expect(page.getByRole("heading", { name: "Attempt 2" })).toBeVisible({ timeout: 1000 }));
  expect(await received(path)).toHaveLength(2);
  await page.getByRole("link", { name: "Older attempt" }).click();
  await expect(page.getByRole("heading", { name: "Attempt 1" })).toBeVisible();
});
