/** A loaded page of a list. A page can be empty and still have a `nextCursor`. */
export interface LoadedPage<T> {
  items: T[];
  nextCursor: string | null;
}

/**
 * A page of a list. It loads when you await it or iterate over it. `await page` returns its `items` and `nextCursor`;
 * `for await (const item of page)` yields the items of this page and all following pages.
 */
export class Page<T> implements PromiseLike<LoadedPage<T>>, AsyncIterable<T> {
  readonly #load: (cursor: string | null) => Promise<LoadedPage<T>>;

  constructor(load: (cursor: string | null) => Promise<LoadedPage<T>>) {
    this.#load = load;
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting a page loads it
  then<A = LoadedPage<T>, B = never>(
    onFulfilled?: ((page: LoadedPage<T>) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#load(null).then(onFulfilled, onRejected);
  }

  /** Yields this page and all following pages. */
  async *pages(): AsyncGenerator<LoadedPage<T>> {
    let page = await this.#load(null);
    yield page;
    while (page.nextCursor !== null) {
      page = await this.#load(page.nextCursor);
      yield page;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for await (const page of this.pages()) yield* page.items;
  }
}
