import { useEffect, useState } from "react";

const SETTLING_MS = 700;

/**
 * Whether people have had the time to see this page. Another page can open this one under the pointer, between the two
 * clicks of a double click: for a moment after it gets the focus, its buttons do nothing.
 */
export function useSettled(): boolean {
  const [isSettled, setSettled] = useState(false);
  useEffect(() => {
    let timer = 0;
    function settle(): void {
      window.clearTimeout(timer);
      setSettled(false);
      timer = window.setTimeout(() => setSettled(true), SETTLING_MS);
    }
    settle();
    window.addEventListener("focus", settle);
    return () => {
      window.clearTimeout(timer);
      window.removeEventListener("focus", settle);
    };
  }, []);
  return isSettled;
}
