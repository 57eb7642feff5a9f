/** Strings for charts. */
export const charts = {
  time: "Time",
  noValue: "No data",
  showTable: "Show as a table",
  showChart: "Show as a chart",
  help: "Use the arrow keys to move through time, and Home and End to go to the start and end.",
  values: (time: string, values: readonly string[]) => `${time}: ${values.join(", ")}`,
  value: (label: string, value: string) => `${label} ${value}`,
  nothing: "No activity in this period",
};
