import { NativeSelect, TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import classes from "./Toolbar.module.css";

interface Filter {
  label: string;
  /** Undefined if no filter is set: that option has an empty value in `options`. */
  value: string | undefined;
  options: readonly { value: string; label: string }[];
  onChange: (value: string | undefined) => void;
}

interface Props {
  search?: string;
  searchLabel?: string;
  onSearch?: (value: string) => void;
  filters?: readonly Filter[];
}

/** The search and filters of a list. Keep their values in the URL, so that links and the Back button restore them. */
export function Toolbar({ search = "", searchLabel, onSearch, filters = [] }: Props) {
  return (
    <search className={classes.toolbar}>
      {onSearch && (
        <TextInput
          className={classes.search}
          type="search"
          value={search}
          aria-label={searchLabel}
          placeholder={searchLabel}
          leftSection={<IconSearch size={16} aria-hidden />}
          onChange={(event) => onSearch(event.currentTarget.value)}
        />
      )}
      {filters.map(({ label, value, options, onChange }) => (
        <NativeSelect
          key={label}
          aria-label={label}
          value={value ?? ""}
          data={[...options]}
          onChange={(event) => onChange(event.currentTarget.value || undefined)}
        />
      ))}
    </search>
  );
}
