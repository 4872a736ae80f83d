// The three things that the portal's script does.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { serve } from "./browser.mjs";

/** Returns the faults of the script. */
export async function checkScripts(browser, folder) {
  const faults = [];
  const expect = (holds, text) => {
    if (!holds) faults.push(`portal.js: ${text}`);
  };
  const sent = [];
  let looks = 0;
  const { origin, server } = await serve(folder, (request, response) => {
    if (request.method === "POST" && request.url === "/session") {
      request.setEncoding("utf8");
      let body = "";
      request.on("data", (text) => (body += text));
      request.on("end", () => {
        sent.push(body);
        // Without content, the browser stays on the page.
        if (body === "code=stay") response.writeHead(204).end();
        else response.writeHead(303, { location: "/endpoints.html" }).end();
      });
      return true;
    }
    if (request.url === "/live.html") {
      looks += 1;
      const name = looks === 1 ? "recovery-running.html" : "recovery-done.html";
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(readFileSync(join(folder, name)));
      return true;
    }
    return false;
  });
  const context = await browser.newContext({ timezoneId: "Asia/Tokyo", locale: "en-GB" });
  const page = await context.newPage();

  await page.goto(`${origin}/enter.html#code=a%2Bb%26c`);
  await page.waitForURL("**/endpoints.html");
  expect(sent.join("") === "code=a%2Bb%26c", `the exchange sent ${sent.join("")}`);

  // The page has not loaded when its script leaves it.
  const answered = page.waitForResponse("**/session", { timeout: 10_000 }).catch(() => {});
  await page.goto(`${origin}/enter.html#code=stay`, { waitUntil: "commit" });
  await answered;
  expect(sent.length === 2, `${sent.length} requests for two codes`);
  expect(!page.url().includes("code"), "the code is still in the address bar");

  await page.goto(`${origin}/enter.html`);
  expect(await page.locator("#no-code").isVisible(), "a link without a code says nothing");

  await page.goto(`${origin}/endpoint.html`);
  const time = page.locator("time").first();
  const [shown, title] = [await time.textContent(), await time.getAttribute("title")];
  expect(title.endsWith(" UTC"), `the title of a time is ${title}`);
  expect(!shown.includes("UTC") && shown.includes("21:10"), `a time of 12:10 UTC is shown as ${shown}`);

  await page.goto(`${origin}/live.html`);
  await page.waitForSelector("#recovery:not([data-live])", { timeout: 15_000 }).catch(() => {});
  const live = await page.locator("#recovery").textContent();
  expect(live.includes("Done"), "a recovery that runs does not update itself");

  await context.close();
  const plain = await browser.newContext({ javaScriptEnabled: false });
  const still = await plain.newPage();
  await still.goto(`${origin}/endpoint.html`);
  const utc = await still.locator("time").first().textContent();
  expect(utc.endsWith(" UTC"), `without JavaScript a time is shown as ${utc}`);
  await still.goto(`${origin}/enter.html#code=x`);
  const isBlamed = await still.locator("#no-code").isVisible();
  expect(!isBlamed, "without JavaScript, the code is said to be missing");
  const advice = await still.locator("noscript").textContent();
  expect(advice.includes("JavaScript"), "without JavaScript, nothing says that it is needed");
  await plain.close();
  server.close();
  return faults;
}
