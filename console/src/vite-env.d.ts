interface ImportMetaEnv {
  /** A token for `make console-dev`. A build has no code that reads it. */
  readonly VITE_TOKEN?: string;
}
