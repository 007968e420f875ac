// The developer's page: a read-only view of streams and events.
import { randomBytes } from 'node:crypto'
import { type Answer, type Asked, checkAccess, json, Refusal } from '../http/http.ts'
import { reportedVersion } from '../http/node.ts'
import { allStream } from '../http/page-of-events.ts'
import { pageRequest, readShown } from '../http/streams.ts'
import { isMissing } from '../store/names.ts'
import { tombstoneRevision } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { type Html, html } from './html.ts'
import { liveScript, style } from './style.ts'
import { eventItems, eventsView, overview, type StreamLine, type Subscription } from './views.ts'

const streamsOfPage = 50

type Body = { readonly title: string; readonly content: Html; readonly script?: string }

const document = ({ title, content, script }: Body, nonce: string, user: string | undefined): string =>
  `<!doctype html>${
    html`<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · embedded-eventstore</title><link rel="icon" href="data:,"><style nonce="${nonce}">`.text
  }${style}${
    html`</style></head><body>
<header><a href=".">Streams</a><a href="browse?stream=%24all">All events</a><p>embedded-eventstore, speaks ${reportedVersion}${user === undefined ? '' : `, ${user}`}</p></header>
<main>${content}</main>`.text
  }${script === undefined ? '' : `<script type="module" nonce="${nonce}">${script}</script>`}</body></html>`

const pageOf = ({ caller }: Asked, body: Body, status = 200): Answer => {
  const nonce = randomBytes(16).toString('base64')
  return {
    status,
    type: 'text/html; charset=utf-8',
    headers: {
      'content-security-policy': `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
      'referrer-policy': 'no-referrer',
    },
    body: document(body, nonce, caller.user?.name),
  }
}

const lineOf = ({ names }: Store, name: string): StreamLine => {
  const head = names.head(name)
  const { revision, metadata } = head
  const note =
    revision === tombstoneRevision
      ? 'deleted for good'
      : revision >= 0 && isMissing(head)
        ? 'deleted'
        : revision < 0
          ? 'empty'
          : metadata.truncateBefore > 0
            ? `from ${metadata.truncateBefore} on`
            : ''
  return { name, revision, note }
}

const showStreams = (store: Store, subscriptions: () => readonly Subscription[], asked: Asked): Answer => {
  const { caller, query } = asked
  checkAccess(asked, 'describe persistent subscriptions')
  const prefix = query.get('prefix') ?? ''
  const withSystem = query.get('system') === 'true' || prefix.startsWith('$')
  const before = Number(query.get('before') ?? Number.MAX_SAFE_INTEGER)
  const found = store.pages.streams(prefix, withSystem, Number.isSafeInteger(before) ? before : 0, streamsOfPage)
  const [last] = found.at(-1) ?? []
  const readable = found.filter(([, name]) => caller.may('read', name))
  const content = overview({
    prefix,
    withSystem,
    streams: readable.map(([, name]) => lineOf(store, name)),
    before: found.length < streamsOfPage ? undefined : last,
    subscriptions: subscriptions(),
  })
  return pageOf(asked, { title: 'Streams', content })
}

const showEvents = (store: Store, asked: Asked): Answer => {
  const { query } = asked
  const streamName = query.get('stream') ?? allStream
  checkAccess(asked, 'read', streamName)
  const page = readShown(store, streamName, pageRequest(query))
  if (query.get('part') === 'events') return json({ newer: page.newer, html: eventItems(page).text })
  const isNewest = query.get('from') === null
  const content = eventsView(streamName, page, isNewest)
  return pageOf(asked, { title: streamName, content, ...(isNewest ? { script: liveScript } : {}) })
}

export const routePage =
  (store: Store, subscriptions: () => readonly Subscription[]) =>
  (asked: Asked): Answer | undefined => {
    const path = asked.path.join('/')
    if ((asked.method !== 'GET' && asked.method !== 'HEAD') || (path !== '' && path !== 'browse')) return undefined
    try {
      return path === '' ? showStreams(store, subscriptions, asked) : showEvents(store, asked)
    } catch (error) {
      // For a 401 the browser itself asks for credentials.
      if (!(error instanceof Refusal) || error.answer.status === 401) throw error
      const content = html`<h1>This cannot be shown</h1><p>${error.message}</p>`
      return pageOf(asked, { title: 'Not shown', content }, error.answer.status)
    }
  }
