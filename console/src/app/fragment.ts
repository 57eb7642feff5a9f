/**
 * The parameters in the URL's fragment. The page imports this module first: it removes the fragment before anything
 * else runs, so that the one-time code does not get into the history, a referrer or a screenshot.
 */
const parameters = new URLSearchParams(location.hash.slice(1));

if (location.hash) history.replaceState(history.state, "", location.pathname + location.search);

/** The one-time code of a portal session, if the URL has one. */
export const oneTimeCode = parameters.get("code");
