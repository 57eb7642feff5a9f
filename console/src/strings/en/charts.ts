/** Texts of charts. */
export const charts = {
  time: "Time",
  noValue: "No data",
  showTable: "Show as a table",
  showChart: "Show as a chart",
  help: "Arrow keys move through time; Home and End go to its ends.",
  values: (time: string, values: readonly string[]) => `${time}: ${values.join(", ")}`,
  value: (label: string, value: string) => `${label} ${value}`,
  nothing: "Nothing happened in this period",
};
