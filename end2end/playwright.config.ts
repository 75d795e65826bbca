// Browser tests of the dashboard: every test with script, and those of the forms without it too.
import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "tests",
  globalSetup: "./support/start.ts",
  outputDir: "test-results",
  // One gateway serves all tests, on a machine that also runs its stores.
  workers: 1,
  forbidOnly: true,
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: "list",
  use: {
    viewport: { width: 1440, height: 900 },
    locale: "en-GB",
    timezoneId: "UTC",
    colorScheme: "light",
    reducedMotion: "reduce",
    trace: "retain-on-failure",
    launchOptions: {
      // The browser of the machine; Playwright brings none.
      executablePath: process.env.LONGHAUL_CHROMIUM,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "script", testMatch: /.*\.spec\.ts/ },
    { name: "plain", testMatch: /(journey|forms|jobs|partitions|retention|storage)\.spec\.ts/, use: { javaScriptEnabled: false } },
  ],
});
