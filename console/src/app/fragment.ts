/**
 * What the address brought in its fragment. This module is the first that the page imports: it removes the fragment
 * before anything else runs, so that the one-time code is in no history, referrer or screenshot.
 */
const parameters = new URLSearchParams(location.hash.slice(1));

if (location.hash) history.replaceState(history.state, "", location.pathname + location.search);

/** The one-time code of a portal session, if the address has one. */
export const oneTimeCode = parameters.get("code");
