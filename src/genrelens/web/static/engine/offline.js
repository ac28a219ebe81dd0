/** Make the static site work without a network, and install new versions of it. */

/** A version that the last visit has loaded takes over before anything happens on the page. */
function activate(waiting) {
  const reload = () => location.reload();
  navigator.serviceWorker.addEventListener("controllerchange", reload, { once: true });
  waiting.postMessage("activate");
}

if ("serviceWorker" in navigator) {
  const registration = await navigator.serviceWorker.register(new URL("sw.js", document.baseURI));
  if (registration.waiting && navigator.serviceWorker.controller) {
    activate(registration.waiting);
  }
}
