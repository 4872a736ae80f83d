// A function that does nothing, with the clients loaded and made.

import "./clients.mjs";
import { run } from "./runtime.mjs";

await run(async (event) => event);
