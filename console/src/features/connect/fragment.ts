/** The fragment is the token of a connect link. This module removes it before anything else runs. */
const fragment = location.hash.slice(1);

if (fragment) history.replaceState(history.state, "", location.pathname);

export const linkToken = /^cses_[!-~]{1,500}$/.test(fragment) ? fragment : null;
