// The frame of every page of the issuer, the look of the application's own pages, and what a form may look like.
import { type Html, html } from './html.ts'

/** @param scripts none: every page works without */
export const page = (title: string, content: Html): string =>
  html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="theme-color" content="#fbfaf7" media="(prefers-color-scheme: light)">
    <meta name="theme-color" content="#11171a" media="(prefers-color-scheme: dark)">
    <title>${title} · Headwater</title>
    <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/assets/identity.css">
  </head>
  <body>
    <header class="site">
      <p class="mark"><img src="/assets/icon.svg" alt="" width="26" height="26">Headwater</p>
    </header>
    <main id="content">
      ${content}
    </main>
    <footer class="site">
      <p>Passwords are kept as hashes that nobody can turn back.</p>
    </footer>
  </body>
</html>
`.html

export type FieldErrors = Readonly<Record<string, string>>

export type Field = {
  readonly name: string
  readonly label: string
  readonly type?: 'text' | 'email' | 'password'
  readonly hint?: string
  readonly value?: string | undefined
  readonly autocomplete: string
}

/** A question with what is wrong about its answer. The browser's own checks are off: they would say it twice. */
export const field = ({ name, label, type = 'text', hint, value, autocomplete }: Field, errors: FieldErrors): Html => {
  const error = errors[name]
  const about = [hint !== undefined && `${name}-hint`, error !== undefined && `${name}-error`].filter(Boolean).join(' ')
  return html`<div class="field"${error !== undefined && html` data-wrong`}>
    <label for="${name}">${label}</label>
    ${hint !== undefined && html`<p id="${name}-hint" class="hint">${hint}</p>`}
    ${error !== undefined && html`<p id="${name}-error" class="error">${error}</p>`}
    <input id="${name}" name="${name}" type="${type}" required autocomplete="${autocomplete}"${
      value !== undefined && html` value="${value}"`
    } autocapitalize="none" spellcheck="false"${error !== undefined && html` aria-invalid="true"`}${
      about !== '' && html` aria-describedby="${about}"`
    }>
  </div>`
}

/** What is wrong, at the top, with a way to each field. */
export const summary = (errors: FieldErrors): Html | undefined => {
  const wrong = Object.entries(errors)
  if (wrong.length === 0) return undefined
  return html`<div class="summary" role="alert">
    <h2>${wrong.length === 1 ? 'One answer needs another look' : `${wrong.length} answers need another look`}</h2>
    <ul>${wrong.map(([name, error]) => html`<li><a href="#${name}">${error}</a></li>`)}</ul>
  </div>`
}

/** One sentence about the whole of what was sent. */
export const notice = (text: string | undefined, kind: 'bad' | 'good' = 'bad'): Html | undefined =>
  text === undefined
    ? undefined
    : html`<div class="summary${kind === 'good' && ' good'}" role="${kind === 'good' ? 'status' : 'alert'}"><p>${text}</p></div>`
