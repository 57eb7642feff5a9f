/** The options of a select, one for each word. `all` is the label of the option that clears the filter. */
export function options(words: Readonly<Record<string, string>>, all?: string): { value: string; label: string }[] {
  const found = Object.entries(words).map(([value, label]) => ({ value, label }));
  return all === undefined ? found : [{ value: "", label: all }, ...found];
}
