/**
 * Keep the site for visits without a network. `genrelens site` writes VERSION and FILES (path and
 * hash of each file) before this text.
 */

const FOLDER = new URL("./", self.location).href;
const PREFIX = `genrelens ${FOLDER} `; // other sites at this address have caches of their own
const CACHE = PREFIX + VERSION;

self.addEventListener("install", (event) => event.waitUntil(fill()));
self.addEventListener("activate", (event) => event.waitUntil(takeOver()));
self.addEventListener("message", ({ data }) => data === "activate" && self.skipWaiting());
self.addEventListener("fetch", (event) => {
  const path = pathOf(event.request);
  if (path !== null) {
    event.respondWith(answer(path, event.request));
  }
});

/** Load all files of this version; those that did not change are taken from the former one. */
async function fill() {
  const cache = await caches.open(CACHE);
  await Promise.all(
    Object.entries(FILES).map(async ([path, integrity]) => {
      const url = new URL(path, FOLDER).href;
      const known = await caches.match(url);
      if (known && (await hashOf(known.clone())) === integrity) {
        await cache.put(url, known);
      } else {
        await cache.add(new Request(url, { integrity, cache: "no-cache" }));
      }
    }),
  );
}

async function hashOf(response) {
  const hash = await crypto.subtle.digest("SHA-256", await response.arrayBuffer());
  return `sha256-${btoa(String.fromCharCode(...new Uint8Array(hash)))}`;
}

async function takeOver() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

/** Return the path of a request for a file of this site, else null. */
function pathOf({ method, url }) {
  const address = url.split(/[?#]/)[0];
  if (method !== "GET" || !address.startsWith(FOLDER)) {
    return null;
  }
  const path = decodeURIComponent(address.slice(FOLDER.length)) || "index.html";
  return path in FILES ? path : null;
}

/**
 * Answer from the cache. The headers isolate the page from other sites. Only then does a browser
 * let it use several threads.
 */
async function answer(path, request) {
  const cache = await caches.open(CACHE);
  const known = await cache.match(new URL(path, FOLDER).href);
  if (!known) {
    return fetch(request);
  }
  const headers = new Headers(known.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(known.body, { status: 200, headers });
}
