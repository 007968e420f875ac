// The inbox of the stand-in mail server as a page: plain HTML, nothing loaded from anywhere.
import type { Mail } from './mail.ts'

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => escapes[character] ?? character)

const article = ({ subject, to, receivedAt, text, messageId, deliveries }: Mail): string => `
<article>
<h2>${escaped(subject)}</h2>
<p>To ${escaped(to.join(', '))}, <time datetime="${escaped(receivedAt)}">${escaped(receivedAt)}</time>, ${
  deliveries === 1 ? 'delivered once' : `delivered ${deliveries} times`
}</p>
<pre>${escaped(text)}</pre>
<p><small>${escaped(messageId)}</small></p>
</article>`

export const inboxPage = (mails: readonly Mail[]): string => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Inbox</title></head>
<body>
<main>
<h1>Inbox</h1>
<p>What Headwater sent to people of this machine. Reload to see more.</p>
${mails.length === 0 ? '<p>No mails yet.</p>' : mails.map(article).join('\n')}
</main>
</body>
</html>
`
