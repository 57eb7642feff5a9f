interface ImportMetaEnv {
  /** A token for `make console-dev`. Builds contain no code that reads it. */
  readonly VITE_TOKEN?: string;
}
