import { useEffect, useState } from "react";

const SETTLING_MS = 700;

/**
 * Whether the user has had time to see this page. Another page can open this one under the pointer, between the two
 * clicks of a double click. So the buttons do nothing for a moment after the page gets the focus.
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
