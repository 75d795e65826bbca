// Every form, with script and without: what it changes, and what it says when it refuses.
import { call, delivery, EMAIL, endpoint, PASSWORD, received, send, site } from "../support/site";
import { expect, expectToast, open, reloadUntil, signIn, test, useSession } from "../support/test";

test.describe("signing in", () => {
  test.use({ signedIn: false });

  test("a wrong password is refused", async ({ page, script }) => {
    await open(page, "/login", script);
    await page.getByLabel("Email").fill(EMAIL);
    await page.getByLabel("Password").fill("not-the-password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText("Email and password do not match");
    await expect(page).toHaveURL(/\/login/);
  });

  test("signing out ends the session", async ({ page, context, script }) => {
    await useSession(context, await signIn());
    await open(page, "/", script);
    await page.locator("summary", { hasText: EMAIL.slice(0, 1).toUpperCase() }).last().click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page).toHaveURL(/\/login/);
    await page.goto("/");
    await expect(page).toHaveURL(/\/login/);
    await page.getByLabel("Email").fill(EMAIL);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "All projects" })).toBeVisible();
  });
});

test("a project is made from the form", async ({ page, own, script }) => {
  await open(page, "/projects/new", script);
  await page.getByRole("textbox", { name: "Name", exact: true }).fill(`Made beside ${own.id}`);
  await page.getByRole("button", { name: "Create project" }).click();
  await expectToast(page, "Project created");
  await expect(page.locator("main")).toContainText("Key created");
});

test("an endpoint is edited", async ({ page, own, script }) => {
  const made = await endpoint(own, "Warehouse", `${site().receiver}/ok-${own.id}`);
  await open(page, `/projects/${own.id}/endpoints/${made.uid}`, script);
  await page.getByRole("link", { name: "Edit", exact: true }).click();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("Warehouse north");
  await page.getByLabel("Timeout").fill("7");
  await page.getByRole("button", { name: "Save endpoint" }).click();
  await expectToast(page, "Endpoint saved");
  const kept = await call(own, "GET", `/endpoints/${made.uid}`);
  expect(kept).toMatchObject({ name: "Warehouse north", http_timeout: 7 });
});

test("a rotated secret is shown once, and both sign until the old one ends", async ({ page, own, script }) => {
  const path = `/ok-${own.id}`;
  const made = await endpoint(own, "Warehouse", `${site().receiver}${path}`);
  await open(page, `/projects/${own.id}/endpoints/${made.uid}`, script);
  await page.getByLabel("New secret").fill("a-second-secret-for-the-warehouse");
  await page.getByLabel("Old secret also signs for").fill("2");
  await page.getByRole("button", { name: "Rotate secret" }).click();
  await expectToast(page, "Secret rotated");
  await expect(page.getByText("a-second-secret-for-the-warehouse").first()).toBeVisible();
  await expect(page.getByText("Also signs until")).toBeVisible();
  await page.reload();
  await expect(page.getByText("a-second-secret-for-the-warehouse")).toHaveCount(0);

  const event = await send(own, made.uid, "order.created", { order: 1 });
  await delivery(own, event, "Success");
  const [got] = await received(path);
  expect(got.headers["x-convoy-signature"].match(/v1=/g)).toHaveLength(2);

  await page.getByRole("button", { name: "Reveal" }).click();
  await expect(page.getByText("a-second-secret-for-the-warehouse").first()).toBeVisible();
});

test("a paused endpoint holds deliveries and gets them when it is activated", async ({ page, own, script }) => {
  const path = `/ok-${own.id}`;
  const made = await endpoint(own, "Warehouse", `${site().receiver}${path}`);
  await open(page, `/projects/${own.id}/endpoints/${made.uid}`, script);
  await page.getByRole("button", { name: "Pause" }).click();
  await expectToast(page, "Endpoint paused");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Paused");
  const event = await send(own, made.uid, "order.created", { order: 1 });
  await delivery(own, event, "Scheduled");
  expect(await received(path)).toHaveLength(0);

  await page.getByRole("button", { name: "Activate" }).click();
  await expectToast(page, "Endpoint activated");
  await delivery(own, event, "Success");
  expect(await received(path)).toHaveLength(1);
});

test("the filter tester says whether a sample passes, and saving keeps the filter", async ({ page, own, script }) => {
  const made = await call(own, "POST", "/endpoints", { name: "Warehouse", url: `${site().receiver}/ok-${own.id}` });
  await open(page, `/projects/${own.id}/subscriptions/new?endpoint=${made.uid}`, script);
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("Large orders");
  await page.getByLabel("Event types").fill("order.created");
  await page.getByLabel("Body", { exact: false }).first().fill('{"amount.value": {"$gte": 100}}');
  await page.getByLabel("Sample body").fill('{"amount": {"value": 120}}');
  await page.getByRole("button", { name: "Test filter" }).click();
  await expect(page.getByText("The sample passes: it would be delivered")).toBeVisible();
  await expect(page.getByRole("textbox", { name: "Name", exact: true })).toHaveValue("Large orders");

  await page.getByLabel("Sample body").fill('{"amount": {"value": 99}}');
  await page.getByRole("button", { name: "Test filter" }).click();
  await expect(page.getByText("The sample does not pass: it would not be delivered")).toBeVisible();
  await page.getByRole("button", { name: "Create subscription" }).click();
  await expectToast(page, "Subscription created");
  const kept = (await call(own, "GET", "/subscriptions")).content.find((one: any) => one.name === "Large orders");
  expect(kept.filter_config.filter.body).toEqual({ "amount.value": { $gte: 100 } });
});

test("an API key is shown once and works until it is revoked", async ({ page, own, script }) => {
  await open(page, `/projects/${own.id}/settings/keys`, script);
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("checkout-api");
  await page.getByRole("button", { name: "Create key" }).click();
  await expectToast(page, "Key created");
  const shape = /LH\.[A-Za-z0-9]{16}\.[A-Za-z0-9]{64}/;
  await expect(page.locator("main")).toContainText(shape);
  const text = (await page.locator("main").textContent()) ?? "";
  const key = text.match(shape)?.[0] ?? "";
  expect(key).not.toBe("");
  await call({ ...own, key }, "GET", "/endpoints");
  await page.reload();
  await expect(page.locator("main")).not.toContainText(key);

  await page.getByRole("button", { name: "Revoke checkout-api" }).click();
  await expectToast(page, "Key revoked");
  await expect(call({ ...own, key }, "GET", "/endpoints")).rejects.toThrow(/40[13]/);
});

test.describe("what is refused", () => {
  test("settings with a wrong value are refused at the field and saved when it is right", async ({ page, own, script }) => {
    await open(page, `/projects/${own.id}/settings/general`, script);
    await page.getByLabel("Attempts in all").fill("5000");
    await page.getByRole("button", { name: "Save settings" }).click();
    await expect(page.getByRole("alert")).toContainText("Some fields need a change");
    await expect(page.getByLabel("Attempts in all")).toHaveAttribute("aria-invalid", "true");

    await page.getByLabel("Attempts in all").fill("7");
    await page.getByRole("button", { name: "Save settings" }).click();
    await expectToast(page, "Settings saved");
    await expect(page.getByLabel("Attempts in all")).toHaveValue("7");
    expect((await call(own, "GET", "")).config.strategy.retry_count).toBe(7);
  });

  test("an endpoint without an address of the web is refused at the field", async ({ page, own, script }) => {
    await open(page, `/projects/${own.id}/endpoints/new`, script);
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Archive");
    await page.getByLabel("Address").fill("ftp://harbour.example/in");
    await page.getByRole("button", { name: "Create endpoint" }).click();
    await expect(page.getByLabel("Address")).toHaveAttribute("aria-invalid", "true");
    expect((await call(own, "GET", "/endpoints")).content).toHaveLength(0);
  });

  test("a project goes only when its name is typed", async ({ page, own, script }) => {
    await open(page, `/projects/${own.id}/settings/danger`, script);
    await page.getByLabel(/^Type .* to confirm/).fill("something else");
    await page.getByRole("button", { name: "Delete project" }).click();
    // The browser itself holds the form back; the server would refuse it as well.
    await expect(page.getByLabel(/^Type .* to confirm/)).toBeVisible();
    await call(own, "GET", "/endpoints");

    await page.getByLabel(/^Type .* to confirm/).fill(own.name);
    await page.getByRole("button", { name: "Delete project" }).click();
    await expectToast(page, "Project deleted");
    await expect(page.getByRole("heading", { level: 1, name: "All projects" })).toBeVisible();
    await expect(call(own, "GET", "/endpoints")).rejects.toThrow(/40[134]/);
  });
});

test("an endpoint and a subscription go when their names are typed", async ({ page, own, script }) => {
  const made = await endpoint(own, "Warehouse", `${site().receiver}/ok-${own.id}`);
  const [subscription] = (await call(own, "GET", "/subscriptions")).content;
  await open(page, `/projects/${own.id}/subscriptions/${subscription.uid}`, script);
  await page.getByLabel(/^Type .* to confirm/).fill(subscription.name);
  await page.getByRole("button", { name: "Delete subscription" }).click();
  await expectToast(page, "Subscription deleted");
  await open(page, `/projects/${own.id}/endpoints/${made.uid}`, script);
  await page.getByLabel(/^Type .* to confirm/).fill("Warehouse");
  await page.getByRole("button", { name: "Delete endpoint" }).click();
  await expectToast(page, "Endpoint deleted");
  expect((await call(own, "GET", "/endpoints")).content).toHaveLength(0);
});

test("deliveries are filtered by words, and picked ones are sent again", async ({ page, own, script }) => {
  const path = `/ok-${own.id}`;
  const made = await endpoint(own, "Warehouse", `${site().receiver}${path}`);
  for (const type of ["order.created", "order.paid"]) {
    await delivery(own, await send(own, made.uid, type, { type }), "Success");
  }
  await open(page, `/projects/${own.id}/deliveries`, script);
  const table = page.getByRole("table", { name: "Deliveries, newest first" });
  await expect(table.getByRole("link", { name: "order.created" })).toBeVisible();
  await page.getByRole("textbox", { name: "Filter deliveries" }).fill("type:order.paid");
  await page.getByRole("button", { name: "Filter", exact: true }).click();
  await expect(table.getByRole("link", { name: "order.created" })).toHaveCount(0);
  await table.getByRole("checkbox", { name: /order\.paid/ }).check();
  await page.getByRole("button", { name: "Resend selected" }).click();
  await expectToast(page, "Deliveries resent");
  await expect(async () => expect(await received(path)).toHaveLength(3)).toPass();
});

test("an event is replayed from its page", async ({ page, own, script }) => {
  const path = `/ok-${own.id}`;
  const made = await endpoint(own, "Warehouse", `${site().receiver}${path}`);
  const event = await send(own, made.uid, "order.created", { order: 1 });
  await delivery(own, event, "Success");
  await open(page, `/projects/${own.id}/events/${event}`, script);
  await page.getByRole("button", { name: "Replay" }).click();
  await expectToast(page, "Event replayed");
  await expect(async () => expect(await received(path)).toHaveLength(2)).toPass();
});

test("the theme that a person chose stays", async ({ page, script }) => {
  await open(page, "/login", script);
  await page.getByRole("radio", { name: "Dark theme" }).check({ force: true });
  // Out of sight until it has the focus.
  if (!script) await page.getByRole("button", { name: "Apply theme" }).press("Enter");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.goto("/");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});
