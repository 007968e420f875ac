// The page that stands in for one that cannot be shown.
import { html } from './html.ts'
import { page } from './page.ts'

export type Failure = {
  readonly title: string
  readonly text: string
  /** A code for whoever is asked for help. */
  readonly detail?: string | undefined
}

export const failedPage = ({ title, text, detail }: Failure): string =>
  page(
    title,
    html`<article class="narrow">
      <h1>${title}</h1>
      <p class="lead">${text}</p>
      ${detail !== undefined && html`<p class="quiet">For whoever helps you: <code>${detail}</code></p>`}
    </article>`,
  )
