// The page of a platform that embeds the console. It asks its own backend for a portal session, and shows the
// session's link in an iframe. The console tells the page its height, where its user is, and when it ends.
"use strict";

const consoleOrigin = document.documentElement.dataset.console;
let frame = document.getElementById("console");
const message = document.getElementById("message");
const again = document.getElementById("again");
const person = document.getElementById("person");
const scheme = document.getElementById("scheme");

// #key=…&view=/webhooks&person=usr_ines&scheme=dark. All but the view stay in this tab, so that a reload works.
const fragment = new URLSearchParams(location.hash.slice(1));
const key = kept("key") ?? "";
let view = fragment.get("view") ?? "";
for (const control of [person, scheme]) control.value = kept(control.id) ?? control.value;
showView();

function kept(name) {
  const value = fragment.get(name) ?? sessionStorage.getItem(name);
  if (value !== null) sessionStorage.setItem(name, value);
  return value;
}

function showView() {
  history.replaceState(null, "", view ? `#${new URLSearchParams({ view })}` : location.pathname);
}

function say(text) {
  message.textContent = text;
  message.hidden = false;
  again.hidden = false;
  frame.hidden = true;
}

async function signIn() {
  message.hidden = true;
  again.hidden = true;
  frame.hidden = false;
  frame.removeAttribute("style");
  const response = await fetch("/session", {
    method: "POST",
    headers: { "content-type": "application/json", "x-key": key },
    body: JSON.stringify({ person: person.value, colorScheme: scheme.value, view }),
  });
  if (!response.ok) {
    say(await response.text());
    return;
  }
  const { link } = await response.json();
  // A new document, even if only the fragment of the address differs.
  const next = frame.cloneNode();
  next.src = link;
  frame.replaceWith(next);
  frame = next;
}

addEventListener("message", (event) => {
  if (event.origin !== consoleOrigin || event.source !== frame.contentWindow) return;
  const { type } = event.data ?? {};
  if (type === "patchbay:height" && Number.isFinite(event.data.height)) {
    frame.style.height = `${Math.ceil(event.data.height)}px`;
  } else if (type === "patchbay:navigate" && typeof event.data.path === "string") {
    // A session takes a path without a query.
    const path = event.data.path.split(/[?#]/)[0];
    view = /^(\/[A-Za-z0-9_-]+)+$/.test(path) ? path : "";
    showView();
  } else if (type === "patchbay:session-ended") {
    frame.hidden = true;
    say("Your session has ended.");
  }
});

for (const control of [person, scheme]) {
  control.addEventListener("change", () => {
    sessionStorage.setItem(control.id, control.value);
    signIn();
  });
}
again.addEventListener("click", signIn);
signIn();
