// The gateway's own small pages: they stand where signing in, signing out and links from elsewhere need a word.
import type { FastifyReply } from 'fastify'

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (sign) => entities[sign] ?? sign)

export type Notice = {
  readonly title: string
  readonly text: string
  /** Where to go on: a link, or a form that is sent to the page's own address. */
  readonly next: { readonly label: string; readonly href: string } | { readonly label: string; readonly post: true }
  /** Goes on to the link by itself. */
  readonly atOnce?: boolean
}

const nextOf = ({ next }: Notice): string =>
  'post' in next
    ? `<form method="post"><button type="submit">${escaped(next.label)}</button></form>`
    : `<p><a href="${escaped(next.href)}">${escaped(next.label)}</a></p>`

const page = (notice: Notice): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    ${notice.atOnce && 'href' in notice.next ? `<meta http-equiv="refresh" content="0; url=${escaped(notice.next.href)}">` : ''}
    <title>${escaped(notice.title)} · Headwater</title>
    <link rel="stylesheet" href="/unavailable.css">
  </head>
  <body>
    <main>
      <p>Headwater</p>
      <h1>${escaped(notice.title)}</h1>
      <p>${escaped(notice.text)}</p>
      ${nextOf(notice)}
    </main>
  </body>
</html>
`

const contentSecurityPolicy =
  "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

export const sendNotice = (reply: FastifyReply, status: number, notice: Notice): FastifyReply =>
  reply
    .status(status)
    .headers({ 'cache-control': 'no-store', 'content-security-policy': contentSecurityPolicy })
    .type('text/html; charset=utf-8')
    .send(page(notice))
