// Every page of the dashboard, on a project that has something to show.
import { call, delivery, endpoint, longhaul, project, send, site } from "./site";

/** A page: the name of its pictures, and its address. */
export interface Place {
  name: string;
  path: string;
}

/** Makes two projects, one full and one empty, and lists the pages of both. `suffix` keeps their
 * names apart from those of an earlier call. */
export async function places(suffix: string): Promise<Place[]> {
  const full = await project(`Checkout${suffix}`);
  const strategy = { type: "linear", duration: 1, retry_count: 2 };
  await call(full, "PUT", "", { name: full.name, config: { strategy, multiple_endpoint_subscriptions: true } });
  const at = (name: string) => `${site().receiver}/${name}`;
  const warehouse = await endpoint(full, "Warehouse", at("ok/warehouse"));
  const billing = await endpoint(full, "Billing of the northern branch", at("fail/billing"));
  const paused = await endpoint(full, "Analytics", at("ok/analytics"));
  await call(full, "PUT", `/endpoints/${paused.uid}/pause`);
  await call(full, "POST", "/subscriptions", {
    name: "Large orders",
    endpoint_id: warehouse.uid,
    filter_config: { event_types: ["order.created"], filter: { body: { "amount.value": { $gte: 100_000 } } } },
  });
  const types = ["order.created", "payment.captured", "shipment.updated", "customer.updated"];
  const events: string[] = [];
  for (let n = 0; n < 24; n++) {
    const order = { id: `ord_${n}`, lines: [{ sku: "A-17", count: 2 }] };
    const data = { order, amount: { value: 1200 + 35 * n, currency: "EUR" }, paid: true };
    events.push(await send(full, warehouse.uid, types[n % 4], data));
  }
  const failing = await send(full, billing.uid, "invoice.finalised", { invoice: "inv_7", total: 99.5, note: null });
  const held = await send(full, paused.uid, "page.viewed", { page: "/cart" });
  const delivered = await delivery(full, events[23], "Success");
  const failed = await delivery(full, failing, "Failure");
  await delivery(full, held, "Scheduled");
  const [subscription] = (await call(full, "GET", "/subscriptions")).content;
  const empty = await project(`Returns${suffix}`);
  const run = JSON.parse(await longhaul(site(), "jobs", "run", "keep_partitions_ahead", "--format", "json"));
  const of = (at: { id: string }, rest: string) => `/projects/${at.id}${rest}`;
  return [
    { name: "login", path: "/login" },
    { name: "projects", path: "/" },
    { name: "project-new", path: "/projects/new" },
    { name: "overview", path: of(full, "") },
    { name: "events", path: of(full, "/events") },
    { name: "event", path: of(full, `/events/${events[23]}`) },
    { name: "deliveries", path: of(full, "/deliveries") },
    { name: "deliveries-filtered", path: of(full, "/deliveries?q=type:order.created") },
    { name: "deliveries-nothing", path: of(full, "/deliveries?q=type:nothing.like.it") },
    { name: "delivery", path: of(full, `/deliveries/${delivered.uid}`) },
    { name: "delivery-failed", path: of(full, `/deliveries/${failed.uid}`) },
    { name: "endpoints", path: of(full, "/endpoints") },
    { name: "endpoint", path: of(full, `/endpoints/${billing.uid}`) },
    { name: "endpoint-paused", path: of(full, `/endpoints/${paused.uid}`) },
    { name: "endpoint-new", path: of(full, "/endpoints/new") },
    { name: "endpoint-edit", path: of(full, `/endpoints/${warehouse.uid}/edit`) },
    { name: "subscriptions", path: of(full, "/subscriptions") },
    { name: "subscription", path: of(full, `/subscriptions/${subscription.uid}`) },
    { name: "subscription-new", path: of(full, "/subscriptions/new") },
    { name: "settings-general", path: of(full, "/settings/general") },
    { name: "settings-retention", path: of(full, "/settings/retention") },
    { name: "settings-retention-preview", path: of(full, "/settings/retention?days=7") },
    { name: "settings-storage", path: of(full, "/settings/storage") },
    { name: "settings-signature", path: of(full, "/settings/signature") },
    { name: "settings-keys", path: of(full, "/settings/keys") },
    { name: "settings-danger", path: of(full, "/settings/danger") },
    { name: "storage", path: "/system/storage" },
    { name: "audit", path: "/system/audit" },
    { name: "partitions", path: "/system/partitions" },
    { name: "partitions-nothing", path: "/system/partitions?q=state:refused" },
    { name: "jobs", path: "/system/jobs" },
    { name: "job-run", path: `/system/jobs/${run.id}` },
    { name: "jobs-nothing", path: "/system/jobs?q=job:nothing" },
    { name: "empty-overview", path: of(empty, "") },
    { name: "empty-events", path: of(empty, "/events") },
    { name: "empty-deliveries", path: of(empty, "/deliveries") },
    { name: "empty-endpoints", path: of(empty, "/endpoints") },
    { name: "empty-subscriptions", path: of(empty, "/subscriptions") },
    { name: "jump-nothing", path: "/jump?q=nothing" },
  ];
}
